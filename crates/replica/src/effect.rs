//! What a replica wants done.
//!
//! Everything that tells anybody anything about durable state is held back inside the replica
//! until the persist that it depends on has completed, so an effect that comes out may be carried
//! out at once. The shell carries effects out in order and decides nothing.

use bytes::Bytes;
use tetrarch_fsm::{StateTransition, StateTransitionError};
use tetrarch_wire::{
    Batch, Epoch, ForkId, HardState, LogPosition, Seq, VoterId,
    frame::{ChannelMessage, ProduceOutcome},
};

/// Names one persist of one channel in this start of the node. Tokens of a channel grow, and
/// complete in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistToken(u64);

impl PersistToken {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number; for logs and as a key in the shell.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Names a client's or operator's request; the shell chooses it and gets it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names a read of the log that the replica asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadTicket(u64);

impl ReadTicket {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// One change of a channel's durable state. The writes of one persist become durable together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogWrite {
    /// Batches behind the end of the log.
    Append(Vec<Batch>),
    /// Everything after this position goes; it is the new end of the log.
    Truncate(LogPosition),
    /// Everything goes, and the log begins and ends at this position. What came before is told by the
    /// snapshot that was saved last.
    Begin(LogPosition),
    /// The election promise.
    HardState(HardState),
    /// A commit position known now. Only ever used to notice a truncation below it.
    CommitHint(Seq),
}

/// Which way a message takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Votes and handovers: first of all.
    Control,
    /// Pushed batches and their acknowledgements.
    Data,
    /// Catch-up: last of all.
    Bulk,
}

/// A change of role with what an operator wants to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    /// From, to and signal.
    pub transition: StateTransition,
    /// The highest epoch seen when it happened.
    pub epoch: Epoch,
    /// What led to it, in words.
    pub reason: &'static str,
    /// End of the log.
    pub tail: LogPosition,
    /// Last durable seq.
    pub durable: Seq,
    /// Last committed seq known.
    pub commit: Seq,
}

/// Why a channel takes no part any more on this node until somebody looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltReason {
    /// Bytes that were written are damaged.
    Corrupt,
    /// The leader has dropped what this voter would need next. Retention waits for voters: this one
    /// has lost what it held.
    MissingRange {
        /// End of this node's log.
        tail: Seq,
        /// First seq that the leader holds.
        leader_log_start: Seq,
    },
    /// The leader's history would remove what is known to be committed here.
    WouldTruncateCommitted {
        /// Where the leader's history parts from this log.
        point: Seq,
        /// What is known to be committed.
        commit: Seq,
    },
    /// The log refused a write that contradicts what it holds: one of the two is wrong.
    LogRefused,
    /// The store is lost to this process.
    StoreFailed,
}

/// What became of an operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminOutcome {
    /// It was carried out.
    Done,
    /// This node does not lead; this one does, if known.
    NotLeader(Option<VoterId>),
    /// It was tried and did not work, in words.
    Failed(&'static str),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make these writes durable, then give the token back. They are durable in the order in which
    /// they are issued: if `failures` is not the number of writes of this channel that have failed,
    /// an earlier one has failed meanwhile, and this one must fail, too.
    Persist {
        /// Comes back with the completion.
        token: PersistToken,
        /// How many failures the replica was told of.
        failures: u64,
        /// The writes, in order.
        writes: Vec<LogWrite>,
    },
    /// Send a message to another voter. It may be lost.
    Send {
        /// To whom.
        to: VoterId,
        /// The epoch in which it is said.
        epoch: Epoch,
        /// What.
        message: ChannelMessage,
        /// Which way.
        lane: Lane,
    },
    /// Answer a produce request.
    Reply {
        /// Which.
        ticket: Ticket,
        /// What became of it.
        outcome: ProduceOutcome,
    },
    /// Answer a request for a read index: everything acknowledged before it is at or before the
    /// seq.
    ReadIndexReady {
        /// Which.
        ticket: Ticket,
        /// The index, or who leads instead.
        result: Result<(Epoch, Seq), Option<VoterId>>,
    },
    /// Answer an operator's order.
    AdminDone {
        /// Which.
        ticket: Ticket,
        /// What became of it.
        outcome: AdminOutcome,
    },
    /// Read whole batches from the log, beginning with the one that holds `from`.
    ReadLog {
        /// Comes back with the batches.
        ticket: ReadTicket,
        /// The first seq.
        from: Seq,
        /// Most bytes; at least one batch is read.
        max_bytes: u32,
    },
    /// Mend a damaged segment as far as these batches, and what is intact of it, allow; then say what
    /// it came to ([`crate::Input::Mended`]).
    Mend {
        /// Its first seq.
        segment: Seq,
        /// Batches of another voter; none at first.
        batches: Vec<Batch>,
    },
    /// Keep everything of the log after this position as a fork, durably, and change nothing of the log;
    /// then say what it came to ([`crate::Input::Sealed`]).
    Seal {
        /// The last position that is not to be sealed.
        after: LogPosition,
    },
    /// Read whole batches from a fork, beginning with the one that holds `from`. The answer is
    /// [`crate::Input::LogRead`].
    ReadFork {
        /// Comes back with the batches.
        ticket: ReadTicket,
        /// The fork.
        fork: ForkId,
        /// The first seq.
        from: Seq,
        /// Most bytes; at least one batch is read.
        max_bytes: u32,
    },
    /// Every event of a fork is in the log, durably here: the copy of it on this node may go.
    DropFork {
        /// The fork.
        fork: ForkId,
    },
    /// A leader has taken a fork into its log.
    ForkCollected {
        /// The fork.
        fork: ForkId,
        /// How many of its events were appended.
        republished: u64,
        /// How many were in the log already.
        known: u64,
    },
    /// What was committed after this position is a fork now, and other events will take its place: whoever
    /// has read further must be told.
    Diverged {
        /// The last position that holds.
        point: LogPosition,
    },
    /// The role has changed.
    RoleChanged(RoleChange),
    /// A transition that the table does not hold was attempted: a bug, counted and reported.
    TransitionRejected(StateTransitionError),
    /// The commit position has moved.
    Committed {
        /// To here.
        commit: Seq,
    },
    /// A committed trim point allows the log to drop everything up to here.
    Trim {
        /// The last seq that may go.
        upto: Seq,
    },
    /// Save a snapshot, and say whether it was kept ([`crate::Input::SnapshotSaved`]). It is durable
    /// before that is said, and one that was to be saved earlier does not take its place.
    SaveSnapshot {
        /// Comes back with the answer.
        save: u64,
        /// The committed seq that it stands at.
        seq: Seq,
        /// What it says.
        bytes: Bytes,
    },
    /// The voters are those that the catalog wants under this version: it is to be told. Repeated until
    /// it knows.
    Placed {
        /// The version.
        version: u64,
    },
    /// A committed `Delete` ends the channel.
    Deleted,
    /// Send beats about this channel now rather than at the next interval.
    BeatNow,
    /// The channel takes no part any more on this node.
    Halted(HaltReason),
}
