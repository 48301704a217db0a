//! What is durable of a channel, and where: the part that is still in memory, the segments, and
//! the small facts.

use std::collections::VecDeque;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Batch, EpochStart, HardState, LogPosition, Seq};

use crate::Damage;
use crate::lsn::Lsn;
use crate::segment::Segment;

/// A truncation that the files have not followed yet, or a new beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The end of the log after it.
    pub(crate) at: LogPosition,
    /// Nothing before it stays either: the log begins there.
    pub(crate) begins: bool,
    /// Its record.
    pub(crate) lsn: Lsn,
    /// The store let go of the channel.
    pub(crate) ends_holding: bool,
}

/// What is durable of a channel.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Changes whenever what a reader may have seen of the segments is void.
    pub(crate) generation: u64,
    pub(crate) hard_state: HardState,
    pub(crate) commit_hint: Seq,
    /// Whole segments that end at or before this may go.
    pub(crate) trim_upto: Seq,
    pub(crate) halted: Option<Damage>,
    /// What this start found, if that is why the channel is in limbo.
    pub(crate) doubt: Option<Damage>,
    pub(crate) deleted: bool,
    /// This store has let go of the channel. Only what it has promised is left.
    pub(crate) is_released: bool,
    /// How far the log went, by rank, before this store let go of it; the origin if it never has.
    pub(crate) reached: LogPosition,
    /// How often it has.
    pub(crate) releases: u64,
    pub(crate) log_start: LogPosition,
    pub(crate) tail: LogPosition,
    pub(crate) epochs: Vec<EpochStart>,
    /// Oldest first; the last one is written to. Only the flusher changes the list.
    pub(crate) segments: Vec<Segment>,
    /// How far readers may read in them. Everything after it is in `pending`.
    pub(crate) flushed: LogPosition,
    pending: VecDeque<Batch>,
    pending_bytes: u64,
    cut: Option<Cut>,
    /// The last record that changed the channel.
    pub(crate) last_lsn: Lsn,
    /// The first record that the channel's checkpoint may lack.
    pub(crate) dirty_since: Option<Lsn>,
}

/// What the flusher has to do for a channel: the view as it was at one moment.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) lsn: Lsn,
    pub(crate) batches: Vec<Batch>,
    pub(crate) cut: Option<Cut>,
    pub(crate) hard_state: HardState,
    pub(crate) commit_hint: Seq,
    pub(crate) trim_upto: Seq,
    pub(crate) halted: Option<Damage>,
    pub(crate) deleted: bool,
    pub(crate) is_released: bool,
    pub(crate) reached: LogPosition,
    pub(crate) releases: u64,
    pub(crate) epochs: Vec<EpochStart>,
}

impl View {
    /// A channel that holds nothing yet.
    pub(crate) fn new(origin: LogPosition) -> Self {
        Self {
            generation: 0,
            hard_state: HardState::INITIAL,
            commit_hint: Seq::ZERO,
            trim_upto: Seq::ZERO,
            halted: None,
            doubt: None,
            deleted: false,
            is_released: false,
            reached: origin,
            releases: 0,
            log_start: origin,
            tail: origin,
            epochs: Vec::new(),
            segments: Vec::new(),
            flushed: origin,
            pending: VecDeque::new(),
            pending_bytes: 0,
            cut: None,
            last_lsn: Lsn::ZERO,
            dirty_since: None,
        }
    }

    /// Bytes of the batches that only the WAL and memory hold.
    pub(crate) fn pending_bytes(&self) -> u64 {
        self.pending_bytes
    }

    /// The batches that only the WAL and memory hold.
    pub(crate) fn pending(&self) -> &VecDeque<Batch> {
        &self.pending
    }

    /// Adds durable batches. They were checked to continue the log.
    pub(crate) fn append(&mut self, batches: &[Batch]) {
        for batch in batches {
            if batch.epoch() != self.tail.epoch {
                self.epochs.push(EpochStart {
                    epoch: batch.epoch(),
                    start: batch.base_seq(),
                    link: batch.link(),
                });
            }
            self.pending_bytes += batch.size() as u64;
            self.tail = batch.position();
            self.pending.push_back(batch.clone());
        }
    }

    /// Follows a durable truncation.
    pub(crate) fn truncate(&mut self, at: LogPosition, lsn: Lsn) {
        let kept = self
            .pending
            .partition_point(|batch| batch.base_seq() <= at.seq);
        for batch in self.pending.drain(kept..) {
            self.pending_bytes -= batch.size() as u64;
        }
        self.epochs.retain(|epoch| epoch.start <= at.seq);
        self.tail = at;
        if at.seq < self.flushed.seq {
            self.flushed = at;
            self.generation += 1;
        }
        self.put_cut(Cut {
            at,
            begins: false,
            lsn,
            ends_holding: false,
        });
    }

    /// Follows a durable new beginning: nothing of the log stays.
    pub(crate) fn begin(&mut self, at: LogPosition, lsn: Lsn) {
        self.begin_with(vec![EpochStart::of_beginning(at)], at);
        self.put_cut(Cut {
            at,
            begins: true,
            lsn,
            ends_holding: false,
        });
    }

    /// This store lets go of the channel: nothing of the log stays, and it ends at its very beginning,
    /// which a trim may have removed. What was promised stays, and so does a halt: nobody knows what one
    /// who lost something has promised.
    pub(crate) fn release(&mut self, origin: LogPosition, lsn: Lsn) {
        if self.tail.rank() > self.reached.rank() {
            self.reached = self.tail;
        }
        self.is_released = true;
        self.releases += 1;
        self.commit_hint = Seq::ZERO;
        self.trim_upto = Seq::ZERO;
        self.begin_with(Vec::new(), origin);
        self.put_cut(Cut {
            at: origin,
            begins: true,
            lsn,
            ends_holding: true,
        });
    }

    fn begin_with(&mut self, epochs: Vec<EpochStart>, at: LogPosition) {
        self.pending.clear();
        self.pending_bytes = 0;
        self.epochs = epochs;
        (self.log_start, self.tail, self.flushed) = (at, at, at);
        self.generation += 1;
    }

    /// The channel ends.
    pub(crate) fn delete(&mut self) {
        self.deleted = true;
        self.pending.clear();
        self.pending_bytes = 0;
        self.generation += 1;
    }

    /// The segments are damaged: nothing can be added to them. Returns how many bytes that only
    /// memory held are given up here; they are in the WAL and on other replicas.
    pub(crate) fn halt(&mut self, damage: Damage) -> u64 {
        self.halted = Some(damage);
        self.generation += 1;
        self.pending.clear();
        std::mem::take(&mut self.pending_bytes)
    }

    /// Of two truncations the files need only follow the lower one: what lies between was written
    /// after it and is still in memory. After a new beginning all of the log is.
    fn put_cut(&mut self, cut: Cut) {
        let is_lower =
            |present: Cut| cut.begins || (!present.begins && cut.at.seq < present.at.seq);
        if self.cut.is_none_or(is_lower) || planted(Mutant::LaterCutWins) {
            // The snapshot of an earlier holding goes whatever came after that.
            let ended_before = self.cut.is_some_and(|present| present.ends_holding);
            self.cut = Some(Cut {
                ends_holding: cut.ends_holding || ended_before,
                ..cut
            });
        }
    }

    /// What a trim may remove from the segments now: beyond a truncation that they have not
    /// followed yet they hold another log than the one that the trim speaks of.
    pub(crate) fn trimmable_upto(&self) -> Seq {
        match self.cut {
            Some(cut) if cut.begins => Seq::ZERO,
            Some(cut) => self.trim_upto.min(cut.at.seq),
            None => self.trim_upto,
        }
    }

    /// The truncation or new beginning that the files have not followed yet.
    pub(crate) const fn pending_cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Whether a snapshot that is there is of an earlier holding: it stands for a log that is gone.
    pub(crate) fn has_outdated_snapshot(&self) -> bool {
        self.is_released || self.cut.is_some_and(|cut| cut.ends_holding)
    }

    /// Takes out what the files lack.
    pub(crate) fn take_work(&mut self) -> Work {
        Work {
            lsn: self.last_lsn,
            batches: self.pending.iter().cloned().collect(),
            cut: self.cut.take(),
            hard_state: self.hard_state,
            commit_hint: self.commit_hint,
            trim_upto: self.trim_upto,
            halted: self.halted.clone(),
            deleted: self.deleted,
            is_released: self.is_released,
            reached: self.reached,
            releases: self.releases,
            epochs: self.epochs.clone(),
        }
    }

    /// The work was not done; its truncation must not be forgotten.
    pub(crate) fn give_back(&mut self, cut: Option<Cut>) {
        if let Some(cut) = cut {
            // An equal cut that came later may stand for batches in between; the earlier one is
            // the one that replay can start from.
            self.cut = match self.cut {
                Some(present) if present.begins => Some(Cut {
                    ends_holding: present.ends_holding || cut.ends_holding,
                    ..present
                }),
                Some(present) if present.at.seq < cut.at.seq && !cut.begins => Some(present),
                _ => Some(cut),
            };
        }
    }

    /// The segments now hold the log up to `written`. A truncation that came meanwhile is obeyed:
    /// what it removed does not become readable.
    pub(crate) fn written(&mut self, written: LogPosition) -> u64 {
        if self.halted.is_some() && self.pending.is_empty() {
            // What the segments hold may be what a truncation should have removed.
            return 0;
        }
        let visible = match self.cut {
            Some(cut) if cut.begins || cut.at.seq < written.seq => cut.at,
            _ => written,
        };
        let before = self.pending_bytes;
        let written = self
            .pending
            .partition_point(|batch| batch.last_seq() <= visible.seq);
        for batch in self.pending.drain(..written) {
            self.pending_bytes -= batch.size() as u64;
        }
        self.flushed = visible;
        before - self.pending_bytes
    }
}
