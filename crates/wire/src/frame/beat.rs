//! One sign of life per pair of nodes and interval, whatever the number of channels (protocol §6).

use serde::{Deserialize, Serialize};

use super::structure::{Checked, always_valid, check_count};
use crate::{Boot, ChannelUid, DecodeError, Epoch, ReplicaRole, Seq, limits};

/// How full a node's disk is (protocol §12).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum DiskLevel {
    /// Room enough.
    #[default]
    Green,
    /// No new channels; leaders hand over.
    Low,
    /// Channels withdraw.
    Critical,
    /// Nothing can be written.
    Full,
}

impl DiskLevel {
    /// The name in tables, metrics and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Low => "low",
            Self::Critical => "critical",
            Self::Full => "full",
        }
    }
}

/// What a leader says of one of its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBeat {
    /// The channel.
    pub channel: ChannelUid,
    /// The role of the sender; a row whose role is not `Leader` takes the channel out of the table.
    pub role: ReplicaRole,
    /// The epoch it leads.
    pub epoch: Epoch,
    /// Last seq durable on the sender.
    pub durable: Seq,
    /// Last seq in the sender's log.
    pub tail: Seq,
    /// Last committed seq.
    pub commit: Seq,
}

/// A node's sign of life, with the rows of its leadership table that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeBeat {
    /// The sender's start; beats of an earlier one are dropped.
    pub boot: Boot,
    /// Counts the beats of this boot to this peer, from 1.
    pub number: u64,
    /// Page of this beat, from 0, and how many there are: rows that do not fit one datagram.
    pub page: u16,
    /// How many pages the beat has; at least 1.
    pub pages: u16,
    /// The sender's monotonic clock, in nanoseconds.
    pub mono_ns: u64,
    /// The last beat heard from the peer, and how long ago, in microseconds.
    pub echo: Option<(u64, u32)>,
    /// How full the sender's disk is.
    pub disk_level: DiskLevel,
    /// Free bytes on the sender's disk.
    pub free_bytes: u64,
    /// For how long the oldest unfinished write has been waiting, in milliseconds.
    pub wal_stall_ms: u32,
    /// Generation of the leadership table: one more whenever a channel or epoch in it changes.
    pub table_generation: u64,
    /// Rows in the whole table.
    pub table_count: u32,
    /// Hash over (channel, epoch) of the whole table; moving tails do not change it.
    pub table_hash: u64,
    /// The rows that changed.
    pub rows: Vec<ChannelBeat>,
}

impl Checked for NodeBeat {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(
            "number of rows in a beat",
            self.rows.len(),
            limits::MAX_BEAT_ROWS,
        )?;
        if self.page >= self.pages {
            return Err(DecodeError::Invalid {
                what: "node beat",
                why: "its page is beyond its pages",
            });
        }
        Ok(())
    }
}

/// What a follower says of one channel of the beat's sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatAckRow {
    /// The channel.
    pub channel: ChannelUid,
    /// Last seq durable on the sender of the acknowledgement.
    pub durable: Seq,
}

/// The answer to a beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeatAck {
    /// The boot of the beat that is answered.
    pub boot: Boot,
    /// Its number.
    pub number: u64,
    /// The generation of the table that the answering node holds completely.
    pub table_generation_seen: u64,
    /// Channels with news.
    pub rows: Vec<BeatAckRow>,
    /// Channels of the table that the answering node does not follow as the beat says: unknown,
    /// closed, wedged, further on, or led by another. They count for nothing at the leader.
    pub refused: Vec<ChannelUid>,
}

impl Checked for BeatAck {
    fn check(&self) -> Result<(), DecodeError> {
        const WHAT: &str = "number of rows in a beat acknowledgement";
        check_count(WHAT, self.rows.len(), limits::MAX_BEAT_ROWS)?;
        check_count(WHAT, self.refused.len(), limits::MAX_BEAT_ROWS)?;
        Ok(())
    }
}

/// Asks for the whole leadership table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRequest {
    /// The generation that the asking node holds completely.
    pub generation_seen: u64,
}

always_valid!(TableRequest);

/// One page of a whole leadership table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePage {
    /// The sender's start.
    pub boot: Boot,
    /// The generation of the table.
    pub generation: u64,
    /// This page, from 0.
    pub page: u32,
    /// How many pages there are; at least 1.
    pub pages: u32,
    /// The rows of this page.
    pub rows: Vec<ChannelBeat>,
}

impl Checked for TablePage {
    fn check(&self) -> Result<(), DecodeError> {
        check_count(
            "number of rows in a page",
            self.rows.len(),
            limits::MAX_BEAT_ROWS,
        )?;
        if self.page >= self.pages {
            return Err(DecodeError::Invalid {
                what: "leadership table page",
                why: "it is beyond the last page",
            });
        }
        Ok(())
    }
}
