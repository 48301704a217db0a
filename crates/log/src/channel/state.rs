//! A channel's checkpoint: everything about it but the events, kept in two copies. What it says is
//! durable; the WAL has the rest.

use serde::{Deserialize, Serialize};
use tetrarch_wire::{ChannelConfig, ChannelUid, EpochStart, HardState, LogPosition, Seq};

use crate::Damage;
use crate::disk::{Disk, DiskError};
use crate::lsn::Lsn;
use crate::store::layout::Layout;
use crate::store::slot::{self, Copy};

/// One segment, as the checkpoint knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentRecord {
    /// The position before its first batch.
    pub(crate) previous: LogPosition,
    /// The position of its last batch.
    pub(crate) end: LogPosition,
    /// Bytes of the file that count.
    pub(crate) len: u64,
    /// Time of its first batch.
    pub(crate) first_ms: u64,
    /// Latest time of a batch in it.
    pub(crate) last_ms: u64,
}

/// A channel's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChannelState {
    pub(crate) name: String,
    pub(crate) genesis: ChannelConfig,
    pub(crate) hard_state: HardState,
    pub(crate) commit_hint: Seq,
    pub(crate) trim_upto: Seq,
    pub(crate) log_start: LogPosition,
    pub(crate) epochs: Vec<EpochStart>,
    pub(crate) segments: Vec<SegmentRecord>,
    /// The last record whose effect all of this includes.
    pub(crate) applied: Lsn,
    pub(crate) halted: Option<Damage>,
    /// This store has let go of the channel. Only what it has promised is left.
    pub(crate) is_released: bool,
    /// How far the log went, by rank, before this store let go of it.
    pub(crate) reached: LogPosition,
    /// How often it has.
    pub(crate) releases: u64,
}

impl ChannelState {
    /// End of the log in the segments.
    pub(crate) fn tail(&self) -> LogPosition {
        self.segments
            .last()
            .map_or(self.log_start, |segment| segment.end)
    }

    /// Keeps the state in both copies.
    pub(crate) fn save<D: Disk>(
        &self,
        disk: &D,
        layout: &Layout,
        channel: ChannelUid,
        generation: u64,
    ) -> Result<(), DiskError> {
        let paths = layout.state(channel);
        slot::write(disk, &paths, channel.as_bytes(), generation, &self.encode())
    }

    /// Writes one of the copies, 0 or 1, without syncing it.
    pub(crate) fn write_copy<D: Disk>(
        &self,
        disk: &D,
        layout: &Layout,
        channel: ChannelUid,
        generation: u64,
        copy: usize,
    ) -> Result<D::File, DiskError> {
        let path = &layout.state(channel)[copy];
        slot::write_copy(disk, path, channel.as_bytes(), generation, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        // Serialising to memory fails only for types that refuse to be serialised; these do not.
        postcard::to_allocvec(self).expect("a channel's state serialises")
    }

    /// Both copies, as they are.
    pub(crate) fn copies<D: Disk>(
        disk: &D,
        layout: &Layout,
        channel: ChannelUid,
    ) -> Result<[Copy; 2], DiskError> {
        slot::read(disk, &layout.state(channel), channel.as_bytes())
    }

    /// The newest of the copies with its generation; `None` if neither can be read.
    pub(crate) fn newest(copies: &[Copy; 2]) -> Option<(u64, Self)> {
        let (generation, value) = slot::newest(copies)?;
        let state = postcard::from_bytes(&value).ok()?;
        Some((generation, state))
    }
}
