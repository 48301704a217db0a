//! Who waits for what: the requests that a worker has handed to its channels and not answered yet.

use crate::telemetry::Held;
use tetrarch_replica::{AdminOutcome, Moment, Ticket};
use tetrarch_wire::{
    Epoch, Frame, Seq, VoterId,
    frame::{ProduceAck, ProduceOutcome},
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

/// The outgoing side of a client's stream. It has no capacity of its own: what can be in it is
/// bounded by the permits that its requests hold until they are answered.
pub(crate) type Outbox = mpsc::UnboundedSender<Frame>;

/// Where the answer to a produce request goes.
#[derive(Debug)]
pub(crate) struct ProduceRoute {
    pub(crate) outbox: Outbox,
    pub(crate) request: u64,
    /// When the request arrived.
    pub(crate) since: Moment,
    /// Room in the node for the events; given back with the answer.
    pub(crate) room: OwnedSemaphorePermit,
    /// The request, as it is counted among those that wait.
    pub(crate) counted: Held,
    /// A place among the stream's requests; given back with the answer.
    pub(crate) place: OwnedSemaphorePermit,
}

impl ProduceRoute {
    /// Answers the request. Returns when it had arrived. A client that is gone by now needs no
    /// answer: it sends the events again, and they are recognised.
    pub(crate) fn answer(self, outcome: ProduceOutcome) -> Moment {
        let frame = Frame::ProduceAck(ProduceAck {
            request: self.request,
            outcome,
        });
        if self.outbox.send(frame).is_err() {
            tracing::trace!(request = self.request, "the client left before its answer");
        }
        drop((self.room, self.place, self.counted));
        self.since
    }
}

/// A request that waits.
#[derive(Debug)]
pub(crate) enum Waiting {
    Produce(ProduceRoute),
    Propose(oneshot::Sender<ProduceOutcome>),
    ReadIndex(oneshot::Sender<Result<(Epoch, Seq), Option<VoterId>>>),
    Admin(oneshot::Sender<AdminOutcome>),
}

/// The waiting requests of a worker, found by ticket in constant time.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    /// One more at each use, so that an old ticket never finds a new request.
    generation: u32,
    waiting: Option<Waiting>,
}

impl Tickets {
    /// Keeps a request.
    pub(crate) fn keep(&mut self, waiting: Waiting) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                waiting: None,
            });
            // Requests hold permits, of which there are far fewer than four thousand millions.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.waiting = Some(waiting);
        Ticket(u64::from(slot.generation) << 32 | u64::from(index))
    }

    /// Takes the request out to answer it.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Waiting> {
        let index = usize::try_from(ticket.0 & u64::from(u32::MAX)).ok()?;
        let generation = u32::try_from(ticket.0 >> 32).ok()?;
        let slot = self
            .slots
            .get_mut(index)
            .filter(|slot| slot.generation == generation)?;
        let waiting = slot.waiting.take()?;
        self.free.push(u32::try_from(index).ok()?);
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_finds_its_request_once_and_never_another() {
        let mut tickets = Tickets::default();
        let waiting = || Waiting::Admin(oneshot::channel().0);
        let first = tickets.keep(waiting());
        assert!(tickets.take(first).is_some());
        assert!(tickets.take(first).is_none());
        let second = tickets.keep(waiting());
        assert!(tickets.take(first).is_none());
        assert!(tickets.take(second).is_some());
    }
}
