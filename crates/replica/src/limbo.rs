//! Limbo: the store has found that something which this replica had made durable is missing, and so it
//! does not know what it acknowledged and for whom it voted (protocol §11.4).
//!
//! What it forgot lies in epochs up to the claim, and it begins with a promise above that. So it follows
//! a leader only in an epoch in which it has never said anything, and what it acknowledges there is as
//! good as anybody's. What it lacks is a vote: until its log holds a batch of such an epoch durably, and
//! with it everything that its forgotten acknowledgements can have committed, it would help a candidate
//! that lacks that.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{HardState, Limbo, LogPosition};

use crate::{Context, Replica};

/// Whether a voter in limbo may vote again that holds its log durably up to `durable`. Batches of
/// epochs above the claim are of leaders that were elected without it, by a majority in which somebody
/// has everything that was committed with its help and is forgotten here.
#[must_use]
pub fn may_leave_limbo(limbo: Limbo, durable: LogPosition) -> bool {
    durable.epoch.n > limbo.claim
}

impl Replica {
    /// Why this replica neither votes nor stands, if so.
    pub(crate) fn limbo(&self) -> Option<Limbo> {
        self.hard_state
            .limbo
            .filter(|_| !planted(Mutant::LimboVotes))
    }

    /// Part of each step.
    pub(crate) fn leave_limbo_if_due(&mut self, ctx: &mut Context<'_>) {
        let Some(limbo) = self.hard_state.limbo else {
            return;
        };
        let told = self.following.told;
        let is_due = if planted(Mutant::LeavesLimboAtCommit) {
            told.is_some_and(|told| self.log.durable().seq >= told)
        } else {
            may_leave_limbo(limbo, self.log.durable())
        };
        if is_due && self.halted.is_none() {
            let promise = HardState {
                limbo: None,
                ..self.hard_state
            };
            self.persist_hard_state(promise, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{
        Epoch, LogPosition, Seq,
        frame::{ChannelMessage, NackCode, RefusalReason, TransferNow, VoteKind},
    };

    use super::*;
    use crate::{
        Effect, LogWrite, Settings,
        testing::{Bench, sent, signals, written},
    };

    const CLAIM: u64 = 40;

    fn in_limbo() -> Bench {
        Bench::with(3, Settings::default(), |recovered| {
            recovered.hard_state = HardState::in_limbo(CLAIM);
            recovered.commit_hint = Seq::new(9);
        })
    }

    /// Another voter asks for its vote in the epoch `n`.
    fn refusal(bench: &mut Bench, kind: VoteKind, n: u64) -> Option<RefusalReason> {
        let mut effects = bench.ask(kind, n, bench.origin());
        effects.extend(bench.persist_all());
        match sent(&effects)[..] {
            [ChannelMessage::VoteResponse(response)] => response.refusal,
            ref other => panic!("one answer expected, not {other:?}"),
        }
    }

    fn acknowledged(effects: &[Effect]) -> Vec<Seq> {
        let messages = sent(effects).into_iter();
        let acks = messages.filter_map(|message| {
            if let ChannelMessage::AppendAck(ack) = message {
                Some(ack.durable)
            } else {
                None
            }
        });
        acks.collect()
    }

    #[test]
    fn who_may_have_forgotten_a_vote_neither_votes_nor_stands() {
        let mut bench = in_limbo();
        for kind in [VoteKind::Pre, VoteKind::Vote, VoteKind::Transfer] {
            let limbo = Some(RefusalReason::Limbo);
            assert_eq!(refusal(&mut bench, kind, CLAIM + 2), limbo);
            assert_eq!(refusal(&mut bench, kind, CLAIM), Some(RefusalReason::Stale));
        }
        assert_eq!(signals(&bench.wait(60_000)), []);
        let order = ChannelMessage::TransferNow(TransferNow {
            must_have: Seq::ZERO,
        });
        bench.message(1, bench.epoch(CLAIM + 5), order.clone());
        bench.persist_all();
        let effects = bench.message(1, bench.epoch(CLAIM + 5), order);
        assert_eq!(signals(&effects), []);
        assert_eq!(bench.replica.view().limbo, Some(Limbo { claim: CLAIM }));
    }

    #[test]
    fn the_leader_of_an_epoch_that_may_be_forgotten_is_told_that_it_is_over() {
        let mut bench = in_limbo();
        let first = bench.epoch_start(CLAIM, &bench.origin());
        let effects = bench.append(1, bench.origin(), 0, vec![first]);
        assert!(written(&effects).is_empty());
        let [ChannelMessage::AppendNack(nack)] = sent(&effects)[..] else {
            panic!("a refusal expected, not {effects:?}");
        };
        assert_eq!(nack.code, NackCode::Stale);
    }

    /// What was acknowledged before the damage may still be on its way. A commit position says nothing
    /// about it, and the first batch of a later leader does.
    #[test]
    fn limbo_ends_with_a_durable_batch_of_a_later_epoch_and_not_with_the_commit_position() {
        let mut bench = in_limbo();
        let old = bench.noop(3, &bench.origin(), 4);
        let start = bench.epoch_start(CLAIM + 3, &old.position());
        // The leader of the later epoch gives what was committed once, and then its own first batch.
        bench.append(CLAIM + 3, bench.origin(), 4, vec![old.clone()]);
        let given = bench.persist_all();
        assert_eq!(acknowledged(&given), [Seq::new(4)], "it is as good as new");
        assert!(bench.replica.view().limbo.is_some());
        bench.append(CLAIM + 3, old.position(), 4, vec![start]);
        assert!(bench.replica.view().limbo.is_some(), "it is not durable");
        let ends = bench.persist_all();
        let ended = |write: &&LogWrite| matches!(write, LogWrite::HardState(promise) if promise.limbo.is_none());
        assert_eq!(written(&ends).iter().copied().filter(ended).count(), 1);
        bench.persist_all();
        assert_eq!(bench.replica.view().limbo, None);
        // As after any restart: it votes for a log that is as good as its own.
        bench.now_ms += 10_000;
        let refused = refusal(&mut bench, VoteKind::Vote, CLAIM + 4);
        assert_eq!(refused, Some(RefusalReason::Log));
    }

    /// What is left of its log may be what had been cut off before something else was committed there.
    #[test]
    fn what_was_cut_and_is_there_again_may_be_cut_once_more() {
        let mut bench = Bench::with(3, Settings::default(), |recovered| {
            let end = LogPosition {
                seq: Seq::new(5),
                epoch: Epoch::new(2, recovered.tail.epoch.leader),
                ..recovered.tail
            };
            recovered.hard_state = HardState::in_limbo(CLAIM);
            recovered.tail = end;
            recovered.commit_hint = Seq::new(5);
        });
        assert_eq!(bench.replica.commit_floor(), Seq::ZERO);
        assert_eq!(signals(&bench.wait(60_000)), []);
    }
}
