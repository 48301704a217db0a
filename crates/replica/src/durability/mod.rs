//! Persistence before promise (protocol §3.5): every write gets a token, and whatever tells
//! anybody anything that depends on it waits here until that token completes.

mod failure;
mod held;
mod persist;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use tetrarch_wire::{LogPosition, Seq};

use crate::{Moment, PersistToken};

use held::Held;

/// What a persist under way will have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// The log is durable up to this position.
    Append(LogPosition),
    /// The log ends, durably, at this position.
    Truncate(LogPosition),
    /// The log begins and ends, durably, at this position.
    Begin(LogPosition),
    /// The election promise is durable.
    HardState,
}

/// One persist under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    token: PersistToken,
    write: Write,
    /// The truncations of the log when it was issued.
    generation: u64,
    /// The end of the log before it.
    before: LogPosition,
    /// The lowest seq that the log was cut to since.
    cut: Option<Seq>,
}

/// All writes of one channel that are under way, and what waits for them.
#[derive(Debug, Default)]
pub(crate) struct Durability {
    last_token: u64,
    /// How many persists have failed.
    failures: u64,
    pending: VecDeque<Pending>,
    held: VecDeque<Held>,
    /// The latest write of the election promise, while it is under way. Nothing is said in the
    /// epoch that it names before it is durable.
    hard_state: Option<PersistToken>,
    /// Set while the disk is full: when writes that failed are tried again.
    retry: Option<Retry>,
}

/// Writes that found no room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: Moment,
    /// The election promise must be written again.
    hard_state: bool,
    /// The log must be cut again.
    truncate: Option<LogPosition>,
}

impl Durability {
    /// The write of the election promise that everything said now must wait for.
    pub(crate) const fn hard_state(&self) -> Option<PersistToken> {
        self.hard_state
    }

    /// How many appends are under way.
    pub(crate) fn appends(&self) -> usize {
        let appends = self.pending.iter();
        appends
            .filter(|pending| matches!(pending.write, Write::Append(_)))
            .count()
    }

    /// Whether the log was cut and the disk does not know it yet.
    pub(crate) fn is_truncating(&self) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| matches!(pending.write, Write::Truncate(_)))
            || self.retry.is_some_and(|retry| retry.truncate.is_some())
    }

    /// Where the log ended before the first append that is under way.
    fn first_append(&self) -> Option<LogPosition> {
        let mut pending = self.pending.iter();
        pending
            .find(|pending| matches!(pending.write, Write::Append(_)))
            .map(|pending| pending.before)
    }

    /// Whether the disk was full and has not taken a write since.
    pub(crate) const fn is_full(&self) -> bool {
        self.retry.is_some()
    }

    /// When failed writes are tried again.
    pub(crate) fn retry_at(&self) -> Option<Moment> {
        self.retry.map(|retry| retry.at)
    }

    /// How many promises wait for a write.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Holds a promise back. A message takes the place of one of its kind to the same voter: that
    /// might have been lost as well, and a peer that asks a thousand times while the disk is busy
    /// gets one answer.
    fn hold(&mut self, held: Held) {
        self.held
            .retain(|earlier| !held.promise.replaces(&earlier.promise));
        self.held.push_back(held);
    }

    /// The log was cut to `point`, by a truncation or because writes failed. What was to be
    /// acknowledged beyond it is not acknowledged any more.
    pub(crate) fn note_cut(&mut self, point: Seq) {
        self.held
            .retain(|held| !held.promise.acknowledges_beyond(point));
        for pending in &mut self.pending {
            pending.cut = Some(pending.cut.map_or(point, |cut| cut.min(point)));
        }
    }

    pub(crate) const fn has_issued(&self) -> bool {
        self.last_token > 0
    }

    fn issue(&mut self, write: Write, generation: u64, before: LogPosition) -> PersistToken {
        self.last_token += 1;
        let token = PersistToken::new(self.last_token);
        self.pending.push_back(Pending {
            token,
            write,
            generation,
            before,
            cut: None,
        });
        if write == Write::HardState {
            self.hard_state = Some(token);
        }
        token
    }

    fn take_pending(&mut self, token: PersistToken) -> Option<Pending> {
        let index = self.pending.iter().position(|p| p.token == token)?;
        self.pending.remove(index)
    }

    fn take_held(&mut self, token: PersistToken) -> Vec<Held> {
        let all = std::mem::take(&mut self.held);
        let (free, waiting) = all.into_iter().partition(|held| held.after == token);
        self.held = waiting;
        Vec::from(free)
    }

    /// What waited for `old` now waits for `new`.
    fn wait_for_instead(&mut self, old: PersistToken, new: PersistToken) {
        for held in &mut self.held {
            if held.after == old {
                held.after = new;
            }
        }
    }
}
