//! Reading a WAL file after a restart: group after group, and past what is damaged.

use bytes::Bytes;
use tetrarch_wire::Boot;
use tetrarch_wire::checksum::crc32c_append;

use super::buffer::GroupLink;
use super::group::{GroupHeader, WalSeed};
use crate::disk::{BLOCK, DiskError, DiskFile, Failure};

/// How much is read at once when a later group is searched for.
const SEARCH_WINDOW: usize = 256 * BLOCK;

/// A file of the WAL as one boot wrote it.
pub(crate) struct WalScan<'a, F> {
    file: &'a F,
    len: u64,
    incarnation: u64,
    boot: Boot,
    seed: WalSeed,
}

/// One stretch of a WAL file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// An intact group.
    Group {
        offset: u64,
        header: GroupHeader,
        link: GroupLink,
    },
    /// Not an intact group. `until` is where the next one begins, if there is one in this file.
    Bad {
        offset: u64,
        header: Option<GroupHeader>,
        until: Option<u64>,
        /// The disk refused to give the bytes.
        unreadable: bool,
    },
    /// The file ends here, and was longer when it was made.
    CutShort { offset: u64 },
}

/// What stands at one place of a WAL file.
pub(crate) enum GroupRead {
    /// An intact group, with all its bytes.
    Good(GroupHeader, GroupLink, Bytes),
    /// A header whose records are not intact, with all its bytes.
    Damaged(GroupHeader, Bytes),
    /// Nothing that this boot wrote, or not any more.
    Nothing,
    /// The disk refuses to give the bytes.
    Unreadable,
}

impl<'a, F: DiskFile> WalScan<'a, F> {
    pub(crate) fn new(
        file: &'a F,
        incarnation: u64,
        boot: Boot,
        seed: WalSeed,
    ) -> Result<Self, DiskError> {
        Ok(Self {
            file,
            len: file.len()?,
            incarnation,
            boot,
            seed,
        })
    }

    /// Every stretch of the file, which had `made` bytes when it was made, in order. A bad stretch
    /// without an end is the last one of what is there.
    pub(crate) fn extents(&self, made: u64) -> Result<Vec<Extent>, DiskError> {
        let mut extents = Vec::new();
        let mut offset = 0;
        let mut last_group = 0;
        while offset < self.len {
            let (header, unreadable, next) = match self.read_group(offset)? {
                GroupRead::Good(header, link, _) if header.group > last_group => {
                    last_group = header.group;
                    extents.push(Extent::Group {
                        offset,
                        header,
                        link,
                    });
                    offset += header.size() as u64;
                    continue;
                }
                GroupRead::Damaged(header, _) if header.group > last_group => {
                    (Some(header), false, offset + header.size() as u64)
                }
                GroupRead::Unreadable => (None, true, offset + BLOCK as u64),
                _ => (None, false, offset + BLOCK as u64),
            };
            let until = self.search(next, last_group)?;
            extents.push(Extent::Bad {
                offset,
                header,
                until,
                unreadable,
            });
            offset = until.unwrap_or(self.len);
        }
        if self.len < made {
            extents.push(Extent::CutShort { offset: self.len });
        }
        Ok(extents)
    }

    /// What stands at `offset`.
    pub(crate) fn read_group(&self, offset: u64) -> Result<GroupRead, DiskError> {
        let mut head = [0; GroupHeader::LEN];
        if !self.read(&mut head, offset)? {
            return Ok(GroupRead::Unreadable);
        }
        let Some((header, crc)) = self.header(&head, offset) else {
            return Ok(GroupRead::Nothing);
        };
        let mut bytes = vec![0; header.size()];
        if !self.read(&mut bytes, offset)? {
            return Ok(GroupRead::Unreadable);
        }
        let records = &bytes[GroupHeader::LEN..GroupHeader::LEN + header.len as usize];
        let found = crc32c_append(self.seed.of_group(header.group), records);
        let link = GroupLink {
            group: header.group,
            crc,
        };
        Ok(if found == header.payload_crc {
            GroupRead::Good(header, link, bytes.into())
        } else {
            GroupRead::Damaged(header, bytes.into())
        })
    }

    /// The first block from `from` on that begins with a header of a later group. Payloads cannot
    /// imitate one by accident: it is sealed with the store, the file's use and the boot.
    fn search(&self, from: u64, after: u64) -> Result<Option<u64>, DiskError> {
        let left = usize::try_from(self.len.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut window = vec![0; left.min(SEARCH_WINDOW).next_multiple_of(BLOCK)];
        let mut at = from;
        while at < self.len {
            window.fill(0);
            self.read(&mut window, at)?;
            for (index, block) in window.chunks_exact(BLOCK).enumerate() {
                let offset = at + (index * BLOCK) as u64;
                let later = self.header(&block[..GroupHeader::LEN], offset);
                if later.is_some_and(|(header, _)| header.group > after) {
                    return Ok(Some(offset));
                }
            }
            at += window.len() as u64;
        }
        Ok(None)
    }

    fn header(&self, head: &[u8], offset: u64) -> Option<(GroupHeader, u32)> {
        let (header, crc) = GroupHeader::decode(head, self.seed).ok()?;
        let mine = header.incarnation == self.incarnation
            && header.boot == self.boot
            && offset + header.size() as u64 <= self.len;
        mine.then_some((header, crc))
    }

    /// Fills `buffer`; bytes beyond the end of the file stay as they are. `false` if the disk
    /// refuses.
    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<bool, DiskError> {
        match self.file.read_at(buffer, offset) {
            Ok(_) => Ok(true),
            Err(error) if error.failure == Failure::Corrupt => Ok(false),
            Err(error) => Err(error),
        }
    }
}
