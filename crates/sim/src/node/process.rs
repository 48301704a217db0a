//! The process of a node: the shipped parts that it is made of, and what is between them.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use tetrarch_log::{CrashDisk, Flusher, Group, GroupQueue, Reader, Writer};
use tetrarch_replica::{DiskGauge, beat::BeatHub, shard::Shard};
use tetrarch_wire::{Batch, Boot, LogPosition, ReplicaRole, Seq};

use super::Origin;
use crate::world::ChannelIndex;

/// One start of a node.
pub(crate) struct Process {
    pub(crate) boot: Boot,
    pub(crate) writer: Writer<CrashDisk>,
    pub(crate) flusher: Flusher<CrashDisk>,
    pub(crate) reader: Reader<CrashDisk>,
    pub(crate) queue: GroupQueue<Origin>,
    /// The group that is being written.
    pub(crate) writing: Option<Group<Origin>>,
    pub(crate) hub: BeatHub,
    /// Channels of which the store is to let go, and had not yet when it was last looked at, each with how
    /// often it will have done so then.
    pub(crate) releasing: BTreeMap<ChannelIndex, u64>,
    pub(crate) shard: Shard<Member>,
    pub(crate) gauge: DiskGauge,
    /// The flusher finds no room for what would make room in the log.
    pub(crate) flusher_has_no_room: bool,
    /// A write has found no room since the disk was looked at.
    pub(crate) found_no_room: bool,
    /// Logs whose ends are to be sealed, one after the other.
    pub(crate) sealing: VecDeque<(ChannelIndex, LogPosition)>,
    /// When the next timer of the world goes off for it.
    pub(crate) timer_at: u64,
    /// Whether the turn under way has an end already.
    pub(crate) is_settling: bool,
}

/// What is known of a channel in a process besides its replica.
pub(crate) struct Member {
    pub(crate) channel: ChannelIndex,
    /// The log as the replica has issued it, durable or not.
    pub(crate) shadow: Vec<Rc<Batch>>,
    pub(crate) role: ReplicaRole,
    pub(crate) commit: Seq,
}

impl Member {
    /// A batch was issued.
    pub(crate) fn shadow_append(&mut self, batch: &Batch) {
        while self
            .shadow
            .last()
            .is_some_and(|last| last.last_seq() >= batch.base_seq())
        {
            self.shadow.pop();
        }
        self.shadow.push(Rc::new(batch.clone()));
    }

    /// The batch that holds `seq`, as it was issued.
    pub(crate) fn shadow_at(&self, seq: Seq) -> Option<&Batch> {
        let index = self.shadow.partition_point(|batch| batch.last_seq() < seq);
        let batch = self.shadow.get(index)?;
        (batch.base_seq() <= seq).then_some(&**batch)
    }
}
