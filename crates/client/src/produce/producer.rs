//! The handle of a producer.

use std::{fmt, sync::Arc};

use tetrarch_wire::{Event, ProducerId, batch::EventBlock};

use super::{Ack, BatchTicket, ProducerOptions, Ticket, gather::Gather, task::ProducerTask};
use crate::{Error, Result, core::Core, tls::random_bytes};

/// Publishes to one channel, exactly once and in order: events that one task sends one after the
/// other are appended in that order. Cloning is cheap; clones are the same producer. When the last
/// one is dropped without [`Self::close`], events that are still on their way are abandoned.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

struct Handle {
    channel: String,
    id: ProducerId,
    gather: Arc<Gather>,
}

impl Drop for Handle {
    /// Ends the task.
    fn drop(&mut self) {
        self.gather.fail(&Error::Closed { what: "producer" });
    }
}

impl Producer {
    pub(crate) async fn open(
        core: Arc<Core>,
        channel: &str,
        options: ProducerOptions,
    ) -> Result<Self> {
        let uid = core.route(channel).await?.uid;
        let id = random_bytes().map_err(Arc::new)?;
        let id = ProducerId::from_bytes(id);
        let options = options.sane();
        let gather = Arc::new(Gather::new(options.clone()));
        let task = ProducerTask::new(core, Arc::clone(&gather), channel, uid, id, options);
        tokio::spawn(task.run());
        let handle = Handle {
            channel: channel.to_owned(),
            id,
            gather,
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    /// The channel's name.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.handle.channel
    }

    /// Under which id the events are deduplicated.
    #[must_use]
    pub fn id(&self) -> ProducerId {
        self.handle.id
    }

    /// Publishes an event and waits until it is in the log.
    ///
    /// # Errors
    /// Why it is not, or why that is unknown.
    pub async fn publish(&self, event: Event) -> Result<Ack> {
        self.send(event).await?.acked().await
    }

    /// Hands an event over, waiting only while too much is on its way; its ticket tells the rest.
    ///
    /// # Errors
    /// If the event exceeds a limit, or the producer is closed or fenced.
    pub async fn send(&self, event: Event) -> Result<Ticket> {
        self.handle.gather.send(&event).await
    }

    /// Hands events over, waiting while too much is on its way. They stay in order, but may be
    /// appended in several batches.
    ///
    /// # Errors
    /// If an event exceeds a limit (none is handed over then), or the producer is closed or
    /// fenced.
    pub async fn send_batch(&self, events: &[Event]) -> Result<BatchTicket> {
        self.handle.gather.send_batch(events).await
    }

    /// Hands events over that are encoded already, waiting while too much is on its way.
    ///
    /// # Errors
    /// If the producer is closed or fenced.
    pub async fn send_block(&self, block: EventBlock) -> Result<BatchTicket> {
        self.handle.gather.send_block(block).await
    }

    /// Waits until everything that was handed over before is settled.
    ///
    /// # Errors
    /// The first failure since the last flush, if there was one.
    pub async fn flush(&self) -> Result<()> {
        self.handle.gather.flush().await
    }

    /// Accepts nothing further, on any clone, and waits until everything is settled.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn close(self) -> Result<()> {
        self.handle.gather.close();
        self.flush().await
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("channel", &self.handle.channel)
            .field("id", &self.handle.id)
            .finish_non_exhaustive()
    }
}
