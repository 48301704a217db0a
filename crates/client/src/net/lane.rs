//! One request stream: requests leave in the order in which they were handed over, answers come
//! back in any order and find their way by the number of the request. Many callers share a lane,
//! so that small requests leave in common writes and the peer's limit of streams is not used up.

use std::{collections::HashMap, fmt};

use quinn::ConnectionError;
use tetrarch_wire::{
    Frame,
    frame::{AdminResponse, CloseCode},
};
use tokio::sync::{mpsc, oneshot};

use crate::transport::{FrameReceiver, FrameSender, ReceiveError, SendError};

/// Requests that may wait to be encoded.
const QUEUE: usize = 64;
/// Encoded bytes beyond which no further request is taken from the queue.
const MAX_ENCODED: usize = 1 << 20;
/// Unanswered requests beyond which those that nobody waits for any more are forgotten.
const MANY_PENDING: usize = 1_024;

/// The stream ended; what was asked on it may or may not have been carried out.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// For people.
    pub(crate) text: String,
    /// What became of the connection, if it is gone with the stream.
    pub(crate) connection: Option<ConnectionError>,
}

impl Lost {
    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            connection: None,
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<SendError> for Lost {
    fn from(error: SendError) -> Self {
        let text = error.to_string();
        let connection = match error {
            SendError::Lost(connection) => Some(connection),
            SendError::Encode(_) | SendError::Stopped { .. } | SendError::Closed => None,
        };
        Self { text, connection }
    }
}

impl From<ReceiveError> for Lost {
    fn from(error: ReceiveError) -> Self {
        let text = error.to_string();
        let connection = match error {
            ReceiveError::Lost(connection) => Some(connection),
            ReceiveError::Malformed(_)
            | ReceiveError::TooSlow { .. }
            | ReceiveError::CutShort
            | ReceiveError::Reset { .. }
            | ReceiveError::Closed => None,
        };
        Self { text, connection }
    }
}

/// What comes back for a request: a frame, or the end of the lane.
pub(crate) type Answer = Result<Frame, Lost>;

/// Where an answer goes.
#[derive(Debug)]
pub(crate) enum ReplyTo {
    /// To a caller who waits for this one answer.
    Once(oneshot::Sender<Answer>),
    /// To a caller with many requests, who bounds their number.
    Many(mpsc::UnboundedSender<(u64, Answer)>),
}

impl ReplyTo {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Once(caller) => !caller.is_closed(),
            Self::Many(caller) => !caller.is_closed(),
        }
    }

    /// A caller who has gone away does not want the answer.
    fn send(self, request: u64, answer: Answer) {
        let unwanted = match self {
            Self::Once(caller) => caller.send(answer).is_err(),
            Self::Many(caller) => caller.send((request, answer)).is_err(),
        };
        if unwanted {
            tracing::trace!(request, "nobody waits for the answer any more");
        }
    }
}

struct Request {
    number: u64,
    frame: Frame,
    reply: ReplyTo,
}

/// A handle of a lane. The stream is finished when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    requests: mpsc::Sender<Request>,
}

impl Lane {
    /// Takes over both halves of a stream.
    pub(crate) fn open(sender: FrameSender, receiver: FrameReceiver) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE);
        let task = LaneTask {
            sender,
            receiver,
            queue,
            pending: HashMap::new(),
        };
        tokio::spawn(task.run());
        Self { requests }
    }

    /// Whether the stream has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Hands a request over, waiting while the queue is full. The answer goes to `reply` in any
    /// case, be it the end of the lane.
    pub(crate) async fn request(&self, number: u64, frame: Frame, reply: ReplyTo) {
        let request = Request {
            number,
            frame,
            reply,
        };
        if let Err(mpsc::error::SendError(request)) = self.requests.send(request).await {
            let closed = Lost::new("the stream had been closed");
            request.reply.send(request.number, Err(closed));
        }
    }

    /// Asks once and waits for the answer.
    pub(crate) async fn ask(&self, number: u64, frame: Frame) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.request(number, frame, ReplyTo::Once(reply)).await;
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(Lost::new("the stream was abandoned")),
        }
    }
}

struct LaneTask {
    sender: FrameSender,
    receiver: FrameReceiver,
    queue: mpsc::Receiver<Request>,
    pending: HashMap<u64, ReplyTo>,
}

impl LaneTask {
    async fn run(mut self) {
        let lost = match self.serve().await {
            Ok(()) => Lost::new("the stream was closed on this side"),
            Err(lost) => lost,
        };
        tracing::debug!(%lost, pending = self.pending.len(), "a request stream ended");
        self.sender.finish();
        self.receiver.stop(CloseCode::Normal);
        self.queue.close();
        while let Ok(request) = self.queue.try_recv() {
            self.pending.insert(request.number, request.reply);
        }
        for (number, reply) in self.pending.drain() {
            reply.send(number, Err(lost.clone()));
        }
    }

    /// Sends and receives until every handle is gone or the stream fails.
    async fn serve(&mut self) -> Result<(), Lost> {
        loop {
            let may_take = self.sender.queued_bytes() < MAX_ENCODED;
            tokio::select! {
                frame = self.receiver.next() => match frame? {
                    Some(frame) => self.dispatch(frame)?,
                    None => return Err(Lost::new("the node finished the stream")),
                },
                request = self.queue.recv(), if may_take => match request {
                    Some(request) => self.take(request),
                    None => return Ok(()),
                },
                flushed = self.sender.flush(), if !self.sender.is_idle() => flushed?,
            }
        }
    }

    /// Encodes a request and whatever waits behind it.
    fn take(&mut self, first: Request) {
        if self.pending.len() >= MANY_PENDING {
            self.pending.retain(|_, reply| reply.is_wanted());
        }
        let mut next = Some(first);
        while let Some(request) = next {
            match self.sender.push(&request.frame) {
                Ok(()) => {
                    self.pending.insert(request.number, request.reply);
                }
                Err(error) => request.reply.send(request.number, Err(error.into())),
            }
            if self.sender.queued_bytes() >= MAX_ENCODED {
                return;
            }
            next = self.queue.try_recv().ok();
        }
    }

    fn dispatch(&mut self, frame: Frame) -> Result<(), Lost> {
        let number = match &frame {
            Frame::ProduceAck(answer) => answer.request,
            Frame::FetchResponse(answer) => answer.request,
            Frame::ReadIndexResponse(answer) => answer.request,
            Frame::MetadataResponse(answer) => answer.request,
            Frame::AdminResponse(AdminResponse::Refused(refused)) | Frame::Refused(refused) => {
                refused.request
            }
            Frame::AdminResponse(answer) => answer.request(),
            Frame::Goodbye(goodbye) => {
                return Err(Lost::new(&format!("the node stops: {}", goodbye.reason)));
            }
            Frame::Close(close) => {
                let text = format!("the node closes ({}): {}", close.code.name(), close.detail);
                return Err(Lost::new(&text));
            }
            other => {
                let text = format!("a {} is no answer", other.frame_type().name());
                return Err(Lost::new(&text));
            }
        };
        if let Some(reply) = self.pending.remove(&number) {
            reply.send(number, Ok(frame));
        } else {
            tracing::debug!(number, "an answer to nothing that is awaited");
        }
        Ok(())
    }
}
