//! One node: a replica while it runs, its disk always.

use std::collections::VecDeque;

use tetrarch_replica::{Input, Moment, Now, Recovered, Replica, Settings};
use tetrarch_wire::{Batch, ChannelConfig, ChannelUid, ReplicaRole, Seq, VoterId};

use super::disk::Disk;

/// What a node knows and what is known of it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: VoterId,
    pub(crate) replica: Option<Replica>,
    pub(crate) disk: Disk,
    pub(crate) boot: u64,
    /// Inputs that arrived during a pause.
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) paused_since: Option<u64>,
    /// Milliseconds of a write, at most.
    pub(crate) slowness: u64,
    pub(crate) disk_free_at: u64,
    pub(crate) next_tick: u64,
    /// The log as the replica has issued it: durable or not.
    pub(crate) shadow: Vec<Batch>,
    pub(crate) role: ReplicaRole,
    pub(crate) commit: Seq,
    pub(crate) beat_rows: bool,
}

impl Node {
    pub(crate) fn new(id: VoterId, disk: Disk) -> Self {
        Self {
            id,
            replica: None,
            disk,
            boot: 0,
            inbox: VecDeque::new(),
            paused_since: None,
            slowness: 2,
            disk_free_at: 0,
            next_tick: u64::MAX,
            shadow: Vec::new(),
            role: ReplicaRole::Idle,
            commit: Seq::ZERO,
            beat_rows: false,
        }
    }

    /// Starts with what the disk holds.
    pub(crate) fn start(
        &mut self,
        channel: ChannelUid,
        genesis: &ChannelConfig,
        settings: Settings,
        now: u64,
    ) {
        self.boot += 1;
        let recovered = Recovered {
            hard_state: self.disk.hard_state,
            log_start: self.disk.start,
            tail: self.disk.tail(),
            epochs: self.disk.epochs(),
            commit_hint: self.disk.commit_hint,
            producers: self.disk.snapshot.clone(),
            damaged: false,
        };
        let now = Now {
            mono: Moment::from_nanos(now),
            wall_ms: now / 1_000_000,
        };
        let mut replica =
            Replica::new(self.id, channel, genesis.clone(), settings, recovered, now).unwrap();
        let covered = self.disk.snapshot.as_ref().map_or(Seq::ZERO, |s| s.0);
        for batch in &self.disk.log {
            if batch.base_seq() > covered {
                replica.replay(batch.header(), batch.control().unwrap().as_ref());
            }
        }
        self.replica = Some(replica);
        self.shadow = self.disk.log.clone();
        self.role = ReplicaRole::Idle;
        self.commit = self.disk.start.seq;
        self.paused_since = None;
        self.inbox.clear();
        self.beat_rows = false;
    }

    pub(crate) fn is_running(&self) -> bool {
        self.replica.is_some()
    }

    /// A batch was issued.
    pub(crate) fn shadow_append(&mut self, batch: &Batch) {
        while self
            .shadow
            .last()
            .is_some_and(|last| last.last_seq() >= batch.base_seq())
        {
            self.shadow.pop();
        }
        self.shadow.push(batch.clone());
    }

    pub(crate) fn shadow_at(&self, seq: Seq) -> Option<&Batch> {
        let index = self.shadow.partition_point(|batch| batch.last_seq() < seq);
        self.shadow
            .get(index)
            .filter(|batch| batch.base_seq() <= seq)
    }
}
