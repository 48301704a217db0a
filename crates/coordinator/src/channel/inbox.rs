//! What can be asked of a worker, and the bounded queues in which it waits. Control, data, bulk
//! and clients have a queue each, so that a flood of one cannot delay a vote.

use std::sync::Arc;

use tetrarch_log::{Failure, Mended};
use tetrarch_replica::{
    AdminOutcome, LogReadFailure, ReadTicket, Recovered, SealFailure,
    beat::{ChannelFact, Repeat},
    membership::ReplicaSet,
};
use tetrarch_wire::{
    Batch, BatchHeader, ChannelUid, Epoch, LogPosition, NodeId, ProducerEpoch, ProducerId,
    ProducerSeq, Seq, VoterId,
    batch::{Control, EventBlock},
    frame::{ChannelFrame, DiskLevel, ForkReport, ProduceOutcome},
};
use tokio::sync::{mpsc, oneshot};

use super::ProduceRoute;
use crate::{
    registry::ChannelHandle,
    store::{Opening, StoreEvent},
};

/// Votes, handovers and the node's own orders.
const CONTROL_CAPACITY: usize = 8_192;
/// Frames of up to a mebibyte each.
const DATA_CAPACITY: usize = 64;
/// Catch-up.
const BULK_CAPACITY: usize = 16;
/// Requests of clients.
const CLIENT_CAPACITY: usize = 1_024;

/// A message of another replica.
#[derive(Debug)]
pub(crate) struct PeerInput {
    pub(crate) from: VoterId,
    pub(crate) frame: ChannelFrame,
}

/// A channel that this node shall hold from now on.
pub(crate) struct ChannelOpening {
    pub(crate) handle: Arc<ChannelHandle>,
    pub(crate) recovered: Recovered,
    /// The batches after the producer snapshot, read back at a start: their headers, and what
    /// control batches say.
    pub(crate) replay: Vec<(BatchHeader, Option<Control>)>,
    /// Whether the channel is new and this node shall lead it first.
    pub(crate) stand_first: bool,
}

/// An order of the node to a worker.
pub(crate) enum Command {
    /// A channel begins here.
    Open(Box<ChannelOpening>),
    /// A channel ends here.
    Close(ChannelUid),
    /// A peer is connected.
    PeerFound(VoterId),
    /// A peer is not connected any more.
    PeerLost(VoterId),
    /// What a beat or its acknowledgement says about channels.
    Beat {
        /// What is new, or may be.
        facts: Vec<ChannelFact>,
        /// What is said again of many channels.
        repeats: Vec<Repeat>,
    },
    /// The catalog says who is to hold a channel.
    Placed {
        channel: ChannelUid,
        set: ReplicaSet,
    },
    /// Others hold a channel now: it leaves this node.
    Release {
        channel: ChannelUid,
        /// Told when the replica is gone and its store has been ordered to let go.
        done: oneshot::Sender<()>,
    },
    /// The leader of a channel is to hand over.
    Transfer {
        channel: ChannelUid,
        to: Option<NodeId>,
        forced: bool,
        reply: oneshot::Sender<AdminOutcome>,
    },
    /// The disk was looked at, as it is once a second.
    DiskLevel(DiskLevel),
    /// All channels that this node leads are to be handed over.
    HandOverAll,
    /// The node stops: it takes no part in any channel any more.
    LeaveAll,
    /// Retention wants everything up to here gone.
    Trim { channel: ChannelUid, upto: Seq },
    /// The log of a channel has dropped its front.
    Trimmed {
        channel: ChannelUid,
        log_start: LogPosition,
    },
    /// Save the snapshots of channels that have gone on for long since the last time.
    SaveSnapshots,
}

/// What the store has done for a replica.
pub(crate) enum StoreAnswer {
    /// A range of the log was read.
    Read {
        channel: ChannelUid,
        /// Of the replica that asked.
        opening: Opening,
        ticket: ReadTicket,
        result: Result<Vec<Batch>, LogReadFailure>,
    },
    /// A damaged segment was to be mended.
    Mended {
        channel: ChannelUid,
        segment: Seq,
        result: Result<Mended, Failure>,
    },
    /// The end of a log was to be sealed as a fork.
    Sealed {
        channel: ChannelUid,
        /// Of the replica that asked.
        opening: Opening,
        after: LogPosition,
        result: Result<(LogPosition, Option<ForkReport>), SealFailure>,
    },
    /// A snapshot with which a log is to begin was to be saved.
    SnapshotSaved {
        channel: ChannelUid,
        save: u64,
        worked: bool,
    },
    /// A channel whose segments are whole again was read as at a start.
    Opened(Box<ChannelOpening>),
}

/// What a client asks of a channel.
pub(crate) enum ClientInput {
    /// Append.
    Produce(ProduceInput),
    /// Read what is committed.
    Read(ReadRequest),
    /// An index for a linearizable read.
    ReadIndex {
        channel: ChannelUid,
        reply: oneshot::Sender<Result<(Epoch, Seq), Option<VoterId>>>,
    },
    /// Append on behalf of the node, and tell it the outcome.
    Propose {
        channel: ChannelUid,
        events: EventBlock,
        reply: oneshot::Sender<ProduceOutcome>,
    },
}

/// Events to append.
pub(crate) struct ProduceInput {
    pub(crate) channel: ChannelUid,
    pub(crate) producer: ProducerId,
    pub(crate) producer_epoch: ProducerEpoch,
    pub(crate) base_producer_seq: ProducerSeq,
    pub(crate) events: EventBlock,
    pub(crate) route: ProduceRoute,
}

/// A read of committed batches, answered when there is something to answer.
pub(crate) struct ReadRequest {
    pub(crate) channel: ChannelUid,
    /// The first seq wanted.
    pub(crate) from: Seq,
    /// Most bytes; at least one batch.
    pub(crate) max_bytes: u32,
    pub(crate) reply: oneshot::Sender<ReadReply>,
}

/// The answer to a read.
#[derive(Debug)]
pub(crate) enum ReadReply {
    /// Whole batches, the first of which holds the seq that was asked for.
    Batches {
        batches: Vec<Batch>,
        commit: Seq,
        log_start: Seq,
    },
    /// Retention has dropped what was asked for.
    Trimmed { log_start: Seq },
    /// What comes after this seq is another history than the one that was read.
    Diverged { after: Seq },
    /// The channel is not on this node (any more).
    Gone,
    /// It cannot be read on this node.
    Failed { why: &'static str },
}

/// The receiving ends.
pub(crate) struct Inbox {
    pub(crate) store: mpsc::UnboundedReceiver<Vec<StoreEvent>>,
    pub(crate) answers: mpsc::UnboundedReceiver<StoreAnswer>,
    pub(crate) control: mpsc::Receiver<PeerInput>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) data: mpsc::Receiver<PeerInput>,
    pub(crate) bulk: mpsc::Receiver<PeerInput>,
    pub(crate) clients: mpsc::Receiver<ClientInput>,
}

/// The sending ends.
#[derive(Clone)]
pub(crate) struct WorkerHandle {
    pub(crate) control: mpsc::Sender<PeerInput>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) data: mpsc::Sender<PeerInput>,
    pub(crate) bulk: mpsc::Sender<PeerInput>,
    pub(crate) clients: mpsc::Sender<ClientInput>,
    pub(crate) answers: mpsc::UnboundedSender<StoreAnswer>,
}

/// Makes the queues of one worker; the store's end is handed to the store.
pub(crate) fn inbox() -> (WorkerHandle, mpsc::UnboundedSender<Vec<StoreEvent>>, Inbox) {
    let (store_sender, store) = mpsc::unbounded_channel();
    let (answers_sender, answers) = mpsc::unbounded_channel();
    let (control_sender, control) = mpsc::channel(CONTROL_CAPACITY);
    let (commands_sender, commands) = mpsc::channel(CONTROL_CAPACITY);
    let (data_sender, data) = mpsc::channel(DATA_CAPACITY);
    let (bulk_sender, bulk) = mpsc::channel(BULK_CAPACITY);
    let (clients_sender, clients) = mpsc::channel(CLIENT_CAPACITY);
    let handle = WorkerHandle {
        control: control_sender,
        commands: commands_sender,
        data: data_sender,
        bulk: bulk_sender,
        clients: clients_sender,
        answers: answers_sender,
    };
    (
        handle,
        store_sender,
        Inbox {
            store,
            answers,
            control,
            commands,
            data,
            bulk,
            clients,
        },
    )
}

/// All workers of the node; a channel always lives in the same one.
#[derive(Clone)]
pub(crate) struct Workers {
    handles: Arc<[WorkerHandle]>,
}

impl Workers {
    pub(crate) fn new(handles: Vec<WorkerHandle>) -> Self {
        Self {
            handles: handles.into(),
        }
    }

    /// Which worker a channel lives in.
    pub(crate) fn index_of(&self, channel: ChannelUid) -> usize {
        usize::from(channel.as_bytes()[0]) % self.handles.len()
    }

    /// The worker that a channel lives in.
    pub(crate) fn of(&self, channel: ChannelUid) -> &WorkerHandle {
        &self.handles[self.index_of(channel)]
    }

    /// Every worker.
    pub(crate) fn all(&self) -> &[WorkerHandle] {
        &self.handles
    }
}
