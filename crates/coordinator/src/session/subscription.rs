//! A stream of deliveries to one consumer, held back by the credit that the consumer gives.

use std::sync::Arc;

use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender},
};
use tetrarch_wire::{
    Batch, Frame, LogPosition, Seq,
    frame::{Deliver, Refused, RetryReason, StartFrom, Subscribe},
};
use tokio::sync::oneshot;

use super::{
    SessionContext,
    requests::{readable, refused},
};
use crate::{
    channel::{ClientInput, ReadReply, ReadRequest},
    registry::ChannelHandle,
};

/// Most bytes of one delivery: small enough that a frame holds it, with the one batch that a read
/// may return beyond it.
const DELIVERY_BYTES: u32 = 256 * 1024;

/// Serves the subscription until the client or the channel ends it.
pub(super) async fn serve(
    context: Arc<SessionContext>,
    client: Arc<Principal>,
    subscribe: Subscribe,
    mut sender: FrameSender,
    receiver: FrameReceiver,
) {
    let mut delivery = Delivery {
        context: &context,
        sender: &mut sender,
        receiver,
        credit: subscribe.credit,
    };
    let ended = match delivery.begin(&subscribe).await {
        Ok(begin) => delivery.run(&subscribe, &client.name, begin).await,
        Err(ended) => ended,
    };
    match ended {
        Ended::ByClient => {}
        Ended::Refused(refusal) => {
            tracing::info!(
                %client,
                reason = refusal.reason.name(),
                detail = %refusal.detail,
                "a subscription ends"
            );
            context.telemetry.clients().refused(refusal.reason);
            if let Err(error) = sender.send(&Frame::Refused(refusal)).await {
                tracing::debug!(%error, "the consumer left before it was told");
            }
        }
    }
    sender.finish();
}

/// How a subscription ends.
enum Ended {
    ByClient,
    Refused(Refused),
}

impl From<Refused> for Ended {
    fn from(refusal: Refused) -> Self {
        Self::Refused(refusal)
    }
}

struct Delivery<'a> {
    context: &'a SessionContext,
    sender: &'a mut FrameSender,
    receiver: FrameReceiver,
    /// How many bytes may still be delivered.
    credit: u64,
}

impl Delivery<'_> {
    /// The first seq to deliver.
    async fn begin(&mut self, subscribe: &Subscribe) -> Result<Seq, Ended> {
        let handle = self.handle(subscribe)?;
        let upto = readable(self.context, &handle, subscribe.mode).await?;
        match subscribe.from {
            StartFrom::Start => Ok(handle.log_start()),
            StartFrom::Now => Ok(upto.next()),
            StartFrom::Seq(seq) => Ok(seq.max(Seq::FIRST)),
            StartFrom::After(position) => self.resume(subscribe, position).await,
        }
    }

    fn handle(&self, subscribe: &Subscribe) -> Result<Arc<ChannelHandle>, Ended> {
        self.context.registry.get(subscribe.channel).ok_or_else(|| {
            let detail = "the channel is not on this node";
            refused(0, RetryReason::UnknownChannel, detail).into()
        })
    }

    /// Makes sure that a position read elsewhere is in this log too: a cursor never yields data of
    /// another history (protocol §15).
    async fn resume(&mut self, subscribe: &Subscribe, position: LogPosition) -> Result<Seq, Ended> {
        if position.seq == Seq::ZERO {
            return Ok(Seq::FIRST);
        }
        let read = self.read(subscribe, position.seq).await?;
        match read.batches.first() {
            Some(batch) if batch.position() == position => Ok(position.seq.next()),
            Some(_) | None => {
                let detail = format!("seq {} of this log is not what was read", position.seq);
                Err(refused(0, RetryReason::Diverged, detail).into())
            }
        }
    }

    async fn run(&mut self, subscribe: &Subscribe, client: &str, begin: Seq) -> Ended {
        let handle = match self.handle(subscribe) {
            Ok(handle) => handle,
            Err(ended) => return ended,
        };
        let shown = handle.telemetry.subscription(client);
        let mut next = begin;
        loop {
            let before = next;
            while self.credit == 0 {
                let frame = self.receiver.next().await;
                if let Err(ended) = self.on_client_frame(frame) {
                    return ended;
                }
            }
            let delivery = match self.read(subscribe, next).await {
                Ok(delivery) => delivery,
                Err(ended) => return ended,
            };
            if let Some(last) = delivery.batches.last() {
                next = last.last_seq().next();
            }
            let bytes = delivery.batches.iter().map(Batch::size).sum::<usize>() as u64;
            self.credit = self.credit.saturating_sub(bytes);
            let commit = delivery.commit;
            if self.sender.send(&Frame::Deliver(delivery)).await.is_err() {
                return Ended::ByClient;
            }
            handle.telemetry.delivered(next.since(before), bytes);
            shown.lag(commit.since(next.previous()));
        }
    }

    /// Waits for committed batches, and meanwhile for credit or for the client to leave.
    async fn read(&mut self, subscribe: &Subscribe, from: Seq) -> Result<Deliver, Ended> {
        let (reply, mut answer) = oneshot::channel();
        let channel = subscribe.channel;
        let request = ReadRequest {
            channel,
            from,
            max_bytes: DELIVERY_BYTES,
            reply,
        };
        let worker = self.context.workers.of(channel);
        if worker
            .clients
            .send(ClientInput::Read(request))
            .await
            .is_err()
        {
            return Err(refused(0, RetryReason::Starting, "the node is stopping").into());
        }
        loop {
            tokio::select! {
                biased;
                reply = &mut answer => return deliver(reply.unwrap_or(ReadReply::Gone)),
                frame = self.receiver.next() => self.on_client_frame(frame)?,
            }
        }
    }

    fn on_client_frame<E>(&mut self, frame: Result<Option<Frame>, E>) -> Result<(), Ended> {
        match frame {
            Ok(Some(Frame::SubscribeCredit(more))) => {
                self.credit = self.credit.saturating_add(more.bytes);
                Ok(())
            }
            Ok(Some(_) | None) | Err(_) => Err(Ended::ByClient),
        }
    }
}

fn deliver(reply: ReadReply) -> Result<Deliver, Ended> {
    match reply {
        ReadReply::Batches {
            batches,
            commit,
            log_start,
        } => Ok(Deliver {
            commit,
            log_start,
            batches,
        }),
        ReadReply::Trimmed { log_start } => {
            let detail = format!("retention has dropped everything before seq {log_start}");
            Err(refused(0, RetryReason::Invalid, detail).into())
        }
        ReadReply::Diverged { after } => {
            let detail = format!("what comes after seq {after} is not what was read before");
            Err(refused(0, RetryReason::Diverged, detail).into())
        }
        ReadReply::Gone => {
            let detail = "the channel is not on this node any more";
            Err(refused(0, RetryReason::UnknownChannel, detail).into())
        }
        ReadReply::Failed { why } => Err(refused(0, RetryReason::Internal, why).into()),
    }
}
