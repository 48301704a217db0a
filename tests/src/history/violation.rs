//! What a history can do wrong. Every variant names the operation and what was found instead.

use super::EventName;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Rule 1: an acknowledged event is not where it was acknowledged, and nowhere else.
    #[error("rule 1: {event} was acknowledged at {seq} and is lost")]
    Lost {
        /// The event.
        event: EventName,
        /// Where it should be.
        seq: u64,
    },
    /// Rule 1: an acknowledged event is elsewhere.
    #[error("rule 1: {event} was acknowledged at {seq} and is at {found}")]
    Moved {
        /// The event.
        event: EventName,
        /// Where it should be.
        seq: u64,
        /// Where it is.
        found: u64,
    },
    /// Rule 1: two events were acknowledged at one position.
    #[error("rule 1: {one} and {other} were both acknowledged at {seq}")]
    SharedPosition {
        /// An event.
        one: EventName,
        /// Another.
        other: EventName,
        /// The position.
        seq: u64,
    },
    /// Rule 1: an event was acknowledged in an epoch that does not fit the one it is stored in.
    #[error("rule 1: {event} was acknowledged in epoch {told} and is stored in {stored}")]
    WrongEpoch {
        /// The event.
        event: EventName,
        /// The epoch of the acknowledgement.
        told: u64,
        /// The epoch of the event.
        stored: u64,
    },
    /// Rule 1: a leader says that it misses what this producer had acknowledged.
    #[error("rule 1: the log had forgotten what came before {event}")]
    Forgotten {
        /// The event that was refused for it.
        event: EventName,
    },
    /// Rule 2: an event lies before one that was acknowledged before it was sent.
    #[error("rule 2: {later} is at {seq}, but {earlier} at {before} was acknowledged before")]
    BackInTime {
        /// What was acknowledged first.
        earlier: EventName,
        /// Where it is.
        before: u64,
        /// What was sent afterwards.
        later: EventName,
        /// Where it is.
        seq: u64,
    },
    /// Rule 3: a read told something else than the log has at that place.
    #[error("rule 3: read {read} from {node} differs from the log at {seq}")]
    WrongSlice {
        /// The place of the read in the history.
        read: usize,
        /// Who answered it.
        node: Box<str>,
        /// The first seq where they differ.
        seq: u64,
    },
    /// Rule 3: a read told of more than was committed, by its own word.
    #[error("rule 3: read {read} from {node} ends at {end}, beyond its bound {bound}")]
    BeyondBound {
        /// The place of the read in the history.
        read: usize,
        /// Who answered it.
        node: Box<str>,
        /// The seq behind its last one.
        end: u64,
        /// Its bound.
        bound: u64,
    },
    /// Rule 4: a linearizable read did not see an append that was acknowledged before it.
    #[error("rule 4: read {read} is bounded by {bound}, but {event} at {seq} was acknowledged")]
    MissedAppend {
        /// The place of the read in the history.
        read: usize,
        /// Its bound.
        bound: u64,
        /// What it misses.
        event: EventName,
        /// Where that is.
        seq: u64,
    },
    /// Rule 4: a linearizable read was bounded below a bound that had been told before.
    #[error("rule 4: read {read} is bounded by {bound}, but read {earlier} was by {seen}")]
    WentBack {
        /// The place of the read in the history.
        read: usize,
        /// Its bound.
        bound: u64,
        /// The place of the read that saw more.
        earlier: usize,
        /// The bound of that one.
        seen: u64,
    },
    /// Rule 5: a repeated append was acknowledged elsewhere than the first.
    #[error("rule 5: {event} was acknowledged at {first} and again at {again}")]
    DuplicateElsewhere {
        /// The event.
        event: EventName,
        /// Where it was acknowledged first.
        first: u64,
        /// Where it was acknowledged later.
        again: u64,
    },
    /// Rule 6: an event is in the log more than once.
    #[error("rule 6: {event} is at {first} and again at {again}")]
    Repeated {
        /// The event.
        event: EventName,
        /// Where it is.
        first: u64,
        /// Where it is too.
        again: u64,
    },
    /// Rule 6: a refused event is in the log.
    #[error("rule 6: {event} was refused and is at {seq}")]
    RefusedButThere {
        /// The event.
        event: EventName,
        /// Where it is.
        seq: u64,
    },
    /// Rule 7: nobody sent this.
    #[error("rule 7: nobody sent what is at {seq}: {payload}")]
    Stranger {
        /// Where it is.
        seq: u64,
        /// What it is.
        payload: Box<str>,
    },
    /// Rule 7: an event of a producer lies behind a later one of the same producer.
    #[error("rule 7: {event} at {seq} lies behind {later}")]
    Reordered {
        /// The event.
        event: EventName,
        /// Where it is.
        seq: u64,
        /// The one that it should precede.
        later: EventName,
    },
    /// Rule 8: two nodes tell different logs.
    #[error("rule 8: {node} and {other} differ at {seq}")]
    Diverged {
        /// A node.
        node: Box<str>,
        /// The node that it is compared with.
        other: Box<str>,
        /// The first seq where they differ.
        seq: u64,
    },
    /// Rule 8: a node's log goes backwards.
    #[error("rule 8: the log goes from {seq} to {next}")]
    NotAscending {
        /// A seq.
        seq: u64,
        /// The one behind it.
        next: u64,
    },
}

impl Violation {
    /// The number of the rule.
    #[must_use]
    pub const fn rule(&self) -> u8 {
        match self {
            Self::Lost { .. }
            | Self::Moved { .. }
            | Self::SharedPosition { .. }
            | Self::WrongEpoch { .. }
            | Self::Forgotten { .. } => 1,
            Self::BackInTime { .. } => 2,
            Self::WrongSlice { .. } | Self::BeyondBound { .. } => 3,
            Self::MissedAppend { .. } | Self::WentBack { .. } => 4,
            Self::DuplicateElsewhere { .. } => 5,
            Self::Repeated { .. } | Self::RefusedButThere { .. } => 6,
            Self::Stranger { .. } | Self::Reordered { .. } => 7,
            Self::Diverged { .. } | Self::NotAscending { .. } => 8,
        }
    }

    /// The places of the reads that contradict something.
    #[must_use]
    pub fn reads(&self) -> Vec<usize> {
        match self {
            Self::WrongSlice { read, .. }
            | Self::BeyondBound { read, .. }
            | Self::MissedAppend { read, .. } => vec![*read],
            Self::WentBack { read, earlier, .. } => vec![*read, *earlier],
            _ => Vec::new(),
        }
    }
}

impl std::fmt::Display for EventName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "event {} of producer {}", self.number, self.producer)
    }
}
