//! A replica follows: it takes batch after batch, and what its leader does not have it seals
//! before it cuts it. Where two logs part is found by the shipped [`common_end`], and whether a log
//! may be cut is decided by [`may_cut_sealed`].
//!
//! Question and answer are one step, since a leader's answer does not change within its epoch. So
//! is writing a fork and making it durable, since a fork that is lost before leaves the log as it
//! was.

use tetrarch_replica::decide::common_end;
use tetrarch_wire::{Epoch, EpochStart, Link, ReplicaRole, VoterId};

use super::{
    Fork, Log, Mutant, Pair, State,
    decide::{ForkName, may_cut_sealed},
    mark::Mark,
    step::{Rules, Step},
};

impl Rules<'_> {
    /// A replica hears the leader of `epoch`, and follows it from now on if it saw none later.
    pub(super) fn hear(&self, state: &State, me: u8, epoch: Pair) -> Option<State> {
        let node = &state.nodes[usize::from(me)];
        let told = state.words.of(epoch)?;
        let deaf = node.role != ReplicaRole::Replica || epoch.leader() == me || epoch < node.seen;
        if deaf || node.seen == epoch && node.log == told.log {
            return None;
        }
        let mut step = self.step(state, me);
        let node = step.node();
        node.seen = epoch;
        node.kept_seen = epoch;
        step.follow(told.log);
        (step.after != *state).then(|| step.finish())
    }

    /// What the leader's log is told to have in common with that of the replica.
    fn point(&self, leaders: Log, own: Log) -> Option<u8> {
        let rows = |log: Log| log.epochs().into_iter().map(|row| self.compared(row));
        let (mine, theirs): (Vec<_>, Vec<_>) = (rows(leaders).collect(), rows(own).rev().collect());
        let (start, tail) = (Log::default().end(), leaders.end().seq);
        let end = common_end(&mine, start, tail, own.end().seq, &theirs)?;
        let point = u8::try_from(end.get()).expect("a log of the model has at most 14 batches");
        // As shipped: nothing is cut unless the links at the point are equal.
        let equal = own.prefix(point).is_prefix_of(leaders);
        (equal || self.is(Mutant::PartByNumber)).then_some(point)
    }

    fn compared(&self, row: EpochStart) -> EpochStart {
        if self.is(Mutant::PartByNumber) {
            EpochStart {
                epoch: Epoch::new(row.epoch.n, VoterId::NONE),
                link: Link::from_bytes([0; Link::LEN]),
                ..row
            }
        } else {
            row
        }
    }
}

impl Step<'_> {
    fn follow(&mut self, leaders: Log) {
        let own = self.node().log;
        let resumes = self.rules.is(Mutant::ResumeFromOwnTail);
        if resumes || own.is_prefix_of(leaders) {
            self.take(leaders);
        } else if let Some(point) = self.rules.point(leaders, own) {
            if point == own.len() {
                self.take(leaders);
            } else {
                self.seal_or_cut(leaders, point);
            }
        }
    }

    /// Appends the next batch of the leader's log. Nobody can tell a batch that waits for its sync
    /// from one that was not heard yet, unless a mistake looks at it: so they are one step.
    fn take(&mut self, leaders: Log) {
        let looks = self.rules.is(Mutant::DropBeforeDurable);
        let node = self.node();
        if let Some(batch) = leaders.get(node.log.len() + 1) {
            node.log.push(batch);
        }
        if !looks {
            node.sync();
        }
    }

    fn seal_or_cut(&mut self, leaders: Log, point: u8) {
        let own = self.node().log;
        if self.may_cut(own, point) {
            self.rules.coverage.mark(Mark::Cut as u8);
            let sealed = self.after.forks.of(self.me).filter(|fork| fork.durable);
            let sealed = sealed.fold(0, |all, fork| all | fork.records());
            let kept = sealed | leaders.records_after(0);
            self.after.observed.cut_unsealed |= own.records_after(point) & !kept != 0;
            self.node().log = own.prefix(point);
        } else {
            self.rules.coverage.mark(Mark::Sealed as u8);
            self.seal(own, point);
        }
    }

    fn may_cut(&self, own: Log, point: u8) -> bool {
        if self.rules.is(Mutant::SkipTo) {
            return true;
        }
        let early = self.rules.is(Mutant::CutBeforeForkIsDurable);
        let forks = self.after.forks.of(self.me);
        let mut sealed = forks.filter(|fork| early || fork.durable).map(Fork::name);
        let cut = ForkName {
            base: own.position(point),
            tail: own.end(),
        };
        if self.rules.is(Mutant::CutMoreThanSealed) {
            return sealed.any(|fork| fork.base == cut.base);
        }
        may_cut_sealed(cut, own.records_after(point) != 0, sealed)
    }
}
