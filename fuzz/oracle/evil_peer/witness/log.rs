//! The log: what is acknowledged is durable and the leader's, what is committed was said or counted,
//! and nothing committed is cut (I5, I6, I8, I11).

use tetrarch_replica::View;
use tetrarch_wire::{Batch, Epoch, LogPosition, Seq, VoterId, frame::AppendAck};

use super::Witness;
use crate::evil_peer::{disk::Disk, node::Node};

impl Witness {
    /// The leader of an epoch says that its log holds these positions.
    pub(super) fn claims(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        ends: impl Iterator<Item = LogPosition>,
    ) {
        let promised = self.promise.epoch_seen.n;
        self.claimed.retain(|known, _| known.n >= promised);
        if epoch.leader == from {
            let claimed = self.claimed.entry(epoch).or_default();
            claimed.extend(ends.map(|end| (end.seq, end.link)));
        }
    }

    /// Notes how much is shared with the leaders, while the log still is what they spoke of.
    fn note_shared(&mut self) {
        let tail = self.log.tail().seq;
        if let Some((_, seq)) = &mut self.shared {
            *seq = tail.min(*seq);
        }
        for (epoch, claimed) in &self.claimed {
            let held = claimed
                .iter()
                .filter(|(end, link)| self.log.link_at(*end) == Some(*link));
            if let Some(seq) = held.map(|(end, _)| *end).max() {
                let before = self.shared.filter(|(of, _)| of == epoch);
                let before = before.map_or(Seq::ZERO, |(_, seq)| seq);
                if self.shared.is_none_or(|(of, _)| of <= *epoch) {
                    self.shared = Some((*epoch, seq.max(before)));
                }
            }
        }
    }

    /// Whether the leader of `epoch` has shown that its log is the own one up to `seq`.
    fn is_shared(&self, epoch: Epoch, seq: Seq, disk: &Disk) -> bool {
        if self
            .shared
            .is_some_and(|(of, upto)| of == epoch && seq <= upto)
        {
            return true;
        }
        let claimed = self.claimed.get(&epoch).map_or(&[][..], Vec::as_slice);
        claimed.iter().any(|(end, link)| {
            let own = [self.log.link_at(*end), disk.log.link_at(*end)];
            *end >= seq && (own.contains(&Some(*link)) || *end <= self.commit)
        })
    }

    /// The end of what others may count on that it is durable here: found by the start, acknowledged,
    /// or counted, and not cut since.
    pub(super) fn vouched_end(&self, disk: &Disk) -> LogPosition {
        let vouched = disk.log.position_at(self.vouched);
        vouched.expect("I5: what was acknowledged is not on the disk")
    }

    pub(super) fn may_acknowledge(&mut self, epoch: Epoch, ack: AppendAck, disk: &Disk) {
        let durable = disk.log.link_at(ack.durable);
        assert_eq!(
            durable,
            Some(ack.durable_link),
            "I5: acknowledged {}, the disk ends at {:?}",
            ack.durable,
            disk.log.tail()
        );
        assert!(
            self.is_shared(epoch, ack.durable, disk),
            "I8: acknowledged {} to the leader of {epoch}, which has not shown that it holds it",
            ack.durable
        );
        self.vouched = self.vouched.max(ack.durable).min(self.log.tail().seq);
    }

    pub(super) fn hears_ack(&mut self, from: VoterId, epoch: Epoch, ack: AppendAck) {
        let link = self.log.link_at(ack.durable);
        let Some(led) = self.led.as_mut().filter(|led| led.epoch == epoch) else {
            return;
        };
        if !led.followers.contains(&from) {
            return;
        }
        let known = led.acknowledged.entry(from).or_default();
        if ack.ack_generation > known.0 {
            *known = (ack.ack_generation, Seq::ZERO);
        }
        if ack.ack_generation == known.0 && link == Some(ack.durable_link) {
            known.1 = known.1.max(ack.durable);
        }
    }

    pub(super) fn sees_append(&mut self, batches: &[Batch]) {
        let first = batches.first().expect("nothing is appended");
        self.log.cut(first.base_seq().previous());
        self.log.append(batches);
        for batch in batches {
            assert!(
                batch.epoch().n <= self.promise.epoch_seen.n,
                "I4: {batch:?} is of an epoch beyond the promise {:?}",
                self.promise
            );
        }
    }

    pub(super) fn sees_truncation(&mut self, at: LogPosition) {
        let tail = self.log.tail().seq;
        assert!(self.log.holds(at), "I6: cut to {at:?}, not in the log");
        assert!(
            at.seq >= self.floor.min(tail),
            "I11: cut to {}, {} is committed",
            at.seq,
            self.floor
        );
        self.log.cut(at.seq);
        self.vouched = self.vouched.min(at.seq);
    }

    pub(super) fn sees_commit(&mut self, commit: Seq, disk: &Disk) {
        assert!(commit > self.commit, "I11: {} then {commit}", self.commit);
        match &self.led {
            Some(led) => {
                let config = self.config();
                let own = disk.log.tail().seq;
                let holds = |voter: &&VoterId| match led.acknowledged.get(voter) {
                    Some((_, seq)) => *seq >= commit,
                    None => **voter == self.me && own >= commit,
                };
                let holders = config.voter_ids().iter().filter(holds).count();
                assert!(
                    holders >= config.majority(),
                    "I8: {commit} is committed with {holders} copies"
                );
                assert!(
                    commit >= led.start,
                    "I7: an older epoch's batch was counted"
                );
                if own >= commit {
                    self.vouched = self.vouched.max(commit);
                }
            }
            None => {
                let said = self.said.expect("I10: committed without being told");
                let told = said.commit.is_some_and(|told| told >= commit);
                assert!(told, "I10: {commit} was not said to be committed");
                assert!(
                    self.is_shared(said.epoch, commit, disk),
                    "I10: {commit} is committed on the word of {}, whose log is another",
                    said.epoch
                );
            }
        }
        self.commit = commit;
        let configs = self.configs_up_to(commit);
        self.committed.extend(configs);
        self.covered = self.covered.max(commit);
        self.floor = self.floor.max(commit);
    }

    /// What is sent as the own log is that.
    pub(super) fn is_own_log(&self, batches: &[Batch]) {
        for batch in batches {
            assert!(
                self.log.holds(batch.position()),
                "I6: {batch:?} is not its own"
            );
        }
    }

    pub(super) fn settles_log(&mut self, view: &View, disk: &Disk) {
        // Writes that failed are taken back without another write.
        self.log.cut(view.tail.seq);
        self.note_shared();
        assert_eq!(
            self.log.tail(),
            view.tail,
            "I6: its log is not what it issued"
        );
        assert!(disk.log.holds(view.durable), "I5: {:?}", view.durable);
        assert!(
            (self.vouched..=view.tail.seq).contains(&view.durable.seq),
            "I5: {} is vouched for, {view:?}",
            self.vouched
        );
        assert_eq!(view.commit, self.commit);
        assert!(view.epoch_seen.n == self.promise.epoch_seen.n, "I4");
    }
}

/// What a reader of committed batches is given is committed (I26).
pub(crate) fn check_read(witness: &Witness, node: &Node, from: Seq) -> bool {
    use tetrarch_replica::CommittedRead;
    match node.replica.read_committed(from, 600) {
        CommittedRead::Batches(batches) => {
            witness.is_own_log(&batches);
            let last = batches.last().map(Batch::last_seq);
            assert!(last.is_some_and(|last| last <= witness.commit), "I26");
            true
        }
        CommittedRead::InLog { upto } => {
            assert!(
                upto <= witness.commit && upto <= node.disk.log.tail().seq,
                "I26"
            );
            let on_disk = node.disk.log.link_at(upto);
            assert_eq!(
                on_disk,
                witness.log.link_at(upto),
                "I26: the disk is behind a cut"
            );
            true
        }
        CommittedRead::NotYet | CommittedRead::Trimmed { .. } | CommittedRead::Halted(_) => false,
    }
}
