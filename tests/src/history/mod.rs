//! What clients did and saw while a mesh was in trouble, and whether one log explains it.
//!
//! An append-only log whose positions are returned needs no search for a linearization: the
//! positions are one. [`History::check`] verifies it in O(n log n), rule by rule, against the log
//! that the nodes tell in the end. Every [`Violation`] names the operation that broke a rule.
//!
//! | rule | says | checked in |
//! |---|---|---|
//! | 1 | acknowledged positions are unique and hold what was sent, in the epoch that was told | placement |
//! | 2 | what was acknowledged before another append began lies before it | order |
//! | 3 | a read is a slice of the final log without a gap, and ends at or before its bound | reads |
//! | 4 | a linearizable read's bound covers all that was acknowledged or told before it began | reads |
//! | 5 | a repeated append is acknowledged where the first one was | placement |
//! | 6 | an append is in the log at most once, and not at all if it was refused | placement |
//! | 7 | nobody else's events are there, and each producer's are in its order | order |
//! | 8 | all nodes tell the same log | replicas |

mod order;
mod placement;
mod reads;
mod replicas;
#[cfg(test)]
mod tests;
mod violation;

pub use violation::Violation;

use std::collections::BTreeMap;

/// One event's name among all: which producer made it, and its number there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// The producer.
    pub producer: u32,
    /// The event's number; a producer counts up.
    pub number: u64,
}

/// What a producer learned of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log.
    Acknowledged {
        /// Where.
        seq: u64,
        /// Number of the epoch that acknowledged it.
        epoch: u64,
        /// Whether an earlier try had put it there.
        duplicate: bool,
    },
    /// It may be in the log.
    Indeterminate,
    /// It is not in the log, and never will be.
    Refused,
    /// The log misses events that were acknowledged to this producer, says the leader.
    Forgotten,
}

/// One try of a producer to append one event. A client that tries again by itself is one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Which event.
    pub name: EventName,
    /// What was sent.
    pub payload: Box<str>,
    /// When the producer began, in nanoseconds of the history's one clock.
    pub invoked: u64,
    /// When it learned the outcome.
    pub completed: u64,
    /// The outcome.
    pub outcome: Outcome,
}

/// An event as a node tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub seq: u64,
    /// Number of the epoch in which it was appended.
    pub epoch: u64,
    /// What it holds.
    pub payload: Box<str>,
}

/// One read that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The node that answered.
    pub node: Box<str>,
    /// Whether it was to see everything acknowledged before it began.
    pub linearizable: bool,
    /// When it began.
    pub invoked: u64,
    /// When it was answered.
    pub completed: u64,
    /// The first seq asked for.
    pub from: u64,
    /// The seq behind the last one covered: what lies in `from..end` was told, or is no event.
    pub end: u64,
    /// The last committed seq, says the answer.
    pub bound: u64,
    /// The events in `from..end`.
    pub events: Vec<Stored>,
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            node,
            invoked,
            completed,
            from,
            end,
            bound,
            ..
        } = self;
        let kind = if self.linearizable {
            "linearizable"
        } else {
            "committed"
        };
        write!(
            f,
            "{kind}, of {node}, {invoked} to {completed} ns, {from}..{end}, bound {bound}"
        )
    }
}

/// The whole log as one node tells it in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// The node.
    pub node: Box<str>,
    /// Its events, in its order.
    pub events: Vec<Stored>,
}

/// Everything that clients did with one channel.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What producers tried.
    pub appends: Vec<Append>,
    /// What readers were told.
    pub reads: Vec<Read>,
    /// What each node tells in the end. The first one is the log that all else is held against.
    pub drained: Vec<Drained>,
}

impl History {
    /// Every rule that is broken, and by what; empty if one log explains everything.
    #[must_use]
    pub fn check(&self) -> Vec<Violation> {
        let log = self.drained.first().map_or(&[][..], |node| &node.events);
        let mut violations = replicas::check(&self.drained);
        if let Some(violation) = replicas::check_ascending(log) {
            // Positions mean nothing in such a log.
            violations.push(violation);
            return violations;
        }
        let tried = tried(&self.appends);
        violations.extend(placement::check(&self.appends, log));
        violations.extend(order::check_real_time(&self.appends, log));
        violations.extend(order::check_producers(&tried, log));
        violations.extend(reads::check_slices(&self.reads, log));
        violations.extend(reads::check_bounds(&self.appends, &self.reads));
        violations
    }

    /// How many appends had an outcome of this kind.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        let outcomes = self.appends.iter().map(|append| &append.outcome);
        outcomes.filter(|outcome| is(outcome)).count()
    }
}

/// Who sent which payload.
type Tried<'a> = BTreeMap<&'a str, &'a EventName>;

fn tried(appends: &[Append]) -> Tried<'_> {
    appends
        .iter()
        .map(|append| (&*append.payload, &append.name))
        .collect()
}
