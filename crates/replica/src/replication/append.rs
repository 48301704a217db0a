//! A replica takes what the leader pushes: compares, skips what it holds, cuts what the leader
//! does not have, appends the rest, and acknowledges once that is durable (protocol §8).

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Batch, BatchHeader, Epoch, LogPosition, Seq, VoterId,
    batch::Control,
    frame::{Append, AppendAck, AppendNack, ChannelMessage, NackCode},
    limits,
};

use crate::{Context, Moment, Replica};

/// How a position of the leader's log compares with the own one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// The own log holds it, and so everything before it.
    Same,
    /// The own log holds something else there, or nothing.
    Different,
    /// The disk would have to be read.
    Unknown,
}

/// How much of the leader's log a replica acknowledges whose own log is durable to `durable` and
/// was compared with the leader's up to `verified`: no more than either.
#[must_use]
pub fn to_acknowledge(durable: LogPosition, verified: LogPosition) -> LogPosition {
    if durable.seq <= verified.seq {
        durable
    } else {
        verified
    }
}

impl Replica {
    /// The leader pushes, or probes.
    pub(crate) fn on_append(&mut self, append: Append, ctx: &mut Context<'_>) {
        let is_probe = append.batches.is_empty();
        if self.pressure.is_parked || (self.is_refusing_for_disk(ctx.now.mono) && !is_probe) {
            self.refuse(NackCode::DiskPressure, ctx);
            return;
        }
        if self.is_beginning() || self.catch_up.is_sealing() {
            return;
        }
        if append.previous.seq > self.log.tail().seq {
            self.search_after_refusing(NackCode::Gap, ctx);
            return;
        }
        match self.compare(append.previous) {
            Comparison::Same => {}
            Comparison::Different | Comparison::Unknown => {
                self.search_after_refusing(NackCode::Diverged, ctx);
                return;
            }
        }
        // Only the link was compared; the own position is what goes into the log and to the disk.
        let mine = self.log.position_at(append.previous.seq);
        let previous = mine.unwrap_or(append.previous);
        self.take_batches(previous, append.batches, append.commit, ctx);
    }

    /// Takes batches that continue `previous`, which the own log holds.
    pub(crate) fn take_batches(
        &mut self,
        previous: LogPosition,
        batches: Vec<Batch>,
        commit: Seq,
        ctx: &mut Context<'_>,
    ) {
        let mut end = previous;
        let (mut before, mut fresh) = (self.log.tail(), Vec::new());
        for batch in batches {
            let belongs = batch.follows(&end) && self.may_be_of(batch.epoch());
            // A start reads every control batch, and so must this version.
            if !belongs || batch.control().is_err() {
                self.refused += 1;
                break;
            }
            if self.log.tail().seq > end.seq {
                match self.compare(batch.position()) {
                    Comparison::Same => {}
                    // What lies here after `end` is not the leader's.
                    Comparison::Different if self.holds(end) => {
                        if !self.truncate(end, ctx) {
                            return;
                        }
                        before = end;
                    }
                    // It may be: never cut what might have been acknowledged on a guess.
                    Comparison::Different | Comparison::Unknown => {
                        self.verify(end);
                        self.search_after_refusing(NackCode::Diverged, ctx);
                        return;
                    }
                }
            }
            end = batch.position();
            if end.seq > self.log.tail().seq {
                self.append_to_log(batch.clone());
                fresh.push(batch);
            }
        }
        let grew = !fresh.is_empty();
        self.verify(end);
        self.following.tell(commit);
        self.persist_batches(before, fresh, ctx);
        self.committed(commit.min(end.seq), ctx);
        if end.seq == self.log.tail().seq {
            self.caught_up_to_push(grew);
        }
        if !grew {
            self.acknowledge(ctx);
        }
    }

    /// Whether the leader that is followed can have a batch of this epoch in its log: its own, or one
    /// of an earlier epoch. The own promise covers no other, and a start would not find it.
    fn may_be_of(&self, epoch: Epoch) -> bool {
        let followed = self.following.leader;
        followed.is_some_and(|leader| epoch == leader || self.is_earlier(epoch, leader))
    }

    /// Whether the own log is known to hold this very position.
    fn holds(&self, position: LogPosition) -> bool {
        self.log.position_at(position.seq) == Some(position)
    }

    /// The leader's log holds `end`, and so does the own one as far as that is known. What is taken
    /// for the same only because it is committed is not acknowledged on the leader's word.
    fn verify(&mut self, end: LogPosition) {
        if self.holds(end) {
            self.following.verify(end);
        }
    }

    /// Puts one batch at the end of the log and lets it take effect where it does so at once.
    pub(crate) fn append_to_log(&mut self, batch: Batch) {
        let control = batch.control().ok().flatten();
        self.let_take_effect(batch.header(), control.as_ref());
        self.note_for_collection(&batch);
        self.last_ts_ms = self.last_ts_ms.max(batch.header().ts_ms);
        self.log.append(batch);
    }

    /// What the snapshot says includes the batches that it covers: when they come again because the log
    /// behind it had not become durable, or had begun before it, they change nothing.
    pub(crate) fn let_take_effect(&mut self, header: &BatchHeader, control: Option<&Control>) {
        if header.last_seq() <= self.covered && !planted(Mutant::CoveredAppliedAgain) {
            return;
        }
        if !self.is_recollecting() {
            self.producers.apply(header, control);
        }
        self.controls.apply(header.last_seq(), control);
    }

    /// Compares the own log with a position of the leader's, as far as memory allows.
    fn compare(&self, position: LogPosition) -> Comparison {
        if planted(Mutant::AppendWithoutComparing) && position.seq <= self.log.tail().seq {
            return Comparison::Same;
        }
        match self.log.position_at(position.seq) {
            Some(mine) if mine.link == position.link => Comparison::Same,
            Some(_) => Comparison::Different,
            None if position.seq > self.log.tail().seq => Comparison::Different,
            // It lies inside one of the own batches, and is no end of one.
            None if self.log.recent().index_of(position.seq).is_some() => Comparison::Different,
            // Old and not in memory: what is committed is the same everywhere (I10).
            None if position.seq <= self.commit && !self.is_available() => Comparison::Same,
            None => Comparison::Unknown,
        }
    }

    /// Tells the leader how much of its log is durable here.
    pub(crate) fn acknowledge(&mut self, ctx: &mut Context<'_>) {
        let (Some(epoch), Some(verified)) = (self.following.leader, self.following.verified) else {
            return;
        };
        let own = if planted(Mutant::AcknowledgeBeforeSync) {
            to_acknowledge(self.log.tail(), verified)
        } else {
            to_acknowledge(self.log.durable(), verified)
        };
        let ack = AppendAck {
            durable: own.seq,
            durable_link: own.link,
            ack_generation: self.releases,
            credit: u32::try_from(self.settings.window_bytes).unwrap_or(u32::MAX),
            disk_level: self.pressure.level,
        };
        self.send(epoch.leader, epoch, ChannelMessage::AppendAck(ack), ctx);
    }

    /// Refuses an append of the leader that is followed.
    pub(crate) fn refuse(&mut self, code: NackCode, ctx: &mut Context<'_>) {
        if let Some(epoch) = self.following.leader {
            self.send_nack(epoch.leader, epoch, code, ctx);
        }
    }

    /// Tells a leader of a lower epoch that it is over.
    pub(crate) fn refuse_stale(&mut self, leader: VoterId, ctx: &mut Context<'_>) {
        self.send_nack(leader, self.epoch_seen(), NackCode::Stale, ctx);
    }

    fn send_nack(&mut self, to: VoterId, epoch: Epoch, code: NackCode, ctx: &mut Context<'_>) {
        let tail = self.log.tail();
        let history = self.log.epochs();
        let nack = AppendNack {
            code,
            tail,
            history: history.newest_first(tail.seq, limits::MAX_EPOCH_HISTORY),
        };
        self.send(to, epoch, ChannelMessage::AppendNack(nack), ctx);
    }

    fn is_refusing_for_disk(&self, now: Moment) -> bool {
        self.durability.is_full() || self.following.full_until.is_some_and(|until| now < until)
    }

    /// The disk is full: nothing is taken for an interval, and the leader is told.
    pub(crate) fn refuse_for_disk(&mut self, ctx: &mut Context<'_>) {
        self.following.full_until = Some(ctx.now.mono.plus(self.settings.heartbeat));
        self.refuse(NackCode::DiskPressure, ctx);
    }
}
