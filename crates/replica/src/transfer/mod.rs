//! An orderly handover (protocol §13): the leader stops taking events, waits until its successor
//! holds everything, and tells it to stand. Its own vote for the successor is what ends its
//! leadership. `order` is the old leader's side, `successor` the new one's, and `outcome` tells
//! the operator how it went.

mod order;
mod outcome;
mod successor;
#[cfg(test)]
mod tests;

use tetrarch_wire::VoterId;

use crate::{Moment, Ticket};

/// A handover under way, at the leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    /// `None` if the node itself wants it, because its disk fills up.
    ticket: Option<Ticket>,
    pub(crate) target: VoterId,
    /// Leadership is given up at the deadline even if nobody took over.
    forced: bool,
    deadline: Moment,
    /// When the successor was told to stand last.
    ordered: Option<Moment>,
}

impl Transfer {
    /// Who was told to stand: only it gets a vote although the leader is alive.
    pub(crate) const fn ordered_to(&self) -> Option<VoterId> {
        match self.ordered {
            Some(_) => Some(self.target),
            None => None,
        }
    }
}

/// A handover seen from the former leader: who should be heard next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handover {
    ticket: Ticket,
    target: VoterId,
    deadline: Moment,
}
