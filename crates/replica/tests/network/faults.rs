//! What goes wrong in a run, and how often: each seed draws its own mixture.

use tetrarch_replica::Settings;

use super::{chance::Dice, world::MS};

/// One fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Crash(usize),
    CrashAll,
    Pause(usize),
    /// Whoever leads crashes.
    CrashLeader,
    /// Whoever leads is cut off from all.
    IsolateLeader,
    Isolate(usize),
    Cut(usize, usize),
    /// Packets from the first to the second vanish.
    Deafen(usize, usize),
    Heal,
    SlowDisk(usize, u64),
    FillDisk(usize),
    FreeDisk(usize),
}

/// The mixture of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) duration: u64,
    loss: u64,
    duplication: u64,
    latency: (u64, u64),
    every: u64,
    weights: [u64; 11],
    pub(crate) transfers: u64,
    pub(crate) trims: u64,
    stopped: bool,
}

impl Plan {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let some = |dice: &mut Dice, most: u64| {
            if dice.permille(500) {
                dice.below(most)
            } else {
                0
            }
        };
        let quick = dice.between(0, 3);
        let seldom = [60, 700, 700][dice.index(3)];
        Self {
            duration: dice.between(3, 9) * 1000 * MS,
            loss: some(dice, 100),
            duplication: some(dice, 100),
            latency: (quick, quick + dice.between(1, 20)),
            every: dice.between(30, seldom),
            weights: std::array::from_fn(|_| some(dice, 100)),
            transfers: some(dice, 100),
            trims: some(dice, 300),
            stopped: false,
        }
    }

    pub(crate) fn settings(&self, dice: &mut Dice) -> Settings {
        Settings {
            recent_bytes: [500, 5_000, 1_000_000][dice.index(3)],
            window_bytes: [400, 4_000, 1_000_000][dice.index(3)],
            window_batches: [1, 4, 1024][dice.index(3)],
            sync_bytes: [300, 3_000, 1_000_000][dice.index(3)],
            persist_bytes: [300, 1_000_000][dice.index(2)],
            producer_window: [40, 1024][dice.index(2)],
            ..Settings::default()
        }
    }

    pub(crate) fn stop(&mut self) {
        self.stopped = true;
        self.loss = 0;
        self.duplication = 0;
        self.transfers = 0;
    }

    pub(crate) fn loses(&self, dice: &mut Dice) -> bool {
        dice.permille(self.loss)
    }

    pub(crate) fn doubles(&self, dice: &mut Dice) -> bool {
        dice.permille(self.duplication)
    }

    pub(crate) fn latency(&self, dice: &mut Dice) -> u64 {
        dice.between(self.latency.0 * MS + 1, self.latency.1 * MS + 2)
    }

    /// The next fault, and when to ask again.
    pub(crate) fn next(&self, nodes: usize, dice: &mut Dice) -> Option<(Fault, u64)> {
        if self.stopped {
            return None;
        }
        let (a, b) = (dice.index(nodes), dice.index(nodes));
        let b = if a == b { (b + 1) % nodes } else { b };
        let faults = [
            Fault::Crash(a),
            Fault::Pause(a),
            Fault::Isolate(a),
            Fault::Cut(a, b),
            Fault::Deafen(a, b),
            Fault::SlowDisk(a, dice.between(1, 400)),
            Fault::FillDisk(a),
            Fault::CrashAll,
            Fault::SlowDisk(a, 2),
            Fault::CrashLeader,
            Fault::IsolateLeader,
        ];
        let total: u64 = self.weights.iter().sum();
        let next = dice.between(1, 2 * self.every) * MS;
        if total == 0 || dice.permille(300) {
            let fault = if dice.permille(700) {
                Fault::Heal
            } else {
                Fault::FreeDisk(a)
            };
            return Some((fault, next));
        }
        let mut pick = dice.below(total);
        for (fault, weight) in faults.into_iter().zip(self.weights) {
            if pick < weight {
                let alone = nodes == 1 && matches!(fault, Fault::Cut(..) | Fault::Deafen(..));
                return Some((if alone { Fault::Heal } else { fault }, next));
            }
            pick -= weight;
        }
        None
    }
}
