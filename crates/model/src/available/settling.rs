//! Forks are settled: a leader takes their events into its log unless it has them, and the stores
//! drop them. What is to be taken and when a fork may go is decided by [`next_to_republish`] and
//! [`may_drop`].
//!
//! Any leader may take from any fork at any time. A report, a request and a transfer promise
//! nothing: a fork does not change, and what was taken from it before it was dropped is in a log.
//! That a fork is settled needs no batch of its own here: what would say so comes behind all that
//! it speaks of.

use super::{
    Entry, Fork, Log, Mutant, State,
    decide::{EventKey, Record, may_drop, next_to_republish},
    mark::Mark,
    step::Rules,
};

impl Rules<'_> {
    pub(super) fn republish(&self, state: &State, me: u8, fork: &Fork) -> Option<State> {
        let entry = self.next_of(state, me, fork)?;
        self.coverage.mark(Mark::Republished as u8);
        let mut step = self.step(state, me);
        let epoch = self.written(step.node().seen);
        step.append(entry.again_in(epoch));
        Some(step.finish())
    }

    /// An operator gives up the next event of the fork.
    pub(super) fn give_up(&self, state: &State, me: u8, fork: &Fork) -> Option<State> {
        let entry = self.next_of(state, me, fork)?;
        let id = entry.id().filter(|_| !entry.is_declaration())?;
        self.coverage.mark(Mark::GivenUp as u8);
        let mut step = self.step(state, me);
        let epoch = self.written(step.node().seen);
        step.append(Entry::declaration(epoch, id));
        step.after.spent.discards += 1;
        Some(step.finish())
    }

    fn next_of(&self, state: &State, me: u8, fork: &Fork) -> Option<Entry> {
        let node = &state.nodes[usize::from(me)];
        if !node.may_write() || !node.log.has_room() || self.content(state, fork) != *fork {
            return None;
        }
        let (own, forgets) = (self.written(node.seen), Mutant::RepublishWithoutDedup);
        let main = self.records(state, node.log, 0);
        let main = main.filter(|(_, entry)| !self.is(forgets) || entry.epoch() == own);
        let main: Vec<Record> = main.map(|(record, _)| record).collect();
        let settled = |key: &EventKey| main.iter().any(|record| record.key() == key);
        let next = next_to_republish(self.records_of(state, fork), settled);
        next.map(|(_, entry)| entry)
    }

    pub(super) fn drop_fork(&self, state: &State, fork: &Fork) -> Option<State> {
        let known = self.known_to_be_in_history(state, fork.holder)?;
        let content = self.content(state, fork);
        let records = self.records_of(state, &content).map(|(record, _)| record);
        let settled = |key: &EventKey| {
            let mut known = self.records(state, known, 0);
            known.any(|(record, _)| record.key() == key)
        };
        if !fork.durable || !may_drop(records, settled) {
            return None;
        }
        self.coverage.mark(Mark::Dropped as u8);
        let mut step = self.step(state, fork.holder);
        let logs = state.nodes.iter().map(|node| node.durable());
        let kept = logs.fold(0, |all, log| all | log.records_after(0));
        step.after.observed.dropped_unsettled |= fork.records() & !kept != 0;
        step.after.forks.remove(fork);
        Some(step.finish())
    }

    /// The part of a store's log that is durable and in its leader's history.
    fn known_to_be_in_history(&self, state: &State, store: u8) -> Option<Log> {
        let node = &state.nodes[usize::from(store)];
        let leader = if node.leads() {
            node.log
        } else {
            state.words.of(node.seen)?.log
        };
        let own = if self.is(Mutant::DropBeforeDurable) {
            node.log
        } else if self.is(Mutant::DropOnLeadersWord) {
            state.nodes[usize::from(node.seen.leader())].durable()
        } else {
            node.durable()
        };
        Some(own.prefix(own.common(leader)))
    }

    /// What is taken for the content of a fork: its own, unless a name says less.
    fn content(&self, state: &State, fork: &Fork) -> Fork {
        if !self.is(Mutant::ForkNamedByItsBeginning) {
            return *fork;
        }
        let copies = state.forks.durable().filter(|other| other.begins_as(fork));
        let longest = copies.max_by_key(|other| (other.log.len(), other.log));
        longest.copied().unwrap_or(*fork)
    }
}
