//! Asking for what a damaged segment lacks.

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_wire::{
    Epoch, Seq, VoterId,
    frame::{ChannelMessage, RepairAnswer, RepairRequest, RepairResponse},
};

use super::{MendOutcome, Repair, Step};
use crate::{Context, Effect, HaltReason, Lane, Moment, Replica};

/// The longest pause is so many heartbeats, as a power of two.
const LONGEST_PAUSE: u32 = 7;

impl Replica {
    /// A segment of the own log is damaged.
    pub(crate) fn on_damaged(&mut self, segment: Seq, ctx: &mut Context<'_>) {
        if self.repair.is_some() {
            return; // One after the other; it will be told again.
        }
        if self.others().next().is_none() {
            // Nobody else has it.
            self.halt(HaltReason::Corrupt, ctx);
            return;
        }
        self.repair = Some(Repair {
            segment,
            lacks: None,
            furthest: Seq::ZERO,
            fruitless: 0,
            turn: 0,
            givers: BTreeSet::new(),
            asked: BTreeMap::new(),
            without_it: BTreeSet::new(),
            is_outdated: self.durability.is_truncating(),
            step: Step::Mending { given_by: None },
        });
        ctx.effects.push(Effect::Mend {
            segment,
            batches: Vec::new(),
        });
    }

    /// The store has tried to mend the segment.
    pub(crate) fn on_mended(&mut self, segment: Seq, outcome: MendOutcome, ctx: &mut Context<'_>) {
        let Some(repair) = &mut self.repair else {
            return;
        };
        let given_by = match repair.step {
            Step::Mending { given_by } if repair.segment == segment => given_by,
            Step::Mending { .. } | Step::Asking { .. } | Step::Resting { .. } => return,
        };
        if outcome != MendOutcome::Done && self.asks_store_anew(ctx) {
            return;
        }
        let Some(repair) = &mut self.repair else {
            return;
        };
        match outcome {
            MendOutcome::Done => self.repair = None,
            MendOutcome::Lacks { after, upto } => {
                let known = repair.lacks.replace((after, upto));
                if known != repair.lacks {
                    repair.asked.clear();
                }
                match known.map(|(before, _)| before < after) {
                    Some(true) => {
                        if after > repair.furthest {
                            repair.furthest = after;
                            repair.fruitless = 0;
                            repair.without_it.clear();
                        }
                        self.ask_for_repair(ctx);
                    }
                    Some(false) => self.ask_the_others(None, ctx),
                    None => self.ask_for_repair(ctx),
                }
            }
            MendOutcome::Contradicted => {
                repair.lacks = None;
                let givers = std::mem::take(&mut repair.givers);
                if given_by.is_some_and(|voter| givers.iter().all(|giver| *giver == voter)) {
                    self.ask_the_others(given_by, ctx);
                } else {
                    // Nobody can tell yet whose history is another one. Who gave last has what is lacking:
                    // it is asked for all of it.
                    self.ask_once_more(ctx);
                }
            }
            MendOutcome::Failed => {
                repair.lacks = None;
                repair.givers.clear();
                repair.fruitless += 1;
                repair.turn += 1;
                self.rest_from_repair(ctx);
            }
        }
    }

    /// A voter answered. That it does not have it counts if its question is open. What it gives counts
    /// later as well, as long as it is what is lacking: a disk may take longer to read it than an answer is
    /// waited for.
    pub(crate) fn on_repair_response(
        &mut self,
        from: VoterId,
        response: RepairResponse,
        ctx: &mut Context<'_>,
    ) {
        let Some(repair) = &mut self.repair else {
            return;
        };
        let gives = !response.batches.is_empty();
        let is_last_of_its = repair.asked.get(&from) == Some(&response.request);
        match repair.step {
            Step::Asking { voter, request, .. } if voter == from && request == response.request => {
            }
            Step::Asking { .. } | Step::Resting { .. } if gives && is_last_of_its => {}
            Step::Asking { .. } | Step::Mending { .. } | Step::Resting { .. } => return,
        }
        if self.asks_store_anew(ctx) {
            return;
        }
        if !gives {
            let has_not = response.answers.first() == Some(&RepairAnswer::Never);
            self.ask_the_others(has_not.then_some(from), ctx);
            return;
        }
        let Some(repair) = &mut self.repair else {
            return;
        };
        repair.givers.insert(from);
        repair.step = Step::Mending {
            given_by: Some(from),
        };
        ctx.effects.push(Effect::Mend {
            segment: repair.segment,
            batches: response.batches,
        });
    }

    /// Nobody has answered in time, or the pause is over.
    pub(crate) fn check_repair(&mut self, ctx: &mut Context<'_>) {
        let due = self.repair_deadline();
        if due.is_none_or(|until| until > ctx.now.mono) || self.asks_store_anew(ctx) {
            return;
        }
        match self.repair.as_ref().map(|repair| repair.step) {
            Some(Step::Asking { .. }) => self.ask_the_others(None, ctx),
            Some(Step::Resting { .. }) => self.ask_for_repair(ctx),
            Some(Step::Mending { .. }) | None => {}
        }
    }

    /// The log was cut.
    pub(crate) fn note_cut_while_mending(&mut self) {
        if let Some(repair) = &mut self.repair {
            repair.is_outdated = true;
        }
    }

    /// What the store said before a cut, and voters of that, counts no more: the store is asked again once it
    /// knows of the cut.
    fn asks_store_anew(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(repair) = self.repair.as_mut().filter(|one| one.is_outdated) else {
            return false;
        };
        repair.lacks = None;
        repair.furthest = Seq::ZERO;
        repair.fruitless = 0;
        repair.givers.clear();
        repair.without_it.clear();
        if self.durability.is_truncating() {
            let until = ctx.now.mono.plus(self.settings.heartbeat);
            repair.step = Step::Resting { until };
        } else {
            repair.is_outdated = false;
            self.ask_for_repair(ctx);
        }
        true
    }

    pub(crate) fn repair_deadline(&self) -> Option<Moment> {
        match self.repair.as_ref()?.step {
            Step::Asking { until, .. } | Step::Resting { until } => Some(until),
            Step::Mending { .. } => None,
        }
    }

    /// The first seq of the segment that is being mended.
    #[must_use]
    pub fn repairing(&self) -> Option<Seq> {
        self.repair.as_ref().map(|repair| repair.segment)
    }

    /// Whether a segment is being mended, and nobody waits for a pause to end.
    pub(crate) fn is_repair_active(&self) -> bool {
        self.repair
            .as_ref()
            .is_some_and(|repair| match repair.step {
                Step::Mending { .. } | Step::Asking { .. } => true,
                Step::Resting { .. } => false,
            })
    }

    /// An attempt has brought nothing, perhaps because a voter does not have what is lacking.
    fn ask_the_others(&mut self, without_it: Option<VoterId>, ctx: &mut Context<'_>) {
        let voters = self.config().voters().len();
        let majority = self.config().majority();
        let Some(repair) = &mut self.repair else {
            return;
        };
        repair.without_it.extend(without_it);
        repair.turn += 1;
        let cannot_be_committed = repair.without_it.len() > voters - majority;
        self.ask_once_more(ctx);
        if cannot_be_committed {
            self.halt(HaltReason::Corrupt, ctx);
        }
    }

    /// An attempt has brought nothing: the next one, after a pause if there were as many as there are
    /// voters to ask.
    fn ask_once_more(&mut self, ctx: &mut Context<'_>) {
        let others = self.config().voters().len().max(2) - 1;
        let Some(repair) = &mut self.repair else {
            return;
        };
        repair.fruitless = repair.fruitless.saturating_add(1);
        if (repair.fruitless as usize).is_multiple_of(others) {
            repair.without_it.clear();
            self.rest_from_repair(ctx);
        } else {
            self.ask_for_repair(ctx);
        }
    }

    /// Everybody was asked in vain: again after a pause that doubles.
    fn rest_from_repair(&mut self, ctx: &mut Context<'_>) {
        if let Some(repair) = &mut self.repair {
            let doublings = repair.fruitless.min(LONGEST_PAUSE);
            let pause = self.settings.heartbeat * (1 << doublings);
            let until = ctx.now.mono.plus(pause);
            repair.step = Step::Resting { until };
        }
    }

    fn ask_for_repair(&mut self, ctx: &mut Context<'_>) {
        let request = self.next_request();
        let mut voters: Vec<VoterId> = self.others().collect();
        voters.sort_by_key(|voter| self.silence.is_lost(*voter));
        let until = ctx.now.mono.plus(self.settings.election_timeout);
        let Some(repair) = &mut self.repair else {
            return;
        };
        let Some((after, upto)) = repair.lacks else {
            // It has to be begun anew.
            repair.step = Step::Mending { given_by: None };
            ctx.effects.push(Effect::Mend {
                segment: repair.segment,
                batches: Vec::new(),
            });
            return;
        };
        let Some(voter) = voters.get(repair.turn % voters.len().max(1)) else {
            self.repair = None;
            return;
        };
        let voter = *voter;
        repair.asked.insert(voter, request);
        repair.step = Step::Asking {
            voter,
            request,
            until,
        };
        let asked = RepairRequest {
            request,
            ranges: vec![(after.next(), upto, None)],
        };
        ctx.effects.push(Effect::Send {
            to: voter,
            epoch: Epoch::NONE,
            message: ChannelMessage::RepairRequest(asked),
            lane: Lane::Bulk,
        });
    }

    fn others(&self) -> impl Iterator<Item = VoterId> + '_ {
        let voters = self.config().voter_ids().iter().copied();
        voters.filter(|voter| *voter != self.me)
    }
}
