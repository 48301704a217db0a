//! When events are acknowledged: durable on the leader and on so many stores as the channel asks for, or,
//! where so many cannot be reached in time, on as many as there are (protocol §8). The acknowledgement
//! says how many these are.

use tetrarch_wire::{MinCopies, Seq};

use crate::{Context, Moment, Replica, pressure::is_withdrawing};

/// Events that a leader holds durably and that lack copies elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// The last of them.
    upto: Seq,
    /// Since when they are waited for.
    since: Moment,
}

/// How far a log is held durably by its leader and, that one included, by `copies` stores, if these hold
/// it up to `durable`.
#[must_use]
pub fn held_by(own: Seq, mut durable: Vec<Seq>, copies: MinCopies) -> Seq {
    durable.sort_unstable();
    let by_so_many = durable.len().checked_sub(copies.get());
    let held = by_so_many.and_then(|index| durable.get(index).copied());
    held.map_or(Seq::ZERO, |seq| seq.min(own))
}

impl Replica {
    /// Counts again, as a leader.
    pub(crate) fn advance_by_copies(&mut self, copies: MinCopies, ctx: &mut Context<'_>) {
        let own = self.log.durable().seq;
        let mut held = held_by(own, self.durable_by_voter(), copies);
        let can_have = self.stores_within_reach() >= copies.get();
        let now = ctx.now.mono;
        let timeout = self.settings.copy_timeout;
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        if !can_have {
            held = own;
        }
        if let Some(lacking) = leadership.lacking
            && now.since(lacking.since) >= timeout
        {
            held = held.max(lacking.upto.min(own));
            leadership.lacking = None;
        }
        if leadership
            .lacking
            .is_some_and(|lacking| lacking.upto <= held)
        {
            leadership.lacking = None;
        }
        if held < own && leadership.lacking.is_none() {
            leadership.lacking = Some(Lacking {
                upto: own,
                since: now,
            });
        }
        self.committed(held, ctx);
    }

    /// How many stores can take a copy at the moment, the own one included.
    fn stores_within_reach(&self) -> usize {
        let followers = self.voting_followers();
        let able = followers.filter(|(_, one)| one.connected && !is_withdrawing(one.disk));
        1 + able.count()
    }

    /// Part of a leader's tick: what lacked copies for long enough is acknowledged without them.
    pub(crate) fn advance_commit_if_due(&mut self, ctx: &mut Context<'_>) {
        if self.copies_deadline().is_some_and(|at| at <= ctx.now.mono) {
            self.advance_commit(ctx);
        }
    }

    /// When events are acknowledged that lack copies.
    pub(crate) fn copies_deadline(&self) -> Option<Moment> {
        let lacking = self.leadership.as_ref()?.lacking?;
        Some(lacking.since.plus(self.settings.copy_timeout))
    }

    /// Whether `copies` are fewer than the channel asks for.
    pub(crate) fn is_degraded(&self, copies: usize) -> bool {
        self.min_copies().is_some_and(|least| copies < least.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_and_so_many_others_hold_it() {
        let held = |own, durable: &[u64], copies| {
            let durable = durable.iter().copied().map(Seq::new).collect();
            let copies = MinCopies::new(copies).unwrap();
            held_by(Seq::new(own), durable, copies).get()
        };
        assert_eq!(held(7, &[7, 3, 5], 1), 7);
        assert_eq!(held(7, &[7, 3, 5], 2), 5);
        assert_eq!(held(7, &[7, 3, 5], 3), 3);
        assert_eq!(held(4, &[4, 9, 9], 2), 4, "others hold more");
        assert_eq!(held(4, &[4], 2), 0, "there are too few");
    }
}
