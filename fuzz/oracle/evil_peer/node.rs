//! What surrounds the honest replica: its disk, the writes that are under way, and time.

use std::{collections::VecDeque, time::Duration};

use tetrarch_replica::{
    Chance, Context, Effect, Input, LogWrite, Moment, Now, PersistFailure, PersistToken,
    ReadTicket, Replica, Settings,
};
use tetrarch_wire::{LogPosition, Seq};

use super::{cast::Cast, disk::Disk};

/// Most writes that the store lets wait: one more finds no room.
const WRITES: usize = 48;

/// A write under way.
struct Issued {
    token: PersistToken,
    failures: u64,
    writes: Vec<LogWrite>,
}

/// The node of the honest replica.
pub(crate) struct Node {
    pub(crate) replica: Replica,
    pub(crate) disk: Disk,
    pub(crate) settings: Settings,
    pub(crate) now: Duration,
    issued: VecDeque<Issued>,
    /// How many writes have failed since the start.
    failures: u64,
    reads: VecDeque<(ReadTicket, Seq, u32)>,
    dice: Dice,
}

impl Node {
    pub(crate) fn start(cast: &Cast, disk: Disk, at: Duration, seed: u64) -> Self {
        Self {
            replica: begin(cast, &disk, at),
            disk,
            settings: cast.settings.clone(),
            now: at,
            issued: VecDeque::new(),
            failures: 0,
            reads: VecDeque::new(),
            dice: Dice(seed),
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::default().plus(self.now)
    }

    pub(crate) fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        let now = time(self.now);
        self.replica.step(
            input,
            &mut Context {
                now,
                chance: &mut self.dice,
                effects: &mut effects,
            },
        );
        effects
    }

    pub(crate) fn is_writing(&self) -> bool {
        !self.issued.is_empty()
    }

    pub(crate) fn issue(&mut self, token: PersistToken, failures: u64, writes: Vec<LogWrite>) {
        self.issued.push_back(Issued {
            token,
            failures,
            writes,
        });
    }

    /// What becomes of the oldest write. It fails if one before it has failed of which the replica
    /// had not heard, and if `wanted` says so.
    pub(crate) fn finish_write(&mut self, wanted: Option<PersistFailure>) -> Option<Input> {
        let is_full = self.issued.len() > WRITES;
        let issued = self.issued.pop_front()?;
        let token = issued.token;
        let follows_failed = issued.failures != self.failures;
        let no_room = (follows_failed || is_full).then_some(PersistFailure::StorageFull);
        if let Some(failure) = no_room.or(wanted) {
            self.failures += 1;
            return Some(Input::PersistFailed { token, failure });
        }
        self.disk.apply(&issued.writes);
        Some(Input::Persisted { token })
    }

    /// Whether so much waits that the oldest must be finished first.
    pub(crate) fn is_full(&self) -> bool {
        self.issued.len() > WRITES
    }

    pub(crate) fn read_later(&mut self, ticket: ReadTicket, from: Seq, max_bytes: u32) {
        self.reads.push_back((ticket, from, max_bytes));
    }

    /// The oldest read is done.
    pub(crate) fn finish_read(&mut self) -> Option<Input> {
        let (ticket, from, max_bytes) = self.reads.pop_front()?;
        let result = self.disk.read(from, max_bytes);
        Some(Input::LogRead { ticket, result })
    }

    /// The log drops its front, up to a batch that ends at or before `upto`. The store does that in
    /// its turn, after the writes that were issued before.
    pub(crate) fn trim(&mut self, upto: Seq) -> Option<LogPosition> {
        if self.is_writing() {
            return None;
        }
        let kept = self.disk.log.batches.iter();
        let gone = kept.filter(|batch| batch.last_seq() <= upto).last()?;
        let start = gone.position();
        if start.seq <= self.disk.start.seq {
            return None;
        }
        let (seq, snapshot) = self.replica.snapshot();
        if seq < start.seq {
            return None;
        }
        self.disk.snapshot = Some((seq, snapshot));
        self.disk.start = start;
        Some(start)
    }

    /// The process ends, the first `kept` of the writes under way having reached the disk, and
    /// another begins.
    pub(crate) fn restart(&mut self, cast: &Cast, kept: usize) {
        for issued in self.issued.drain(..).take(kept) {
            if issued.failures != self.failures {
                break;
            }
            self.disk.apply(&issued.writes);
        }
        self.failures = 0;
        self.reads.clear();
        self.replica = begin(cast, &self.disk, self.now);
    }
}

/// Makes a replica of what is durable. That must always be possible.
fn begin(cast: &Cast, disk: &Disk, at: Duration) -> Replica {
    let recovered = disk.recovered();
    let covered = covered(disk);
    let (genesis, settings) = (cast.genesis.clone(), cast.settings.clone());
    let mut replica = Replica::new(
        cast.me,
        cast.channel,
        genesis,
        settings,
        recovered,
        time(at),
    )
    .unwrap_or_else(|error| panic!("what was written cannot be recovered: {error}"));
    let batches = disk.log.batches.iter();
    for batch in batches.filter(|batch| batch.last_seq() > covered) {
        let control = batch.control().expect("what is in the log can be read");
        replica.replay(batch.header(), control.as_ref());
    }
    replica
}

/// Up to where a start need not read the log.
fn covered(disk: &Disk) -> Seq {
    let snapshot = disk.snapshot.as_ref().map_or(Seq::ZERO, |(seq, _)| *seq);
    snapshot.max(disk.start.seq)
}

fn time(at: Duration) -> Now {
    Now {
        mono: Moment::default().plus(at),
        wall_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Jitter of elections.
struct Dice(u64);

impl Chance for Dice {
    fn next_u64(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 16
    }
}
