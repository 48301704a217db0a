//! The file of a fork: what is read of it at a start, and all of it.

use std::path::Path;

use tetrarch_wire::checksum::crc32c;
use tetrarch_wire::{Batch, ChannelUid, ForkId};

use super::description::{decode_epochs, encode_epochs};
use super::{Content, Description, ForkDamage, ForkSummary};
use crate::channel::state::SegmentRecord;
use crate::disk::{Disk, DiskError, DiskFile, Failure};
use crate::segment::{Rot, Segment, SegmentFault, for_each_batch};

/// A fork in memory. Cloning shares what is known about places in the file.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    pub(crate) summary: ForkSummary,
    /// Its batches are read like those of a segment.
    pub(crate) batches: Segment,
}

/// What came of looking at a fork.
type Looked<T> = Result<Result<T, ForkDamage>, DiskError>;

impl Fork {
    pub(crate) fn new(summary: ForkSummary) -> Self {
        let record = SegmentRecord {
            previous: summary.base,
            end: summary.end,
            len: Description::LEN as u64 + summary.bytes,
            first_ms: 0,
            last_ms: 0,
        };
        Self {
            batches: Segment::at(record, Description::LEN as u64),
            summary,
        }
    }

    /// Whether it is the very entry that `other` is a clone of: not a file that was made anew.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.batches.shares_index_with(&other.batches)
    }
}

impl From<Rot> for ForkDamage {
    fn from(rot: Rot) -> Self {
        let Rot {
            after,
            offset,
            detail,
        } = rot;
        Self::Batches {
            after,
            offset,
            detail,
        }
    }
}

/// What is written in front of the batches and behind them.
pub(crate) fn describe(channel: ChannelUid, summary: &ForkSummary) -> (Description, Vec<u8>) {
    let epochs = encode_epochs(&summary.epochs);
    let description = Description {
        channel,
        base: summary.base,
        end: summary.end,
        events: summary.events,
        bytes: summary.bytes,
        // `Content` notes no more than `limits::MAX_FORK_EPOCHS`.
        epochs: u32::try_from(summary.epochs.len()).expect("few epochs are noted"),
        epochs_crc: crc32c(&epochs),
    };
    (description, epochs)
}

/// Reads a fork's description, and none of its batches.
pub(crate) fn load<D: Disk>(
    disk: &D,
    path: &Path,
    channel: ChannelUid,
    id: ForkId,
) -> Looked<Fork> {
    let file = match disk.open(path) {
        Err(error) if error.is_missing() => return Ok(Err(ForkDamage::Missing)),
        other => other?,
    };
    let summary = read_summary(&file, channel, id)?;
    Ok(summary.map(Fork::new).ok_or(ForkDamage::Description))
}

/// Reads all batches of a fork, and holds them against its description.
pub(crate) fn check<F: DiskFile>(
    fork: &Fork,
    file: &F,
    channel: ChannelUid,
    mut each: impl FnMut(&Batch),
) -> Looked<()> {
    let mut content = Content::after(fork.summary.base);
    let walked = for_each_batch(&fork.batches, file, |batch| {
        content.take(batch);
        each(batch);
    });
    match walked {
        Ok(()) => {}
        Err(SegmentFault::Damage(rot)) => return Ok(Err(rot.into())),
        Err(SegmentFault::Disk(error)) => return Err(error),
    }
    let is_described = content.summary(channel) == fork.summary;
    Ok(is_described.then_some(()).ok_or(ForkDamage::Description))
}

/// `None` if the file does not say, intact, that it is this fork.
pub(super) fn read_summary<F: DiskFile>(
    file: &F,
    channel: ChannelUid,
    id: ForkId,
) -> Result<Option<ForkSummary>, DiskError> {
    let mut bytes = [0; Description::LEN];
    if !read_all(file, &mut bytes, 0)? {
        return Ok(None);
    }
    let Some(found) = Description::decode(&bytes) else {
        return Ok(None);
    };
    let is_its_own =
        found.channel == channel && ForkId::derive(channel, found.base.link, found.end.link) == id;
    let mut epochs = vec![0; found.epochs as usize * Description::EPOCH];
    if !is_its_own
        || !read_all(file, &mut epochs, found.batches_end())?
        || crc32c(&epochs) != found.epochs_crc
    {
        return Ok(None);
    }
    Ok(Some(ForkSummary {
        id,
        base: found.base,
        end: found.end,
        epochs: decode_epochs(&epochs),
        events: found.events,
        bytes: found.bytes,
    }))
}

/// Whether the file has so many bytes there, and the disk gives them.
fn read_all<F: DiskFile>(file: &F, buffer: &mut [u8], offset: u64) -> Result<bool, DiskError> {
    match file.read_at(buffer, offset) {
        Ok(read) => Ok(read == buffer.len()),
        Err(error) if error.failure == Failure::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}
