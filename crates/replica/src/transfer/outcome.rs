//! What the former leader tells whoever ordered the handover.

use tetrarch_wire::VoterId;

use super::{Handover, Transfer};
use crate::{AdminOutcome, Context, Effect, Replica};

impl Replica {
    /// Leadership ended during a handover: whether it worked shows when a leader is heard.
    pub(crate) fn transfer_continues(&mut self, transfer: Transfer, ctx: &mut Context<'_>) {
        self.finish_handover(AdminOutcome::Failed("another handover followed"), ctx);
        let Some(ticket) = transfer.ticket else {
            return;
        };
        self.handover = Some(Handover {
            ticket,
            target: transfer.target,
            deadline: ctx.now.mono.plus(self.settings.transfer_timeout),
        });
    }

    /// A leader is heard.
    pub(crate) fn handover_ends(&mut self, leader: VoterId, ctx: &mut Context<'_>) {
        if let Some(handover) = self.handover {
            let outcome = if handover.target == leader {
                AdminOutcome::Done
            } else {
                AdminOutcome::Failed("another voter leads now")
            };
            self.finish_handover(outcome, ctx);
        }
    }

    /// Nobody was heard in time.
    pub(crate) fn check_handover(&mut self, ctx: &mut Context<'_>) {
        if self.handover.is_some_and(|h| h.deadline <= ctx.now.mono) {
            let outcome = AdminOutcome::Failed("no new leader was heard in time");
            self.finish_handover(outcome, ctx);
        }
    }

    fn finish_handover(&mut self, outcome: AdminOutcome, ctx: &mut Context<'_>) {
        if let Some(Handover { ticket, .. }) = self.handover.take() {
            ctx.effects.push(Effect::AdminDone { ticket, outcome });
        }
    }

    /// When a handover is given up for failed.
    pub(crate) fn handover_deadline(&self) -> Option<crate::Moment> {
        self.handover.map(|handover| handover.deadline)
    }
}
