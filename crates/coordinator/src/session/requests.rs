//! A stream of requests. Produce requests go straight to the channel's worker, in the order in
//! which they arrived; their answers come back through the stream's outbox.

use std::sync::Arc;

use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender},
};
use tetrarch_wire::{
    ChannelClass, Frame, Seq,
    frame::{
        AdminResponse, CloseCode, Fetch, FetchResponse, FrameType, Produce, ProduceAck,
        ProduceOutcome, ReadIndex, ReadIndexResponse, ReadMode, Refused, RetryReason, StartFrom,
    },
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{SessionContext, admin, metadata};
use crate::{
    channel::{ClientInput, Outbox, ProduceInput, ProduceRoute, ReadReply, ReadRequest},
    clock,
    registry::ChannelHandle,
    telemetry::{Level, Queue},
};

/// How many requests of one stream may be unanswered. The reader of the stream waits at this
/// bound, and with it the client.
const MAX_UNANSWERED: usize = 8_192;
/// How many frames are written together at most.
const MAX_WRITE: usize = 512;
/// How long a client waits when the node has no room for more events.
const NO_ROOM_RETRY_MS: u32 = 20;
/// How long a read may take to come off the disk.
const DISK_WAIT_MS: u32 = 10_000;

/// Serves the stream until the client ends it, and then until every answer is written.
pub(super) async fn serve(
    context: Arc<SessionContext>,
    client: Arc<Principal>,
    first: Frame,
    sender: FrameSender,
    mut receiver: FrameReceiver,
) {
    let (outbox, answers) = mpsc::unbounded_channel();
    let places = Arc::new(Semaphore::new(MAX_UNANSWERED));
    let awaiting_commit = context.telemetry.queue(Queue::AwaitingCommit);
    let writing = write_answers(sender, answers);
    let reading = async move {
        let session = Session {
            context,
            client,
            outbox,
            places,
            awaiting_commit,
        };
        let mut next = Some(first);
        while let Some(frame) = next {
            if session.accept(frame).await.is_err() {
                break;
            }
            next = match receiver.next().await {
                Ok(frame) => frame,
                Err(error) => {
                    tracing::debug!(client = %session.client, %error, "a stream ended");
                    None
                }
            };
        }
    };
    // The writer ends when every outbox is dropped: the reader's own, and one per open request.
    tokio::join!(reading, writing);
}

async fn write_answers(mut sender: FrameSender, mut answers: mpsc::UnboundedReceiver<Frame>) {
    let mut frames = Vec::new();
    while answers.recv_many(&mut frames, MAX_WRITE).await > 0 {
        for frame in frames.drain(..) {
            if let Err(error) = sender.push(&frame) {
                // The client would wait for this answer for ever.
                tracing::error!(%error, "an answer cannot be encoded: the stream is given up");
                sender.reset(CloseCode::Malformed);
                return;
            }
        }
        if let Err(error) = sender.flush().await {
            tracing::debug!(%error, "a client's stream cannot be written any more");
            return;
        }
    }
    sender.finish();
}

struct Session {
    context: Arc<SessionContext>,
    client: Arc<Principal>,
    outbox: Outbox,
    places: Arc<Semaphore>,
    awaiting_commit: Level,
}

/// The stream cannot go on.
struct Ended;

impl Session {
    async fn accept(&self, frame: Frame) -> Result<(), Ended> {
        match frame {
            Frame::Produce(produce) => self.produce(produce).await,
            Frame::Fetch(fetch) => {
                self.answer_later(fetch.request, |c| fetch_one(c, fetch))
                    .await
            }
            Frame::ReadIndex(read) => {
                self.answer_later(read.request, |c| read_index(c, read))
                    .await
            }
            Frame::Metadata(request) => {
                self.answer_later(request.request, |c| async move {
                    metadata::answer(&c, &request)
                })
                .await
            }
            Frame::Admin(request) => {
                self.answer_later(request.request(), |c| async move {
                    Frame::AdminResponse(admin::answer(&c, request).await)
                })
                .await
            }
            other => {
                self.misplaced(other.frame_type());
                Err(Ended)
            }
        }
    }

    async fn produce(&self, produce: Produce) -> Result<(), Ended> {
        let Produce {
            request,
            channel,
            producer,
            producer_epoch,
            base_producer_seq,
            events,
        } = produce;
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| Ended)?;
        let kibibytes = u32::try_from(events.bytes().len() / 1024 + 1).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.context.room).try_acquire_many_owned(kibibytes) else {
            self.context
                .telemetry
                .clients()
                .produced(RetryReason::QueueFull);
            let outcome = ProduceOutcome::Retry {
                reason: RetryReason::QueueFull,
                after_ms: NO_ROOM_RETRY_MS,
                leader: None,
            };
            return self.send(Frame::ProduceAck(ProduceAck { request, outcome }));
        };
        let outbox = self.outbox.clone();
        let route = ProduceRoute {
            outbox,
            request,
            since: clock::moment(),
            room,
            counted: self.awaiting_commit.hold(),
            place,
        };
        let input = ProduceInput {
            channel,
            producer,
            producer_epoch,
            base_producer_seq,
            events,
            route,
        };
        let worker = self.context.workers.of(channel);
        worker
            .clients
            .send(ClientInput::Produce(input))
            .await
            .map_err(|_| Ended)
    }

    /// Answers a request that takes its time, without holding up those behind it.
    async fn answer_later<F>(
        &self,
        request: u64,
        answer: impl FnOnce(Arc<SessionContext>) -> F,
    ) -> Result<(), Ended>
    where
        F: Future<Output = Frame> + Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| Ended)?;
        let answering = answer(Arc::clone(&self.context));
        let outbox = self.outbox.clone();
        let context = Arc::clone(&self.context);
        tokio::spawn(async move {
            let frame = answering.await;
            if let Frame::Refused(refusal) | Frame::AdminResponse(AdminResponse::Refused(refusal)) =
                &frame
            {
                context.telemetry.clients().refused(refusal.reason);
            }
            if outbox.send(frame).is_err() {
                tracing::trace!(request, "the client left before its answer");
            }
            drop(place);
        });
        Ok(())
    }

    fn send(&self, frame: Frame) -> Result<(), Ended> {
        self.outbox.send(frame).map_err(|_| Ended)
    }

    fn misplaced(&self, frame: FrameType) {
        tracing::warn!(
            client = %self.client,
            frame = frame.name(),
            "a client sent a frame that has no place in a stream of requests"
        );
        self.context
            .telemetry
            .transport()
            .frame_refused("misplaced");
    }
}

/// A refusal in answer to `request`.
pub(super) fn refused(request: u64, reason: RetryReason, detail: impl Into<String>) -> Refused {
    let retry_after_ms = match reason {
        RetryReason::NotLeader
        | RetryReason::NoLeader
        | RetryReason::Draining
        | RetryReason::QueueFull
        | RetryReason::Starting
        | RetryReason::UnknownChannel => Some(NO_ROOM_RETRY_MS),
        RetryReason::Invalid
        | RetryReason::Denied
        | RetryReason::Internal
        | RetryReason::Exists
        | RetryReason::NoPlacement
        | RetryReason::Diverged => None,
    };
    Refused {
        request,
        reason,
        retry_after_ms,
        leader: None,
        detail: detail.into(),
    }
}

async fn read_index(context: Arc<SessionContext>, read: ReadIndex) -> Frame {
    match confirm_leadership(&context, read.channel).await {
        Ok((epoch, commit)) => Frame::ReadIndexResponse(ReadIndexResponse {
            request: read.request,
            epoch,
            commit,
        }),
        Err(refusal) => Frame::Refused(Refused {
            request: read.request,
            ..refusal
        }),
    }
}

/// Asks the channel's leader, if it is here, to confirm that it leads.
pub(super) async fn confirm_leadership(
    context: &SessionContext,
    channel: tetrarch_wire::ChannelUid,
) -> Result<(tetrarch_wire::Epoch, tetrarch_wire::Seq), Refused> {
    let (reply, answer) = oneshot::channel();
    let input = ClientInput::ReadIndex { channel, reply };
    if context
        .workers
        .of(channel)
        .clients
        .send(input)
        .await
        .is_err()
    {
        return Err(refused(0, RetryReason::Starting, "the node is stopping"));
    }
    match answer.await {
        Ok(Ok(index)) => Ok(index),
        Ok(Err(leader)) => {
            let leader = leader.and_then(|voter| context.facts.node_of(channel, voter));
            let refusal = refused(0, RetryReason::NotLeader, "another node leads the channel");
            Err(Refused { leader, ..refusal })
        }
        Err(_) => Err(refused(
            0,
            RetryReason::UnknownChannel,
            "the channel is not on this node",
        )),
    }
}

async fn fetch_one(context: Arc<SessionContext>, fetch: Fetch) -> Frame {
    let request = fetch.request;
    match fetch_batches(&context, fetch).await {
        Ok(response) => Frame::FetchResponse(response),
        Err(refusal) => Frame::Refused(Refused { request, ..refusal }),
    }
}

/// Up to where a channel is read here, at least.
pub(super) async fn readable(
    context: &SessionContext,
    handle: &ChannelHandle,
    mode: ReadMode,
) -> Result<Seq, Refused> {
    let is_available = matches!(handle.genesis.class, ChannelClass::Available(_));
    match mode {
        ReadMode::Committed => Ok(handle.commit()),
        ReadMode::Local if is_available => Ok(handle.commit()),
        ReadMode::Local => {
            let detail = "local reads are for channels of the class available";
            Err(refused(0, RetryReason::Invalid, detail))
        }
        // More than one node may lead it, and none can say that it is the only one.
        ReadMode::Linearizable if is_available => {
            let detail = "linearizable reads are for channels of the class quorum";
            Err(refused(0, RetryReason::Invalid, detail))
        }
        ReadMode::Linearizable => Ok(confirm_leadership(context, handle.uid).await?.1),
    }
}

async fn fetch_batches(context: &SessionContext, fetch: Fetch) -> Result<FetchResponse, Refused> {
    let Some(handle) = context.registry.get(fetch.channel) else {
        return Err(refused(
            fetch.request,
            RetryReason::UnknownChannel,
            "the channel is not on this node",
        ));
    };
    let upto = readable(context, &handle, fetch.mode).await?;
    let from = match fetch.from {
        StartFrom::Start => handle.log_start(),
        StartFrom::Now => upto.next(),
        StartFrom::Seq(seq) => seq,
        StartFrom::After(position) => position.seq.next(),
    };
    let empty = FetchResponse {
        request: fetch.request,
        commit: handle.commit(),
        log_start: handle.log_start(),
        batches: Vec::new(),
    };
    if from > handle.commit() && fetch.wait_ms == 0 {
        return Ok(empty);
    }
    let (reply, answer) = oneshot::channel();
    let read = ReadRequest {
        channel: fetch.channel,
        from,
        max_bytes: fetch.max_bytes,
        reply,
    };
    // What is committed only has to come off the disk; what is not may take as long as was asked.
    let wait_ms = if from > handle.commit() {
        fetch.wait_ms
    } else {
        DISK_WAIT_MS
    };
    let wait = std::time::Duration::from_millis(wait_ms.into());
    if context
        .workers
        .of(fetch.channel)
        .clients
        .send(ClientInput::Read(read))
        .await
        .is_err()
    {
        return Err(refused(
            fetch.request,
            RetryReason::Starting,
            "the node is stopping",
        ));
    }
    match tokio::time::timeout(wait, answer).await {
        Err(_) => Ok(empty),
        Ok(Ok(ReadReply::Batches {
            batches,
            commit,
            log_start,
        })) => Ok(FetchResponse {
            request: fetch.request,
            commit,
            log_start,
            batches,
        }),
        Ok(Ok(ReadReply::Trimmed { log_start })) => {
            let detail = format!("retention has dropped everything before seq {log_start}");
            Err(refused(fetch.request, RetryReason::Invalid, detail))
        }
        Ok(Ok(ReadReply::Failed { why })) => {
            Err(refused(fetch.request, RetryReason::Internal, why))
        }
        Ok(Ok(ReadReply::Diverged { after })) => {
            let detail = format!("what comes after seq {after} is not what was read before");
            Err(refused(fetch.request, RetryReason::Diverged, detail))
        }
        Ok(Ok(ReadReply::Gone) | Err(_)) => Err(refused(
            fetch.request,
            RetryReason::UnknownChannel,
            "the channel is not on this node any more",
        )),
    }
}
