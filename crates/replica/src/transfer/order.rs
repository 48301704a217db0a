//! The leader hands over: drain, wait, order, and vote for the successor.

use std::cmp::Reverse;

use tetrarch_fsm::TransitionSignal;
use tetrarch_wire::{
    ReplicaRole, VoterId,
    frame::{ChannelMessage, TransferNow},
};

use super::Transfer;
use crate::{AdminOutcome, Context, Effect, Moment, Replica, Ticket};

const ON_ORDER: &str = "gave up leadership on order";

impl Replica {
    /// An operator, or the node, wants another voter to lead.
    pub(crate) fn on_transfer(
        &mut self,
        ticket: Ticket,
        to: Option<VoterId>,
        forced: bool,
        ctx: &mut Context<'_>,
    ) {
        if let Err(outcome) = self.begin_transfer(ticket, to, forced, ctx) {
            ctx.effects.push(Effect::AdminDone { ticket, outcome });
        }
    }

    fn begin_transfer(
        &mut self,
        ticket: Ticket,
        to: Option<VoterId>,
        forced: bool,
        ctx: &mut Context<'_>,
    ) -> Result<(), AdminOutcome> {
        let hint = self.known_leader();
        let best = self.best_successor();
        let deadline = ctx.now.mono.plus(self.settings.transfer_timeout);
        let is_no_other = |to: VoterId| to == self.me || !self.config().contains(to);
        let is_to_nobody = to.is_some_and(is_no_other);
        let Some(leadership) = &mut self.leadership else {
            return Err(AdminOutcome::NotLeader(hint));
        };
        if leadership.transfer.is_some() {
            return Err(AdminOutcome::Failed("a handover is under way already"));
        }
        if is_to_nobody {
            return Err(AdminOutcome::Failed("the successor does not vote here"));
        }
        let Some(target) = to.or(best) else {
            if forced {
                self.give_up(ON_ORDER, ctx);
                return Err(AdminOutcome::Done);
            }
            return Err(AdminOutcome::Failed("there is no other voter"));
        };
        leadership.transfer = Some(Transfer {
            ticket: Some(ticket),
            target,
            forced,
            deadline,
            ordered: None,
        });
        self.check_transfer(ctx);
        Ok(())
    }

    /// The node itself wants this voter to lead.
    pub(crate) fn hand_over_to(&mut self, target: VoterId, ctx: &mut Context<'_>) {
        let deadline = ctx.now.mono.plus(self.settings.transfer_timeout);
        if let Some(leadership) = &mut self.leadership {
            leadership.transfer = Some(Transfer {
                ticket: None,
                target,
                forced: false,
                deadline,
                ordered: None,
            });
            self.check_transfer(ctx);
        }
    }

    /// The voter that needs the least to take over, one that is to stay and has room first.
    pub(crate) fn best_successor(&self) -> Option<VoterId> {
        let best = self.voting_followers().max_by_key(|(voter, one)| {
            let (stays, room) = (self.is_to_stay(*voter), Reverse(one.disk));
            (one.connected, stays, room, one.acked)
        });
        best.map(|(voter, _)| voter)
    }

    /// Whether the catalog wants that voter, as far as this replica knows.
    pub(crate) fn is_to_stay(&self, voter: VoterId) -> bool {
        let set = self.members.set.as_ref();
        set.is_none_or(|set| set.wants(voter))
    }

    /// Goes on with a handover: orders it when the successor holds everything, repeats the order
    /// if it was lost, and ends it when its time is over.
    pub(crate) fn check_transfer(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let Some(transfer) = self.leadership.as_ref().and_then(|l| l.transfer) else {
            return;
        };
        if transfer.deadline <= now {
            self.end_transfer(transfer, ctx);
        } else if self.successor_is_ready(&transfer) && self.order_is_due(&transfer, now) {
            let order = TransferNow {
                must_have: self.log.tail().seq,
            };
            if let Some(leadership) = &mut self.leadership {
                leadership.transfer = Some(Transfer {
                    ordered: Some(now),
                    ..transfer
                });
            }
            let epoch = self.epoch_seen();
            self.send(
                transfer.target,
                epoch,
                ChannelMessage::TransferNow(order),
                ctx,
            );
        }
    }

    fn order_is_due(&self, transfer: &Transfer, now: Moment) -> bool {
        let again = |at: Moment| now.since(at) >= self.settings.heartbeat;
        transfer.ordered.is_none_or(again)
    }

    /// Everything accepted is committed, and the successor holds it durably.
    fn successor_is_ready(&self, transfer: &Transfer) -> bool {
        let tail = self.log.tail().seq;
        self.leadership.as_ref().is_some_and(|leadership| {
            let follower = leadership.followers.get(&transfer.target);
            // A trim point that waits is proposed again by whoever leads then.
            leadership.staging.requests() == 0
                && self.commit == tail
                && follower.is_some_and(|follower| follower.acked == tail)
        })
    }

    /// The time is over: leads on, or gives up if that was the order.
    fn end_transfer(&mut self, transfer: Transfer, ctx: &mut Context<'_>) {
        if let Some(leadership) = &mut self.leadership {
            leadership.transfer = None;
        }
        let outcome = if transfer.forced {
            self.give_up(ON_ORDER, ctx);
            AdminOutcome::Done
        } else {
            AdminOutcome::Failed("the successor did not take over in time; this node leads on")
        };
        if let Some(ticket) = transfer.ticket {
            ctx.effects.push(Effect::AdminDone { ticket, outcome });
        }
    }

    /// When a handover wants attention next.
    pub(crate) fn transfer_deadline(&self) -> Option<Moment> {
        let transfer = self.leadership.as_ref()?.transfer?;
        // What was written since the order, as a trim point or the beginning of a later epoch, must get
        // there first.
        let ordered = transfer
            .ordered
            .filter(|_| self.successor_is_ready(&transfer));
        let again = ordered.map(|at| at.plus(self.settings.heartbeat));
        Some(again.map_or(transfer.deadline, |at| at.min(transfer.deadline)))
    }

    /// A leader votes for the successor that it told to stand: that is the end of its leadership.
    pub(crate) fn relinquish_to(&mut self, successor: VoterId, ctx: &mut Context<'_>) {
        if self.role.get() == ReplicaRole::Leader {
            self.relinquish(Some(successor), "handed over to the successor", ctx);
        }
    }

    /// Gives up leadership with nobody to take it, and leaves the next election to others.
    pub(crate) fn give_up(&mut self, reason: &'static str, ctx: &mut Context<'_>) {
        self.relinquish(None, reason, ctx);
        self.leave_the_election_to_others(ctx);
    }

    pub(crate) fn leave_the_election_to_others(&mut self, ctx: &mut Context<'_>) {
        let wait = self.settings.election_timeout * 2;
        self.silence.hold_off(ctx.now.mono.plus(wait));
    }

    fn relinquish(
        &mut self,
        successor: Option<VoterId>,
        reason: &'static str,
        ctx: &mut Context<'_>,
    ) {
        let signal = if successor.is_some() && self.is_pressed() {
            TransitionSignal::LeaderDiskPressureWithdraw
        } else if successor.is_some() && self.is_deselected() {
            TransitionSignal::PlacementDeselected
        } else {
            TransitionSignal::GracefulRelinquish
        };
        if self.change_role(ReplicaRole::Idle, signal, reason, ctx) {
            self.after_stepping_down(ReplicaRole::Leader, successor, ctx);
            if !self.parks_instead() {
                let signal = TransitionSignal::CapabilitySelected;
                self.change_role(ReplicaRole::Replica, signal, "follows again", ctx);
            }
        }
    }
}
