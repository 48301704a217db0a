//! The successor's side of a handover.

use tetrarch_wire::{Seq, frame::VoteKind};

use crate::{Context, Replica};

impl Replica {
    /// The leader tells this replica to stand. If it does not hold everything yet, it waits for
    /// the order to be repeated.
    pub(crate) fn on_transfer_now(&mut self, must_have: Seq, ctx: &mut Context<'_>) {
        if self.may_stand() && self.log.durable().seq >= must_have {
            self.stand(VoteKind::Transfer, "the leader hands over to it", ctx);
        }
    }
}
