//! How much waits inside a replica. Each of these has a bound, whatever peers and clients say (I24).

use tetrarch_wire::Batch;

use crate::Replica;

/// What waits inside a replica at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// Messages and replies that wait until the election promise is durable.
    pub held: usize,
    /// Reads of the log under way.
    pub reads: usize,
    /// Bytes of batches that are in the log and not durable yet.
    pub undurable_bytes: usize,
    /// Bytes of events and batches that a leader accepted and that are not committed.
    pub unacked_bytes: usize,
    /// The batches among them, made and to be made.
    pub unacked_batches: usize,
    /// Requests of clients that wait to be committed.
    pub unacked_requests: usize,
    /// Answers that wait until a majority has confirmed the leader.
    pub unconfirmed: usize,
}

impl Replica {
    /// What waits at this moment.
    #[must_use]
    pub fn queues(&self) -> Queues {
        let (recent, durable) = (self.log.recent(), self.log.durable().seq);
        let undurable = recent.index_after(durable);
        let undurable = undurable.map_or(0, |index| recent.from(index).map(Batch::size).sum());
        let queues = Queues {
            held: self.durability.held(),
            reads: self.reads.len(),
            undurable_bytes: undurable,
            ..Queues::default()
        };
        let Some(leadership) = self.leadership.as_deref() else {
            return queues;
        };
        let (staging, in_flight) = (&leadership.staging, &leadership.in_flight);
        Queues {
            unacked_bytes: staging.bytes() + in_flight.bytes(),
            unacked_batches: staging.batches() + in_flight.batches(),
            unacked_requests: staging.requests() + in_flight.requests(),
            unconfirmed: leadership.unconfirmed.len(),
            ..queues
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Input, Settings, Ticket, testing::Bench};

    #[test]
    fn what_a_leader_took_and_has_not_committed_is_counted() {
        let mut bench = Bench::leader(3, Settings::default());
        assert_eq!(bench.replica.queues(), crate::Queues::default());
        bench.produce(1, 1, 2);
        bench.stage(2, 3, 1);
        bench.step(Input::ReadIndex { ticket: Ticket(3) });
        let queues = bench.replica.queues();
        assert_eq!((queues.unacked_requests, queues.unacked_batches), (2, 2));
        assert_eq!((queues.unconfirmed, queues.held), (1, 0));
        assert!(0 < queues.undurable_bytes && queues.undurable_bytes < queues.unacked_bytes);
        bench.persist_all();
        assert_eq!(bench.replica.queues().undurable_bytes, 0);
    }
}
