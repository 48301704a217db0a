//! A disk in one number, so that one that was looked at before need not be looked at again.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::inode::{Block, Inodes};
use super::names::{Entry, Names};
use crate::disk::BLOCK;

/// The blocks that were seen before. Most blocks of one disk are those of the last one.
#[derive(Debug, Default)]
pub struct Digests {
    /// By their place in memory, which holding them keeps from being another block's.
    blocks: HashMap<(usize, usize), (Block, u64)>,
}

impl Digests {
    pub(super) fn of(&mut self, names: &Names, inodes: &Inodes, capacity: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        capacity.hash(&mut hasher);
        for (name, entry) in names.all() {
            name.hash(&mut hasher);
            if let Entry::File(inode) = entry {
                self.file(inodes, inode, &mut hasher);
            }
        }
        hasher.finish()
    }

    fn file(&mut self, inodes: &Inodes, inode: u64, hasher: &mut DefaultHasher) {
        let len = inodes.len(inode);
        len.hash(hasher);
        for (index, block) in inodes.blocks(inode) {
            let left = len.saturating_sub(index * BLOCK as u64);
            let visible = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
            let digest = self.block(block, visible);
            if digest != 0 {
                (index, digest).hash(hasher);
            }
        }
    }

    /// 0 if it holds nothing but zeros, as a block does that was never written.
    fn block(&mut self, block: &Block, visible: usize) -> u64 {
        let key = (block.as_ptr() as usize, visible);
        let known = self.blocks.entry(key).or_insert_with(|| {
            let bytes = &block[..visible];
            let digest = if bytes.iter().all(|byte| *byte == 0) {
                0
            } else {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                hasher.finish()
            };
            (Arc::clone(block), digest)
        });
        known.1
    }
}
