//! The bytes of the files: as a running system sees them, and as they are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fate::{Fate, PowerCut};
use crate::disk::BLOCK;

pub(super) type Block = Arc<[u8; BLOCK]>;
type Versions = Vec<Option<Block>>;

/// All files of a disk, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Inodes {
    /// Copying them costs little until a copy is changed.
    inodes: BTreeMap<u64, Arc<Inode>>,
    next: u64,
    /// By how much all files together have grown: they hold no more than that.
    grown: u64,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    len: u64,
    /// Blocks that are not all zeros.
    blocks: BTreeMap<u64, Block>,
    durable_len: u64,
    /// What the disk may hold where it differs, or may differ, from what is seen: what was synced
    /// last, and everything that was seen since, because the kernel writes when it likes.
    before: BTreeMap<u64, Versions>,
    /// The same, where a failed sync has made sure that no later sync changes it, unless the block
    /// is written once more.
    stuck: BTreeMap<u64, Versions>,
}

impl Inodes {
    pub(super) fn allocate(&mut self) -> u64 {
        self.next += 1;
        self.inodes.insert(self.next, Arc::default());
        self.next
    }

    pub(super) fn len(&self, inode: u64) -> u64 {
        self.inodes[&inode].len
    }

    pub(super) fn bytes(&self, inode: u64) -> Vec<u8> {
        let len = usize::try_from(self.len(inode)).unwrap_or(0);
        let mut bytes = vec![0; len];
        self.inodes[&inode].read(&mut bytes, 0);
        bytes
    }

    pub(super) fn read(&self, inode: u64, buffer: &mut [u8], offset: u64) -> usize {
        self.inodes[&inode].read(buffer, offset)
    }

    /// No less than the bytes of all files, which takes longer to add up.
    pub(super) const fn at_most(&self) -> u64 {
        self.grown
    }

    /// Writes bytes of one block.
    pub(super) fn write(&mut self, inode: u64, bytes: &[u8], offset: u64) {
        self.change(inode, |inode| inode.write(bytes, offset));
    }

    pub(super) fn truncate(&mut self, inode: u64, len: u64) {
        self.change(inode, |inode| inode.truncate(len));
    }

    fn change(&mut self, inode: u64, change: impl FnOnce(&mut Inode)) {
        let Some(inode) = self.changed(inode) else {
            return;
        };
        let before = whole_blocks(inode.len);
        change(inode);
        self.grown += whole_blocks(inode.len).saturating_sub(before);
    }

    pub(super) fn sync(&mut self, inode: u64, worked: bool) {
        let Some(inode) = self.changed(inode) else {
            return;
        };
        let before = std::mem::take(&mut inode.before);
        if worked {
            inode.durable_len = inode.len;
            inode.stuck.retain(|index, _| !before.contains_key(index));
        } else {
            for (index, versions) in before {
                inode.stuck.entry(index).or_default().extend(versions);
            }
        }
    }

    pub(super) fn flip(&mut self, inode: u64, offset: u64, mask: u8) {
        let Some(inode) = self.changed(inode) else {
            return;
        };
        if offset < inode.len {
            let (index, within) = split(offset);
            let mut block = inode.block(index);
            Arc::make_mut(&mut block)[within] ^= mask;
            inode.blocks.insert(index, block);
        }
    }

    /// Blocks of a file that are not all zeros.
    pub(super) fn blocks(&self, inode: u64) -> impl Iterator<Item = (u64, &Block)> {
        let blocks = self.inodes[&inode].blocks.iter();
        blocks.map(|(index, block)| (*index, block))
    }

    /// Files without a name are gone; of the others the power cut decides.
    pub(super) fn crash(&mut self, named: &BTreeSet<u64>, cut: &mut dyn PowerCut) {
        self.inodes.retain(|inode, _| named.contains(inode));
        for inode in self.inodes.values_mut().filter(|inode| inode.is_unsure()) {
            Arc::make_mut(inode).crash(cut);
        }
    }

    fn changed(&mut self, inode: u64) -> Option<&mut Inode> {
        self.inodes.get_mut(&inode).map(Arc::make_mut)
    }
}

/// The bytes that a file of this length takes.
pub(super) const fn whole_blocks(len: u64) -> u64 {
    len.next_multiple_of(BLOCK as u64)
}

impl Inode {
    fn block(&self, index: u64) -> Block {
        match self.blocks.get(&index) {
            Some(block) => Arc::clone(block),
            None => Arc::new([0; BLOCK]),
        }
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let rest = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(rest);
        let mut done = 0;
        while done < wanted {
            let (index, within) = split(offset + done as u64);
            let now = (BLOCK - within).min(wanted - done);
            let target = &mut buffer[done..done + now];
            match self.blocks.get(&index) {
                Some(block) => target.copy_from_slice(&block[within..within + now]),
                None => target.fill(0),
            }
            done += now;
        }
        wanted
    }

    fn write(&mut self, bytes: &[u8], offset: u64) {
        let (index, within) = split(offset);
        self.remember(index);
        let mut block = self.block(index);
        Arc::make_mut(&mut block)[within..within + bytes.len()].copy_from_slice(bytes);
        self.blocks.insert(index, block);
        self.len = self.len.max(offset + bytes.len() as u64);
    }

    fn truncate(&mut self, len: u64) {
        let (index, within) = split(len);
        if within > 0 && len < self.len && self.blocks.contains_key(&index) {
            self.remember(index);
            let mut block = self.block(index);
            Arc::make_mut(&mut block)[within..].fill(0);
            self.blocks.insert(index, block);
        }
        let first_gone = len.div_ceil(BLOCK as u64);
        for (index, block) in self.blocks.split_off(&first_gone) {
            self.before.entry(index).or_default().push(Some(block));
        }
        self.len = len;
    }

    fn remember(&mut self, index: u64) {
        let before = self.blocks.get(&index).cloned();
        let versions = self.before.entry(index).or_default();
        if versions.last() != Some(&before) {
            versions.push(before);
        }
    }

    /// Whether a power cut may change it.
    fn is_unsure(&self) -> bool {
        self.len != self.durable_len || !self.before.is_empty() || !self.stuck.is_empty()
    }

    fn crash(&mut self, cut: &mut dyn PowerCut) {
        if self.len != self.durable_len && !cut.keeps_length() {
            self.len = self.durable_len;
        }
        self.durable_len = self.len;
        let first_gone = self.len.div_ceil(BLOCK as u64);
        self.blocks.split_off(&first_gone);
        let mut unsure = std::mem::take(&mut self.before);
        for (index, versions) in std::mem::take(&mut self.stuck) {
            let known = unsure.remove(&index).unwrap_or_default();
            unsure.insert(index, [versions, known].concat());
        }
        unsure.split_off(&first_gone);
        for (index, mut versions) in unsure {
            let after = self.blocks.remove(&index);
            versions.retain(|before| *before != after);
            let block = if versions.is_empty() {
                after
            } else {
                match cut.block(versions.len()) {
                    Fate::Kept => after,
                    Fate::Lost { version } => versions.swap_remove(version % versions.len()),
                    Fate::Torn { version, tear } => {
                        let before = versions.swap_remove(version % versions.len());
                        Some(tear.mix(&whole(before), &whole(after)))
                    }
                }
            };
            if let Some(block) = block {
                self.blocks.insert(index, block);
            }
        }
    }
}

fn whole(block: Option<Block>) -> Block {
    block.unwrap_or_else(|| Arc::new([0; BLOCK]))
}

fn split(offset: u64) -> (u64, usize) {
    let block = BLOCK as u64;
    // A remainder of 4,096 fits.
    let within = usize::try_from(offset % block).unwrap_or(0);
    (offset / block, within)
}
