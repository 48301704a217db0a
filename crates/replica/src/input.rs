//! What can happen to a replica.

use tetrarch_wire::{
    Batch, Epoch, LogPosition, ProducerEpoch, ProducerId, ProducerSeq, Seq, VoterId,
    batch::EventBlock,
    frame::{ChannelMessage, DiskLevel, ForkReport},
};

use crate::{MendOutcome, Moment, PersistToken, ReadTicket, Ticket, membership::ReplicaSet};

/// Events that a client wants to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    /// Comes back with the reply.
    pub ticket: Ticket,
    /// The producer.
    pub producer: ProducerId,
    /// Its incarnation.
    pub producer_epoch: ProducerEpoch,
    /// Its number for the first event.
    pub base_producer_seq: ProducerSeq,
    /// The events.
    pub events: EventBlock,
}

/// What the node itself wants a leader to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Everything up to this seq may be dropped. The leader lowers it to what is committed and
    /// durable on all voters.
    Trim {
        /// The last seq that may go.
        upto: Seq,
    },
}

/// Why a persist did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersistFailure {
    /// There was no room. The log is as it was before; the writes may be tried again.
    StorageFull,
    /// Bytes of the channel are damaged.
    Corrupt,
    /// The write contradicts what the log holds.
    Refused,
    /// The store is lost to this process. Nothing more will be persisted.
    Fatal,
}

/// Why a range of the log could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogReadFailure {
    /// Retention has dropped it.
    Trimmed,
    /// The range begins beyond the durable end of the log.
    BeyondTail,
    /// The channel is damaged beyond mending.
    Corrupt,
    /// A segment is damaged, and [`Input::Damaged`] says so as well.
    Damaged,
    /// It did not work this time.
    Transient,
}

/// Why the end of a log is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealFailure {
    /// There was no room.
    StorageFull,
    /// A batch of it cannot be read until it is mended.
    Damaged,
    /// It did not work this time.
    Transient,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The node was chosen to hold the channel (drives CapabilitySelected).
    Select,
    /// The catalog says who is to hold the channel. Given again with each change, and in each start
    /// once the node knows what was committed.
    Placed(ReplicaSet),
    /// The node was taken out of the replica set, and the catalog knows that this is carried out
    /// (drives PlacementDeselected).
    Deselect,
    /// The channel is closed on this node (drives ChannelClose).
    Close,
    /// Another replica of the channel said something. The sender is authenticated.
    Message {
        /// Who.
        from: VoterId,
        /// In which epoch.
        epoch: Epoch,
        /// What.
        message: ChannelMessage,
    },
    /// A beat of the leader's current boot covers this channel. Also given for a leader of a lower
    /// epoch than this replica has seen: it is told then that it is over.
    LeaderHeard {
        /// The epoch that it leads, with its own id.
        epoch: Epoch,
        /// Last committed seq at the leader.
        commit: Seq,
        /// When the beat was heard.
        at: Moment,
    },
    /// The leader took the channel out of its beats: as if it had been silent for long enough.
    LeaderWithdrew {
        /// The epoch that it led.
        epoch: Epoch,
    },
    /// The connection to another voter is gone.
    PeerLost {
        /// Who.
        peer: VoterId,
    },
    /// There is a connection to another voter (again).
    PeerFound {
        /// Who.
        peer: VoterId,
    },
    /// A voter follows this leader, as it acknowledged one of its beats.
    BeatAcked {
        /// Who.
        voter: VoterId,
        /// The epoch that the beat named.
        epoch: Epoch,
        /// When that beat was sent.
        sent_at: Moment,
    },
    /// The deadline that the replica asked for has passed.
    Tick,
    /// A client wants to append.
    Produce(ProduceRequest),
    /// The node wants the leader to append.
    Propose(Proposal),
    /// A client wants an index for a linearizable read.
    ReadIndex {
        /// Comes back with the index.
        ticket: Ticket,
    },
    /// The leader is to hand over.
    Transfer {
        /// Comes back with the outcome.
        ticket: Ticket,
        /// To this voter; else to the best.
        to: Option<VoterId>,
        /// Give up leadership even if nobody can take over in time (an orderly stop).
        forced: bool,
    },
    /// All inputs that were waiting have been given, whatever they were: batches that were being
    /// gathered may go out. Without it they go out with the next tick, which is then due at once.
    Flush,
    /// A persist is durable.
    Persisted {
        /// Which.
        token: PersistToken,
    },
    /// A persist did not happen; nor does any that was issued before this was told.
    PersistFailed {
        /// Which.
        token: PersistToken,
        /// Why.
        failure: PersistFailure,
    },
    /// A range of the log was read.
    LogRead {
        /// For which request.
        ticket: ReadTicket,
        /// Whole batches, the first of which holds the seq that was asked for.
        result: Result<Vec<Batch>, LogReadFailure>,
    },
    /// The log has dropped its front, as a committed trim point allowed.
    Trimmed {
        /// The position before the first batch that is held now.
        log_start: LogPosition,
    },
    /// [`crate::Effect::SaveSnapshot`] was tried.
    SnapshotSaved {
        /// Which.
        save: u64,
        /// Whether the snapshot is durable.
        worked: bool,
    },
    /// The disk of this node is as full as that now (protocol §12).
    DiskLevel(DiskLevel),
    /// The channel's bytes on this node are damaged beyond mending (found at a start or by a read).
    Corrupt,
    /// A segment of the channel's log is damaged, and the rest is not. Told again as long as it is so
    /// and no other segment is being mended.
    Damaged {
        /// Its first seq.
        segment: Seq,
    },
    /// [`crate::Effect::Seal`] was tried.
    Sealed {
        /// The position that was asked for.
        after: LogPosition,
        /// The end of what is sealed, durably, and the fork that holds it; none if there are no events.
        result: Result<(LogPosition, Option<ForkReport>), SealFailure>,
    },
    /// [`crate::Effect::Mend`] was tried.
    Mended {
        /// The segment.
        segment: Seq,
        /// What it came to.
        outcome: MendOutcome,
    },
}
