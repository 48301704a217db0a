//! The values that labels take. Each is a closed set, so that no series appears that nobody
//! expects and a hot path indexes an array instead of looking a name up.

use tetrarch_fsm::StateTransition;
use tetrarch_replica::{HaltReason, Lane};
use tetrarch_wire::{
    ReplicaRole,
    frame::{CloseCode, DiskLevel, ProduceOutcome, RetryReason},
};

/// One of a closed set of label values.
pub trait Label: Copy + 'static {
    /// Every value, in the order of their indices.
    const ALL: &'static [Self];

    /// The value in the exposition.
    fn name(self) -> &'static str;

    /// Its place in [`Self::ALL`].
    fn index(self) -> usize;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$about])* $variant,)+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// How a candidacy ended.
    ElectionOutcome {
        /// The node leads.
        Won = "won",
        /// It follows again.
        Lost = "lost",
        /// It withdrew: closed, deselected, or out of room.
        Abandoned = "abandoned",
    }
}

impl ElectionOutcome {
    /// What a change of role says about an election; `None` if it ends none.
    #[must_use]
    pub fn of(transition: &StateTransition) -> Option<Self> {
        match (transition.from(), transition.to()) {
            (ReplicaRole::Candidate, ReplicaRole::Leader) => Some(Self::Won),
            (ReplicaRole::Candidate, ReplicaRole::Replica) => Some(Self::Lost),
            (ReplicaRole::Candidate, ReplicaRole::Idle) => Some(Self::Abandoned),
            _ => None,
        }
    }
}

label! {
    /// Which way bytes took.
    TrafficLane {
        /// Signs of life, in datagrams.
        Beat = "beat",
        /// Votes, handovers and the connection's own frames.
        Control = "control",
        /// Pushed batches and their acknowledgements.
        Data = "data",
        /// Catch-up.
        Bulk = "bulk",
        /// Clients.
        Client = "client",
    }
}

impl From<Lane> for TrafficLane {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Control => Self::Control,
            Lane::Data => Self::Data,
            Lane::Bulk => Self::Bulk,
        }
    }
}

label! {
    /// Which way bytes went, seen from this node.
    Direction {
        /// They left.
        Sent = "sent",
        /// They arrived.
        Received = "received",
    }
}

label! {
    /// Who is at the other end of a connection.
    ConnectionKind {
        /// Another node.
        Peer = "peer",
        /// A client.
        Client = "client",
    }
}

label! {
    /// A kind of queue. Queues of one kind are counted together.
    Queue {
        /// What channel actors have still to work on.
        ChannelInbox = "channel_inbox",
        /// Writes that wait for a group of the write-ahead log.
        WalWrites = "wal_writes",
        /// Groups that wait to be copied to segments.
        Flush = "flush",
        /// Reads of the log that wait for a reader.
        LogReads = "log_reads",
        /// Control frames that wait to be sent.
        OutControl = "out_control",
        /// Data frames that wait to be sent.
        OutData = "out_data",
        /// Catch-up frames that wait to be sent.
        OutBulk = "out_bulk",
        /// Answers that wait to be sent to clients.
        OutClient = "out_client",
        /// Produce requests that wait for their commit.
        AwaitingCommit = "awaiting_commit",
    }
}

impl From<Lane> for Queue {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Control => Self::OutControl,
            Lane::Data => Self::OutData,
            Lane::Bulk => Self::OutBulk,
        }
    }
}

label! {
    /// What the store can do.
    StoreState {
        /// It reads what it finds and can do nothing else yet.
        Recovering = "recovering",
        /// It writes and reads.
        Healthy = "healthy",
        /// It reads, and has no room to write.
        Full = "full",
        /// It is lost to this process.
        Failed = "failed",
    }
}

label! {
    /// What the failure of an operation on a file means.
    StoreErrorKind {
        /// Trying again can help.
        Retryable = "retryable",
        /// There is no room.
        StorageFull = "storage_full",
        /// The bytes are not what was written.
        Corrupt = "corrupt",
        /// The store cannot go on.
        Fatal = "fatal",
    }
}

label! {
    /// A certificate that the node uses.
    Certificate {
        /// Its own.
        Node = "node",
        /// The one in its trust bundle that runs out first.
        Authority = "authority",
    }
}

label! {
    /// Whether something worked.
    Outcome {
        /// It did.
        Done = "done",
        /// It did not; what was there before is still in use.
        Failed = "failed",
    }
}

label! {
    /// What became of a produce request.
    ProduceCode {
        /// In the log, for the first time.
        Appended = "appended",
        /// All of it was in the log already.
        Duplicate = "duplicate",
        /// Another node leads.
        RetryNotLeader = "retry_not_leader",
        /// Nobody leads.
        RetryNoLeader = "retry_no_leader",
        /// The leader hands over.
        RetryDraining = "retry_draining",
        /// The queue is full.
        RetryQueueFull = "retry_queue_full",
        /// The node has just started.
        RetryStarting = "retry_starting",
        /// The channel is not known here (yet).
        RetryUnknownChannel = "retry_unknown_channel",
        /// Any other reason to try again.
        RetryOther = "retry_other",
        /// Perhaps in the log.
        Indeterminate = "indeterminate",
        /// No room.
        StorageFull = "storage_full",
        /// Events before these are missing.
        OutOfOrder = "out_of_order",
        /// A newer incarnation of the producer exists.
        Fenced = "fenced",
        /// Larger than is allowed.
        TooLarge = "too_large",
        /// The client may not write.
        Denied = "denied",
        /// There is no such channel.
        UnknownChannel = "unknown_channel",
    }
}

impl From<&ProduceOutcome> for ProduceCode {
    fn from(outcome: &ProduceOutcome) -> Self {
        match outcome {
            ProduceOutcome::Appended { runs, .. } => {
                if runs.iter().all(|run| run.duplicate) {
                    Self::Duplicate
                } else {
                    Self::Appended
                }
            }
            ProduceOutcome::Retry { reason, .. } => Self::from(*reason),
            ProduceOutcome::Indeterminate => Self::Indeterminate,
            ProduceOutcome::StorageFull => Self::StorageFull,
            ProduceOutcome::OutOfOrder { .. } => Self::OutOfOrder,
            ProduceOutcome::Fenced { .. } => Self::Fenced,
            ProduceOutcome::TooLarge { .. } => Self::TooLarge,
            ProduceOutcome::Denied => Self::Denied,
            ProduceOutcome::UnknownChannel => Self::UnknownChannel,
        }
    }
}

impl From<RetryReason> for ProduceCode {
    fn from(reason: RetryReason) -> Self {
        match reason {
            RetryReason::NotLeader => Self::RetryNotLeader,
            RetryReason::NoLeader => Self::RetryNoLeader,
            RetryReason::Draining => Self::RetryDraining,
            RetryReason::QueueFull => Self::RetryQueueFull,
            RetryReason::Starting => Self::RetryStarting,
            RetryReason::UnknownChannel => Self::RetryUnknownChannel,
            RetryReason::Invalid
            | RetryReason::Denied
            | RetryReason::Internal
            | RetryReason::Exists
            | RetryReason::NoPlacement
            | RetryReason::Diverged => Self::RetryOther,
        }
    }
}

impl Label for ReplicaRole {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        Self::name(self)
    }

    fn index(self) -> usize {
        u8::from(self).into()
    }
}

impl Label for DiskLevel {
    const ALL: &'static [Self] = &[Self::Green, Self::Low, Self::Critical, Self::Full];

    fn name(self) -> &'static str {
        Self::name(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for RetryReason {
    const ALL: &'static [Self] = &[
        Self::NotLeader,
        Self::NoLeader,
        Self::Draining,
        Self::QueueFull,
        Self::Starting,
        Self::UnknownChannel,
        Self::Invalid,
        Self::Denied,
        Self::Internal,
        Self::Exists,
        Self::NoPlacement,
    ];

    fn name(self) -> &'static str {
        Self::name(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for CloseCode {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        Self::name(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// The word for a reason to halt.
pub(super) const fn halt_word(reason: &HaltReason) -> &'static str {
    match reason {
        HaltReason::Corrupt => "corrupt",
        HaltReason::MissingRange { .. } => "missing_range",
        HaltReason::WouldTruncateCommitted { .. } => "would_truncate_committed",
        HaltReason::LogRefused => "log_refused",
        HaltReason::StoreFailed => "store_failed",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tetrarch_wire::{Epoch, Link, Seq, frame::AppendedRun};

    use super::*;

    fn check<L: Label>() {
        let names: BTreeSet<&str> = L::ALL.iter().map(|label| label.name()).collect();
        assert_eq!(names.len(), L::ALL.len());
        for (index, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.index(), index, "{}", label.name());
        }
    }

    #[test]
    fn values_are_distinct_and_indexed_by_their_place() {
        check::<ElectionOutcome>();
        check::<TrafficLane>();
        check::<Direction>();
        check::<ConnectionKind>();
        check::<Queue>();
        check::<StoreState>();
        check::<StoreErrorKind>();
        check::<Certificate>();
        check::<Outcome>();
        check::<ProduceCode>();
        check::<ReplicaRole>();
        check::<DiskLevel>();
        check::<CloseCode>();
    }

    #[test]
    fn an_append_is_a_duplicate_only_if_all_of_it_was_there() {
        let run = |duplicate| AppendedRun {
            first: Seq::FIRST,
            count: 1,
            duplicate,
        };
        let outcome = |runs| ProduceOutcome::Appended {
            epoch: Epoch::NONE,
            runs,
            link: Link::from_bytes([0; 16]),
            copies: 2,
            degraded: false,
        };
        let code = |runs| ProduceCode::from(&outcome(runs));
        assert_eq!(code(vec![run(true)]), ProduceCode::Duplicate);
        assert_eq!(code(vec![run(true), run(false)]), ProduceCode::Appended);
    }
}
