//! What a run is like: sizes, rates and faults, drawn anew for each seed, so that no two runs try
//! the same mixture (swarm testing; ranges of proof §20.3).

use std::time::Duration;

use tetrarch_log::StoreOptions;
use tetrarch_replica::Settings;

use crate::{dice::Dice, world::MS};

/// Upper bounds of what a seed may draw.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) nodes: usize,
    pub(crate) channels: usize,
    pub(crate) clients: usize,
    /// How many faults strike, at most.
    pub(crate) faults: u64,
    /// Seconds of chaos, at most.
    pub(crate) seconds: u64,
}

impl Limits {
    /// Whether none of these is larger than `others`, and one is smaller.
    pub(crate) fn are_within(&self, others: &Self) -> bool {
        let pairs = [
            (self.nodes as u64, others.nodes as u64),
            (self.channels as u64, others.channels as u64),
            (self.clients as u64, others.clients as u64),
            (self.faults, others.faults),
            (self.seconds, others.seconds),
        ];
        pairs.iter().all(|(mine, theirs)| mine <= theirs)
            && pairs.iter().any(|(mine, theirs)| mine < theirs)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes: 7,
            channels: 6,
            clients: 16,
            faults: u64::MAX,
            seconds: u64::MAX,
        }
    }
}

/// One fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    CutPower(usize),
    CutAllPower,
    /// The power of a node that leads something.
    CutPowerOfLeader,
    Kill(usize),
    /// The node is stopped in good order: it hands over what it leads, and closes its channels.
    Stop(usize),
    Pause(usize),
    Isolate(usize),
    IsolateLeader,
    /// Two parts, each node in one of them.
    Partition,
    /// Two parts that both see this node.
    Bridge(usize),
    Cut(usize, usize),
    /// Packets from the first to the second vanish.
    Deafen(usize, usize),
    /// Packets from the first to the second wait so long.
    Clog(usize, usize, u64),
    Heal,
    SlowDisk(usize, u64),
    /// Reads take up to so many milliseconds, longer than leaders may last.
    SlowReads(usize, u64),
    /// Somebody fills the disk but for so many bytes.
    FillDisk(usize, u64),
    FreeDisk(usize),
    /// The next write to files of this name stops after so many bytes with this error number.
    FailWrite(usize, &'static str, usize, i32),
    FailSync(usize, &'static str),
    /// Reads of files of this name fail until the disk is mended.
    FailReads(usize, &'static str),
    /// The power goes while the node starts the next time, after so many steps of its disk.
    CutPowerAtStart(usize, u64),
    /// Bytes that were durable are not what they were any more.
    Damage(usize),
    StepWallClock(usize, i64),
}

impl Fault {
    /// The node beside which it is drawn.
    pub(crate) const fn place(self) -> usize {
        match self {
            Self::CutPower(node)
            | Self::Kill(node)
            | Self::Stop(node)
            | Self::Pause(node)
            | Self::Isolate(node)
            | Self::Bridge(node)
            | Self::Cut(node, _)
            | Self::Deafen(node, _)
            | Self::Clog(node, ..)
            | Self::SlowDisk(node, _)
            | Self::SlowReads(node, _)
            | Self::FillDisk(node, _)
            | Self::FreeDisk(node)
            | Self::FailWrite(node, ..)
            | Self::FailSync(node, _)
            | Self::FailReads(node, _)
            | Self::CutPowerAtStart(node, _)
            | Self::Damage(node)
            | Self::StepWallClock(node, _) => node,
            Self::CutAllPower
            | Self::CutPowerOfLeader
            | Self::IsolateLeader
            | Self::Partition
            | Self::Heal => 0,
        }
    }
}

/// Parts of the names of files that writes and syncs fail for: half of the time the log.
const FILES: [&str; 6] = ["wal", "wal", "wal", "seg-", "state", ""];
/// The error numbers of Linux for a disk without room, and for one that does not work.
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EIO: i32 = 5;

/// How many kinds of faults a seed weighs against each other.
const KINDS: usize = 23;

/// The mixture of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    pub(crate) nodes: usize,
    pub(crate) channels: usize,
    pub(crate) producers: usize,
    pub(crate) consumers: usize,
    /// Nanoseconds of chaos.
    pub(crate) duration: u64,
    /// Of a thousand packets.
    pub(crate) loss: u64,
    /// Of a thousand packets.
    pub(crate) duplication: u64,
    latency: (u64, u64),
    every: u64,
    weights: [u64; KINDS],
    faults_left: u64,
    /// New leaders, of a thousand, that are struck at once.
    pub(crate) hunted: u64,
    /// Channels, of a thousand, that are created while the run goes on.
    pub(crate) late_births: u64,
    /// Channels, of a thousand, that are deleted.
    pub(crate) deaths: u64,
    /// Handovers, of a thousand tenths of a second.
    pub(crate) transfers: u64,
    /// Trims, of a thousand tenths of a second.
    pub(crate) trims: u64,
    /// Moves of a channel to other nodes, of a thousand tenths of a second.
    pub(crate) moves: u64,
    has_moves: bool,
    /// Channels, of a thousand, that are of the class `available`.
    pub(crate) available: u64,
    /// How wrong clocks run, at most.
    pub(crate) drift_ppm: u64,
    /// Milliseconds between two requests of a producer, about.
    pub(crate) pace: u64,
    pub(crate) store: StoreOptions,
    /// For how long there must be room again before who has withdrawn comes back.
    pub(crate) dwell: Duration,
    is_over: bool,
}

impl Swarm {
    pub(crate) fn draw(dice: &mut Dice, limits: &Limits) -> Self {
        let quick = dice.between(0, 3);
        let seldom = dice.pick(&[60, 700, 700, 2_000]);
        let latest = quick + dice.pick(&[1, 5, 20, 20, 100]);
        Self {
            nodes: dice.pick(&[3, 3, 3, 3, 5, 5, 7, 1, 2, 4]).min(limits.nodes),
            channels: dice.pick(&[1, 1, 1, 2, 3, 6]).min(limits.channels),
            producers: dice.pick(&[1, 1, 2, 3, 4, 8]).min(limits.clients),
            consumers: dice.pick(&[0, 1, 2, 4]).min(limits.clients),
            duration: (dice.between(6, 18) * 10).min(limits.seconds) * 1_000 * MS,
            loss: some(dice, 100),
            duplication: some(dice, 100),
            latency: (quick, latest.max(quick + 1)),
            every: dice.between(30, seldom),
            weights: std::array::from_fn(|_| some(dice, 100)),
            faults_left: limits.faults,
            hunted: some(dice, 900),
            late_births: some(dice, 1_000),
            deaths: some(dice, 300),
            transfers: some(dice, 100),
            trims: some(dice, 300),
            moves: 0,
            has_moves: false,
            available: 0,
            drift_ppm: dice.pick(&[0, 100, 1_000]),
            pace: dice.pick(&[5, 20, 100, 400]),
            store: store(dice),
            dwell: Duration::from_secs(dice.pick(&[0, 1, 3])),
            is_over: false,
        }
    }

    /// Channels move to other nodes in some of the seeds.
    pub(crate) fn draw_moves(&mut self, dice: &mut Dice) {
        if self.nodes > 3 && dice.permille(600) {
            self.moves = dice.between(2, 40);
            self.has_moves = true;
            self.trims = dice.pick(&[0, 300, 900]);
            if self.trims > 0 {
                // Little is enough to be dropped, so that who comes must begin where the others do.
                self.store.segment_bytes = 4 * 1024;
                self.store.flush_trigger_bytes = 4 * 1024;
            }
        }
    }

    /// Channels are of the class `available` in some of the others. What is damaged there is lost with its
    /// disk, and a part of a log that is gone tells nothing of its events.
    pub(crate) fn draw_classes(&mut self, dice: &mut Dice) {
        const DAMAGE: [usize; 2] = [19, 21];
        if !self.has_moves && dice.permille(300) {
            self.available = dice.pick(&[400, 1_000]);
            self.trims = 0;
            for kind in DAMAGE {
                self.weights[kind] = 0;
            }
        }
    }

    pub(crate) fn settings(&self, dice: &mut Dice) -> Settings {
        // A leader that is struck when it is young should have batches of older epochs on their way
        // one by one.
        let one_by_one = self.hunted > 0 && dice.permille(500);
        let windows: &[usize] = if one_by_one { &[1] } else { &[1, 4, 1024] };
        Settings {
            recent_bytes: dice.pick(&[500, 5_000, 1_000_000]),
            window_bytes: dice.pick(&[400, 4_000, 1_000_000]),
            window_batches: dice.pick(windows),
            sync_bytes: dice.pick(&[300, 3_000, 1_000_000]),
            persist_bytes: dice.pick(&[300, 100_000]).min(self.request_limit()),
            frame_bytes: dice.pick(&[3_000, 64_000]),
            producer_window: dice.pick(&[40, 1024]),
            ..Settings::default()
        }
    }

    /// Bytes that somebody who fills a disk leaves: next to nothing, or enough to go on for a while.
    pub(crate) fn room(&self, dice: &mut Dice) -> u64 {
        dice.pick(&[64 * 1024, 64 * 1024, 3 * self.wal_file_bytes()])
    }

    /// As a writer has it: no request is larger than a file.
    fn request_limit(&self) -> usize {
        usize::try_from(self.wal_file_bytes() / 4).unwrap_or(usize::MAX)
    }

    pub(crate) fn wal_file_bytes(&self) -> u64 {
        self.store.wal_file_bytes_on(0)
    }

    /// The dwell in nanoseconds.
    pub(crate) fn dwell_ns(&self) -> u64 {
        self.dwell.as_secs() * 1_000 * MS
    }

    /// Whether channels move in this run.
    pub(crate) const fn may_move(&self) -> bool {
        self.has_moves
    }

    /// No fault from now on, and a network that loses nothing.
    pub(crate) fn stop(&mut self) {
        self.is_over = true;
        self.loss = 0;
        self.duplication = 0;
        self.hunted = 0;
        self.transfers = 0;
        self.moves = 0;
        self.latency = (0, 20.min(self.latency.1));
    }

    pub(crate) fn latency(&self, dice: &mut Dice) -> u64 {
        dice.between(self.latency.0 * MS + 20_000, self.latency.1 * MS + 100_000)
    }

    /// The next fault, and when to ask again.
    pub(crate) fn next_fault(&mut self, dice: &mut Dice) -> Option<(Fault, u64)> {
        if self.is_over || self.faults_left == 0 {
            return None;
        }
        self.faults_left -= 1;
        let next = dice.between(1, 2 * self.every) * MS;
        Some((self.choose(dice), next))
    }

    fn choose(&self, dice: &mut Dice) -> Fault {
        let a = dice.index(self.nodes);
        let b = dice.index(self.nodes);
        let b = if a == b { (b + 1) % self.nodes } else { b };
        let total: u64 = self.weights.iter().sum();
        if total == 0 || dice.permille(300) {
            return if dice.permille(700) {
                Fault::Heal
            } else {
                Fault::FreeDisk(a)
            };
        }
        let hour = 3_600_000;
        let step = i64::try_from(dice.below(2 * hour)).unwrap_or(0) - 3_600_000;
        let faults: [Fault; KINDS] = [
            Fault::CutPower(a),
            Fault::Pause(a),
            Fault::Isolate(a),
            Fault::Cut(a, b),
            Fault::Deafen(a, b),
            Fault::SlowDisk(a, dice.between(1, 400)),
            Fault::FillDisk(a, self.room(dice)),
            Fault::CutAllPower,
            Fault::SlowDisk(a, 2),
            Fault::CutPowerOfLeader,
            Fault::IsolateLeader,
            Fault::Kill(a),
            Fault::Stop(a),
            Fault::Partition,
            Fault::Bridge(a),
            Fault::Clog(a, b, dice.below(5_000) * MS),
            Fault::StepWallClock(a, step),
            Fault::FailSync(a, dice.pick(&FILES)),
            Fault::FailWrite(
                a,
                dice.pick(&FILES),
                dice.index(20_000),
                dice.pick(&[ENOSPC, ENOSPC, ENOSPC, EIO]),
            ),
            Fault::FailReads(a, dice.pick(&["seg-", "idx", ""])),
            Fault::CutPowerAtStart(a, dice.below(60)),
            Fault::Damage(a),
            Fault::SlowReads(a, dice.pick(&[10, 500, 3_000])),
        ];
        let mut pick = dice.below(total);
        for (fault, weight) in faults.into_iter().zip(self.weights) {
            if pick < weight {
                let alone = self.nodes == 1
                    && matches!(fault, Fault::Cut(..) | Fault::Deafen(..) | Fault::Clog(..));
                return if alone { Fault::Heal } else { fault };
            }
            pick -= weight;
        }
        Fault::Heal
    }
}

/// Half of the seeds know nothing of it at all.
fn some(dice: &mut Dice, most: u64) -> u64 {
    if dice.permille(500) {
        dice.below(most)
    } else {
        0
    }
}

/// Everything small, so that files fill up quickly.
fn store(dice: &mut Dice) -> StoreOptions {
    const KIB: u64 = 1024;
    StoreOptions {
        wal_file_bytes: Some(dice.pick(&[256, 512]) * KIB),
        wal_files_max: dice.pick(&[2, 3, 4]),
        group_max_bytes: dice.pick(&[64, 128]) * 1024,
        pending_max_bytes: dice.pick(&[256, 512]) * KIB,
        flush_trigger_bytes: dice.pick(&[4, 64]) * KIB,
        segment_bytes: dice.pick(&[8, 32, 256]) * KIB,
        index_interval_bytes: dice.pick(&[1, 4]) * KIB,
        ballast_bytes: Some(128 * KIB),
        open_files_max: 4,
        segment_sync_bytes: 16 * KIB,
        ..StoreOptions::default()
    }
}
