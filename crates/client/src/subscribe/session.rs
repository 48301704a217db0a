//! A subscription's stream to one node.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tetrarch_wire::{
    Batch, Frame, Seq,
    frame::{Subscribe, SubscribeCredit},
};
use tokio::time::Instant;

use crate::{
    Error, Result,
    core::unexpected,
    net::{Lost, NodeConnection},
    transport::{FrameReceiver, FrameSender},
};

pub(super) const WHAT: &str = "subscription";
const SOUND_AFTER: Duration = Duration::from_secs(1);

/// An open stream. Dropping it ends the subscription at the node.
#[derive(Debug)]
pub(super) struct Session {
    connection: Arc<NodeConnection>,
    sender: FrameSender,
    receiver: FrameReceiver,
    arrived: VecDeque<Batch>,
    credit: u64,
    consumed: u64,
    opened: Instant,
    /// Last committed seq known to the node.
    pub(super) commit: Seq,
    /// First seq that the node still has.
    pub(super) log_start: Seq,
}

impl Session {
    pub(super) async fn open(
        connection: Arc<NodeConnection>,
        subscribe: Subscribe,
    ) -> Result<Self> {
        let lost = |why: &Lost| Error::lost(WHAT, connection.name(), why);
        let (mut sender, receiver) = connection.stream().await.map_err(|why| lost(&why))?;
        let sent = sender.send(&Frame::Subscribe(subscribe)).await;
        sent.map_err(|error| lost(&error.into()))?;
        Ok(Self {
            connection,
            sender,
            receiver,
            arrived: VecDeque::new(),
            credit: subscribe.credit,
            consumed: 0,
            opened: Instant::now(),
            commit: Seq::ZERO,
            log_start: Seq::ZERO,
        })
    }

    pub(super) fn connection(&self) -> &NodeConnection {
        &self.connection
    }

    /// Whether it has served for long enough to begin counting trouble anew.
    pub(super) fn was_sound(&self) -> bool {
        self.opened.elapsed() >= SOUND_AFTER
    }

    /// The next batch. Cancel safe.
    ///
    /// # Errors
    /// If the node ends the subscription, or the stream is lost.
    pub(super) async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.arrived.pop_front() {
                self.consumed += batch.size() as u64;
                return Ok(batch);
            }
            self.give_credit().await?;
            let frame = self.receiver.next().await;
            match frame.map_err(|error| self.lost(&error.into()))? {
                Some(frame) => self.take(frame)?,
                None => return Err(self.ended("the node finished the stream".to_owned())),
            }
        }
    }

    fn take(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Deliver(deliver) => {
                self.commit = deliver.commit;
                self.log_start = deliver.log_start;
                self.arrived.extend(deliver.batches);
                Ok(())
            }
            Frame::Refused(refused) => Err(Error::refused(WHAT, self.connection.name(), refused)),
            Frame::Goodbye(goodbye) => Err(self.ended(goodbye.reason)),
            Frame::Close(close) => Err(self.ended(close.detail)),
            other => Err(unexpected(self.connection.name(), WHAT, &other)),
        }
    }

    /// Gives back what was consumed, half of the credit at a time.
    async fn give_credit(&mut self) -> Result<()> {
        if self.consumed >= self.credit / 2 {
            let bytes = std::mem::take(&mut self.consumed);
            let frame = Frame::SubscribeCredit(SubscribeCredit { bytes });
            let pushed = self.sender.push(&frame);
            pushed.map_err(|error| self.lost(&error.into()))?;
        }
        let flushed = self.sender.flush().await;
        flushed.map_err(|error| self.lost(&error.into()))
    }

    fn lost(&self, why: &Lost) -> Error {
        Error::lost(WHAT, self.connection.name(), why)
    }

    fn ended(&self, why: String) -> Error {
        Error::Lost {
            what: WHAT,
            node: self.connection.name().to_owned(),
            why,
        }
    }
}
