//! The snapshot of a channel: opaque here, written whole, replaced by rename.
//!
//! ```text
//! offset 0         4       8       16      20
//!        magic u32│ver u32│seq u64│len u32│crc u32│bytes
//! ```

use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes};
use tetrarch_wire::checksum::{crc32c, crc32c_append};
use tetrarch_wire::{ChannelUid, Seq, limits::MAX_SNAPSHOT_BYTES};

use super::Flusher;
use crate::disk::{Disk, DiskError, DiskFile, Failure};
use crate::shared::Shared;
use crate::store::layout::{Layout, UNFINISHED};
use crate::{FlushProgress, LogError};

const MAGIC: u32 = u32::from_le_bytes(*b"TTPS");
const VERSION: u32 = 1;
const HEADER: usize = 24;
const CRC_AT: usize = 20;

impl<D: Disk> Flusher<D> {
    /// Keeps a snapshot of a channel as of `seq`, in place of the one before. It may be ahead of the log,
    /// which may begin with it.
    ///
    /// Which `holding` of the channel it is of is counted by how often the store has let go of it: it may
    /// have done so since the snapshot was made.
    ///
    /// # Errors
    /// If the store does not hold the channel, or another time than then, the snapshot is too large, or the
    /// disk refuses; the snapshot before is then still there.
    pub fn save_snapshot(
        &mut self,
        channel: ChannelUid,
        holding: u64,
        seq: Seq,
        bytes: &[u8],
    ) -> Result<(), LogError> {
        self.shared.check_poison()?;
        if bytes.len() > MAX_SNAPSHOT_BYTES {
            return Err(LogError::TooLarge {
                what: "a snapshot",
                size: bytes.len(),
                limit: MAX_SNAPSHOT_BYTES,
            });
        }
        let found = self
            .shared
            .channel(channel)
            .ok_or(LogError::UnknownChannel { channel })?;
        {
            let view = found.view();
            if view.is_released {
                return Err(LogError::UnknownChannel { channel });
            }
            if view.releases != holding {
                let (of, now) = (holding, view.releases);
                return Err(LogError::OtherHolding { channel, of, now });
            }
        }
        // A snapshot is as durable as the name of the directory that it is in, and one of an earlier
        // holding goes first.
        let is_outdated = found.view().has_outdated_snapshot();
        if is_outdated || !found.files().is_checkpointed() {
            let mut progress = FlushProgress::default();
            self.checkpoint(&[found], &mut progress)?;
        }
        self.retire()?;
        let saved = save(&*self.shared.disk, &self.shared.layout, channel, seq, bytes);
        saved.map_err(|error| self.shared.poison_if_fatal(error))
    }
}

fn save<D: Disk>(
    disk: &D,
    layout: &Layout,
    channel: ChannelUid,
    seq: Seq,
    bytes: &[u8],
) -> Result<(), DiskError> {
    let path = layout.snapshot(channel);
    let unfinished = path.with_extension(UNFINISHED);
    match disk.remove(&unfinished) {
        Err(error) if error.is_missing() => {}
        other => other?,
    }
    let file = disk.create(&unfinished)?;
    let header = encode_header(channel, seq, bytes);
    file.write_at(&[IoSlice::new(&header), IoSlice::new(bytes)], 0)?;
    file.sync_data()?;
    disk.rename(&unfinished, &path)?;
    disk.sync_dir(&layout.channel_dir(channel))
}

/// The store has let go of the log, so nothing may stand for its beginning. Before the checkpoint says so:
/// until then a start lets go once more, and does not miss what is gone.
pub(super) fn forget<D: Disk>(shared: &Shared<D>, channel: ChannelUid) -> Result<(), DiskError> {
    match shared.disk.remove(&shared.layout.snapshot(channel)) {
        Err(error) if error.is_missing() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => shared.disk.sync_dir(&shared.layout.channel_dir(channel)),
    }
}

fn encode_header(channel: ChannelUid, seq: Seq, bytes: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let mut fields = &mut header[..CRC_AT];
    fields.put_u32_le(MAGIC);
    fields.put_u32_le(VERSION);
    fields.put_u64_le(seq.get());
    fields.put_u32_le(u32::try_from(bytes.len()).expect("a snapshot is bounded"));
    let crc = checksum(channel, &header[..CRC_AT], bytes);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn checksum(channel: ChannelUid, header: &[u8], bytes: &[u8]) -> u32 {
    crc32c_append(crc32c_append(crc32c(channel.as_bytes()), header), bytes)
}

/// A channel's snapshot: `Ok(None)` if there is none, `Err(None)` if it cannot be
/// read any more.
pub(crate) fn load<D: Disk>(
    disk: &D,
    layout: &Layout,
    channel: ChannelUid,
) -> Result<Option<(Seq, Bytes)>, Option<DiskError>> {
    let file = match disk.open(&layout.snapshot(channel)) {
        Err(error) if error.is_missing() => return Ok(None),
        other => other?,
    };
    match read(&file, channel) {
        Ok(Some(snapshot)) => Ok(Some(snapshot)),
        Ok(None) => Err(None),
        Err(error) if error.failure == Failure::Corrupt => Err(None),
        Err(error) => Err(Some(error)),
    }
}

fn read<F: DiskFile>(file: &F, channel: ChannelUid) -> Result<Option<(Seq, Bytes)>, DiskError> {
    let mut header = [0; HEADER];
    if file.read_at(&mut header, 0)? < HEADER {
        return Ok(None);
    }
    let mut fields = &header[..];
    let genuine = fields.get_u32_le() == MAGIC && fields.get_u32_le() == VERSION;
    let seq = Seq::new(fields.get_u64_le());
    let len = fields.get_u32_le() as usize;
    let crc = fields.get_u32_le();
    if !genuine || len as u64 > file.len()? {
        return Ok(None);
    }
    let mut bytes = vec![0; len];
    let whole = file.read_at(&mut bytes, HEADER as u64)? == len;
    let intact = whole && checksum(channel, &header[..CRC_AT], &bytes) == crc;
    Ok(intact.then(|| (seq, bytes.into())))
}
