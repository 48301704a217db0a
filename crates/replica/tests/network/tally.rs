//! What a run has seen, so that a test which never met what it is about fails.

use std::collections::BTreeMap;

/// What a run has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) acked: u64,
    pub(crate) elections: u64,
    pub(crate) truncations: u64,
    pub(crate) reads: u64,
    pub(crate) crashes: u64,
    pub(crate) pulls: u64,
    pub(crate) handovers: u64,
    pub(crate) indeterminate: u64,
    pub(crate) storage_full: u64,
    pub(crate) duplicates: u64,
    pub(crate) trims: u64,
    pub(crate) transitions: BTreeMap<String, u64>,
    pub(crate) hash: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.acked += other.acked;
        self.elections += other.elections;
        self.truncations += other.truncations;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.pulls += other.pulls;
        self.handovers += other.handovers;
        self.indeterminate += other.indeterminate;
        self.storage_full += other.storage_full;
        self.duplicates += other.duplicates;
        self.trims += other.trims;
        for (name, count) in &other.transitions {
            *self.transitions.entry(name.clone()).or_default() += count;
        }
        self.hash ^= other.hash;
    }

    /// A test that never met what it is about proves nothing.
    pub(crate) fn assert_everything_happened(&self) {
        let counts = [
            ("acked", self.acked),
            ("elections", self.elections),
            ("truncations", self.truncations),
            ("reads", self.reads),
            ("crashes", self.crashes),
            ("pulls", self.pulls),
            ("handovers", self.handovers),
            ("indeterminate", self.indeterminate),
            ("storage_full", self.storage_full),
            ("duplicates", self.duplicates),
            ("trims", self.trims),
        ];
        for (name, count) in counts {
            assert!(count > 0, "no seed met {name}");
        }
    }
}
