//! One node: its disk always, and a process while it runs.

mod beats;
mod catalog;
mod damage;
mod disk_watch;
mod effects;
mod forks;
mod lifetime;
mod mending;
mod process;
mod start;
mod store;
mod turn;

use std::{collections::VecDeque, path::Path, sync::Arc};

use bytes::Bytes;
use tetrarch_log::{CrashDisk, Failure, LogError, OpenedStore, StoreIdentity, StoreOptions};
use tetrarch_replica::beat::Keeper;
use tetrarch_wire::{ClusterId, LogPosition, NodeId, StoreId, Voter, VoterId};

pub(crate) use catalog::SimCatalog;
pub(crate) use process::{Member, Process};
pub(crate) use store::Origin;

use crate::{
    check::Expected,
    clock::Clock,
    dice::Dice,
    swarm::Swarm,
    world::{Channel, Event},
};

/// The data directory of every node.
const DIR: &str = "/data";

/// The task of a node that owns its channels.
const KEEPER: Keeper = Keeper::new(0);

/// Milliseconds that a read takes at most while nothing is wrong.
pub(crate) const FASTEST_READ: u64 = 10;

/// What exists of a node whether it runs or not.
pub(crate) struct Node {
    pub(crate) voter: VoterId,
    options: StoreOptions,
    pub(crate) disk: CrashDisk,
    /// What the disk must hold of each channel; `None` for those that are not here.
    pub(crate) expected: Vec<Option<Expected>>,
    /// Groups of which nobody was told whether they are durable, in order: the first few are, each
    /// as a whole.
    pub(crate) interrupted: Vec<Vec<Origin>>,
    pub(crate) process: Option<Process>,
    /// Counts the starts.
    pub(crate) starts: u64,
    /// Since when the process stands still, and what waits for it.
    pub(crate) paused_since: Option<u64>,
    pub(crate) waiting: VecDeque<Event>,
    pub(crate) clock: Clock,
    /// Milliseconds that a write takes at most.
    pub(crate) slowness: u64,
    /// Milliseconds that a read takes at most.
    pub(crate) slowness_of_reads: u64,
    /// So many bytes are left by whoever fills the disk, if somebody does.
    pub(crate) room: Option<u64>,
    /// Syncs that were told to fail, and perhaps have not yet.
    pub(crate) sync_fails: u32,
    /// The same of a write.
    pub(crate) write_fails: bool,
    /// After how many steps of the disk the power goes while the node starts.
    pub(crate) power_ends_in_start: Option<u64>,
    /// A start ended before anybody was told what it had found, and what it did about that may be durable.
    pub(crate) start_ended_early: bool,
}

impl Node {
    /// Who a node is.
    pub(crate) fn voter(index: usize) -> Voter {
        let byte = u8::try_from(index + 1).expect("there are few nodes");
        Voter {
            node: NodeId::from_bytes([byte; 16]),
            store: StoreId::from_bytes([byte; 16]),
        }
    }

    /// A node with an empty store.
    pub(crate) fn format(
        index: usize,
        channels: &[Channel],
        swarm: &Swarm,
        dice: &mut Dice,
    ) -> Self {
        let voter = Self::voter(index);
        let identity = StoreIdentity {
            cluster: ClusterId::from_bytes([9; 16]),
            node: voter.node,
            store: voter.store,
            name: format!("n{index}"),
            genesis: Bytes::from_static(b"simulated"),
        };
        let disk = CrashDisk::new();
        tetrarch_log::format(&disk, Path::new(DIR), &identity)
            .expect("nothing fails on an empty disk");
        let expected = channels.iter().map(|channel| {
            let origin = LogPosition::origin(channel.genesis.genesis_link());
            channel
                .holders
                .contains(&index)
                .then(|| Expected::new(origin))
        });
        Self {
            voter: voter.id(),
            options: swarm.store.clone(),
            disk,
            expected: expected.collect(),
            interrupted: Vec::new(),
            process: None,
            starts: 0,
            paused_since: None,
            waiting: VecDeque::new(),
            clock: Clock::draw(swarm, dice),
            slowness: 2,
            slowness_of_reads: FASTEST_READ,
            room: None,
            sync_fails: 0,
            write_fails: false,
            power_ends_in_start: None,
            start_ended_early: false,
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The process, if it is that start of it.
    pub(crate) fn process_of(&mut self, start: u64) -> Option<&mut Process> {
        let runs = self.starts == start;
        self.process.as_mut().filter(|_| runs)
    }

    fn open(&self) -> Result<OpenedStore<CrashDisk>, LogError> {
        let disk = Arc::new(self.disk.clone());
        tetrarch_log::open(disk, Path::new(DIR), self.options.clone())
    }

    /// After which step of its disk the power goes in the start that begins now.
    fn power_ends_in_start(&mut self) -> u64 {
        let Some(steps) = self.power_ends_in_start.take() else {
            return u64::MAX;
        };
        let end = self.disk.steps() + steps;
        self.disk.cut_power_at(end);
        end
    }

    /// Whether the disk has a reason to refuse a start: it is full, or a sync was to fail.
    fn may_refuse(&mut self, failure: Failure) -> bool {
        match failure {
            Failure::StorageFull => self.room.is_some() || std::mem::take(&mut self.write_fails),
            Failure::Fatal => {
                let expected = self.sync_fails > 0;
                self.sync_fails = self.sync_fails.saturating_sub(1);
                expected
            }
            Failure::Retryable | Failure::Corrupt => false,
        }
    }

    /// Whatever waits for its occasion to fail does not any more.
    pub(crate) fn nothing_fails_any_more(&mut self) {
        self.disk.fail_nothing_more();
        self.sync_fails = 0;
        self.write_fails = false;
    }

    /// Somebody fills the disk but for so many bytes, or there is room from now on.
    pub(crate) fn set_room(&mut self, room: Option<u64>) {
        self.room = room;
        self.disk.set_room(room.unwrap_or(1 << 32));
    }
}
