//! What a run has seen: a run that never met what it is about proves nothing.

use std::collections::BTreeMap;

use tetrarch_fsm::{LEGAL_TRANSITIONS, StateTransition};
use tetrarch_wire::{ReplicaRole, frame::RefusalReason};

/// Counts of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) events: u64,
    pub(crate) steps: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost_packets: u64,
    /// Virtual time.
    pub(crate) nanoseconds: u64,
    counts: BTreeMap<String, u64>,
}

impl Tally {
    /// It happened.
    pub(crate) fn count(&mut self, what: &str) {
        match self.counts.get_mut(what) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(what.to_owned(), 1);
            }
        }
    }

    /// A role changed.
    pub(crate) fn transition(&mut self, t: &StateTransition) {
        self.count(&transition_name(t.from(), t.to(), t.signal().name()));
    }

    /// A vote was refused.
    pub(crate) fn refusal(&mut self, refusal: RefusalReason) {
        self.count(&format!("vote refused: {refusal:?}"));
    }

    /// A fault struck a node in this role.
    pub(crate) fn fault(&mut self, fault: &str, role: ReplicaRole) {
        self.count(&fault_name(fault, role));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.steps += other.steps;
        self.acknowledged += other.acknowledged;
        self.lost_packets += other.lost_packets;
        self.nanoseconds += other.nanoseconds;
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    /// Everything that was counted, by name.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts
            .iter()
            .map(|(what, count)| (what.as_str(), *count))
    }

    /// What a run of many seeds must have met and has met less often than `least` times.
    pub(crate) fn missed(&self, least: u64) -> Vec<String> {
        let transitions = LEGAL_TRANSITIONS
            .iter()
            .filter(|(_, _, signal)| is_built(signal.name()))
            .filter(|(from, to, _)| from != to)
            .map(|(from, to, signal)| transition_name(*from, *to, signal.name()));
        let faults = FAULTS.iter().flat_map(|fault| {
            let running = [
                ReplicaRole::Leader,
                ReplicaRole::Replica,
                ReplicaRole::Candidate,
            ];
            running.map(|role| fault_name(fault, role))
        });
        let (answers, events): (Vec<&str>, Vec<&str>) = EVENTS
            .iter()
            .partition(|event| event.starts_with("nack") || event.starts_with("vote refused"));
        // What a run is about it must have met often; what strikes it, often enough to be tried.
        let often = transitions.chain(answers.into_iter().map(str::to_owned));
        let tried = faults.chain(events.into_iter().map(str::to_owned));
        let often = often.map(|what| (what, least));
        let tried = tried.map(|what| (what, least.min(TRIED)));
        often
            .chain(tried)
            .filter(|(what, least)| self.counts.get(what).copied().unwrap_or(0) < *least)
            .map(|(what, _)| what)
            .collect()
    }
}

/// How often a fault must have struck each role, and everything else must have happened, at most.
const TRIED: u64 = 20;

/// What must strike a node in each role that takes part.
const FAULTS: [&str; 12] = [
    "power cut",
    "kill",
    "stop",
    "pause",
    "isolation",
    "one-way loss",
    "clogged link",
    "full disk",
    "short write",
    "failed sync",
    "failed reads",
    "damage",
];

/// What else must happen.
const EVENTS: [&str; 30] = [
    "channels created",
    "channels deleted",
    "nodes that were left behind",
    "handovers",
    "failed handovers",
    "truncations",
    "trims",
    "pulled chunks",
    "linearizable reads",
    "consumed batches",
    "duplicates",
    "indeterminate answers",
    "connections that timed out",
    "groups without room",
    "groups found that nobody was told of",
    "groups written and not told",
    "full write-ahead logs",
    "starts that the disk refused",
    "power cuts during a start",
    "damage that was noticed",
    "leaders struck at once",
    "deposed leaders asked",
    "nack gap",
    "nack diverged",
    "nack stale",
    "nack disk pressure",
    "vote refused: LeaderAlive",
    "vote refused: Log",
    "vote refused: Stale",
    "vote refused: Voted",
];

fn fault_name(fault: &str, role: ReplicaRole) -> String {
    format!("fault: {fault} at a {}", role.name())
}

fn transition_name(from: ReplicaRole, to: ReplicaRole, signal: &str) -> String {
    format!("{} -> {} ({signal})", from.name(), to.name())
}

/// Whether a signal can happen at all as yet: no replica set changes.
fn is_built(signal: &str) -> bool {
    !signal.contains("Placement")
}
