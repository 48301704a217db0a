//! Requests whose events are in the log and wait for the commit position to pass them.

use std::collections::VecDeque;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Link, Seq,
    frame::{AppendedRun, ProduceOutcome},
};

use crate::Ticket;

/// A request in the log.
#[derive(Clone, Debug)]
pub(crate) struct Answerable {
    pub(crate) ticket: Ticket,
    /// It is answered when this is committed.
    pub(crate) needs: Seq,
    /// Its new events; none if all were known.
    pub(crate) new: Option<AppendedRun>,
    pub(crate) earlier: Vec<AppendedRun>,
    pub(crate) link: Link,
}

impl Answerable {
    pub(crate) fn into_runs(self) -> Vec<AppendedRun> {
        let mut runs = self.earlier;
        runs.extend(self.new);
        runs
    }
}

/// All of them, by what they wait for, and the size of what is not committed.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    waiting: VecDeque<Answerable>,
    /// Last seq and size of each batch that is not committed.
    uncommitted: VecDeque<(Seq, usize)>,
    bytes: usize,
}

impl InFlight {
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn batches(&self) -> usize {
        self.uncommitted.len()
    }

    pub(crate) fn requests(&self) -> usize {
        self.waiting.len()
    }

    /// A batch was appended.
    pub(super) fn appended(&mut self, last: Seq, bytes: usize) {
        self.bytes += bytes;
        self.uncommitted.push_back((last, bytes));
    }

    /// A request waits. Nearly always for the end of the log, so that the queue stays in order.
    pub(super) fn push(&mut self, request: Answerable) {
        let index = match self.waiting.back() {
            Some(last) if last.needs > request.needs && !planted(Mutant::UnsortedWaiters) => self
                .waiting
                .partition_point(|other| other.needs <= request.needs),
            Some(_) | None => self.waiting.len(),
        };
        if index == self.waiting.len() {
            self.waiting.push_back(request);
        } else {
            self.waiting.insert(index, request);
        }
    }

    /// Takes out the requests that can be answered now.
    pub(crate) fn take_committed(&mut self, commit: Seq) -> Vec<Answerable> {
        while self
            .uncommitted
            .front()
            .is_some_and(|(seq, _)| *seq <= commit)
        {
            let gone = self.uncommitted.pop_front();
            self.bytes -= gone.map_or(0, |(_, bytes)| bytes);
        }
        let count = self.waiting.partition_point(|r| r.needs <= commit);
        self.waiting.drain(..count).collect()
    }

    /// Takes out the requests that lie after `point`, which is taken out of the log again before
    /// anybody saw it. What repeated known events can still have been committed.
    pub(crate) fn take_back(&mut self, point: Seq) -> Vec<(Ticket, ProduceOutcome)> {
        while self.uncommitted.back().is_some_and(|(seq, _)| *seq > point) {
            let gone = self.uncommitted.pop_back();
            self.bytes -= gone.map_or(0, |(_, bytes)| bytes);
        }
        let keep = self.waiting.partition_point(|r| r.needs <= point);
        let cut = self.waiting.split_off(keep);
        cut.into_iter()
            .map(|request| {
                let fresh = request.earlier.is_empty();
                let outcome = if fresh {
                    ProduceOutcome::StorageFull
                } else {
                    ProduceOutcome::Indeterminate
                };
                (request.ticket, outcome)
            })
            .collect()
    }

    /// Takes all requests out.
    pub(crate) fn drain_all(&mut self) -> Vec<Ticket> {
        self.uncommitted.clear();
        self.bytes = 0;
        self.waiting
            .drain(..)
            .map(|request| request.ticket)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ticket: u64, needs: u64) -> Answerable {
        Answerable {
            ticket: Ticket(ticket),
            needs: Seq::new(needs),
            new: None,
            earlier: Vec::new(),
            link: Link::from_bytes([0; 16]),
        }
    }

    #[test]
    fn requests_are_answered_in_the_order_of_what_they_need() {
        let mut in_flight = InFlight::default();
        for (ticket, needs) in [(1, 5), (2, 9), (3, 7), (4, 9)] {
            in_flight.push(request(ticket, needs));
        }
        let tickets: Vec<u64> = in_flight
            .take_committed(Seq::new(8))
            .iter()
            .map(|done| done.ticket.0)
            .collect();
        assert_eq!(tickets, [1, 3]);
        assert_eq!(in_flight.drain_all(), [Ticket(2), Ticket(4)]);
    }

    #[test]
    fn what_is_taken_back_is_told_apart_from_what_may_be_known() {
        let mut in_flight = InFlight::default();
        in_flight.appended(Seq::new(5), 100);
        in_flight.appended(Seq::new(9), 100);
        in_flight.push(request(1, 5));
        in_flight.push(request(2, 9));
        let cut = in_flight.take_back(Seq::new(5));
        assert_eq!(cut, [(Ticket(2), ProduceOutcome::StorageFull)]);
        assert_eq!((in_flight.bytes(), in_flight.batches()), (100, 1));
    }
}
