//! The groups of a write-ahead log, found without the store's help by the format that is written
//! down, and which of them are still there.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
};

use tetrarch_wire::Boot;

const BLOCK: usize = 4096;
const HEADER: usize = 64;

/// Files with their bytes.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A group, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) number: u64,
    path: PathBuf,
    /// Its header and records: all that it needs.
    bytes: Range<usize>,
    /// Where the blocks end that it takes.
    end: usize,
}

/// The groups that a start of the store has written, in their order.
pub(super) fn groups(files: &Files, boot: Boot) -> Vec<Group> {
    let mut groups = Vec::new();
    for (path, bytes) in files {
        let Some(incarnation) = incarnation(path) else {
            continue;
        };
        for (index, block) in bytes.chunks_exact(BLOCK).enumerate() {
            let is_group = block.starts_with(b"TTRG")
                && number(block, 8) == incarnation
                && number(block, 16) == boot.get();
            if is_group {
                let offset = index * BLOCK;
                let len = u32::from_le_bytes([block[48], block[49], block[50], block[51]]);
                let summary = u32::from_le_bytes([block[52], block[53], block[54], block[55]]);
                let records = offset + HEADER + len as usize;
                let padded = records.next_multiple_of(BLOCK);
                groups.push(Group {
                    number: number(block, 24),
                    path: path.clone(),
                    bytes: offset..records,
                    end: padded + (summary as usize).next_multiple_of(BLOCK),
                });
            }
        }
    }
    groups.sort_by_key(|group| group.number);
    groups
}

fn incarnation(path: &Path) -> Option<u64> {
    let is_wal = path.parent().is_some_and(|folder| folder.ends_with("wal"));
    let name = path.file_name()?.to_str()?.strip_suffix(".wal")?;
    name.parse().ok().filter(|_| is_wal)
}

fn number(block: &[u8], at: usize) -> u64 {
    let bytes = block[at..].first_chunk();
    u64::from_le_bytes(*bytes.expect("a block is longer than a header"))
}

impl Group {
    /// Whether all of it that is needed is the same in these files.
    fn is_intact(&self, before: &Files, after: &Files) -> bool {
        self.is_same(self.bytes.clone(), before, after)
    }

    /// Whether its header is the same, whatever became of the rest.
    fn has_header(&self, before: &Files, after: &Files) -> bool {
        self.is_same(self.bytes.start..self.bytes.start + HEADER, before, after)
    }

    /// A group that reaches beyond the end of its file counts for none.
    fn is_same(&self, bytes: Range<usize>, before: &Files, after: &Files) -> bool {
        let Some(file) = after.get(&self.path).filter(|file| file.len() >= self.end) else {
            return false;
        };
        file.get(bytes.clone()) == before[&self.path].get(bytes)
    }
}

/// The groups at the end that may count as torn: nothing intact follows them, and no header, which says
/// what was durable before it.
pub(super) fn perhaps_torn<'a>(groups: &'a [Group], before: &Files, after: &Files) -> &'a [Group] {
    let last = |is: fn(&Group, &Files, &Files) -> bool| {
        groups.iter().rposition(|group| is(group, before, after))
    };
    let intact = last(Group::is_intact).map_or(0, |last| last + 1);
    let told = last(Group::has_header).unwrap_or(0);
    &groups[intact.max(told)..]
}
