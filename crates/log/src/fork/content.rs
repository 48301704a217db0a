//! What the batches of a fork come to, counted one after the other.

use tetrarch_wire::{Batch, BatchKind, ChannelUid, EpochStart, ForkId, LogPosition, limits};

use super::ForkSummary;

/// The batches from a position on, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    base: LogPosition,
    end: LogPosition,
    epochs: Vec<EpochStart>,
    events: u64,
    bytes: u64,
}

impl Content {
    /// No batch yet.
    pub(crate) const fn after(base: LogPosition) -> Self {
        Self {
            base,
            end: base,
            epochs: Vec::new(),
            events: 0,
            bytes: 0,
        }
    }

    /// The position of the last batch.
    pub(crate) const fn end(&self) -> LogPosition {
        self.end
    }

    /// Bytes of all batches.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts a batch, which follows those before it.
    pub(crate) fn take(&mut self, batch: &Batch) {
        if batch.epoch() != self.end.epoch {
            if self.epochs.len() == limits::MAX_FORK_EPOCHS {
                self.epochs.remove(0);
            }
            self.epochs.push(EpochStart {
                epoch: batch.epoch(),
                start: batch.base_seq(),
                link: batch.link(),
            });
        }
        if batch.kind() == BatchKind::Data {
            self.events += u64::from(batch.header().count);
        }
        self.bytes += batch.size() as u64;
        self.end = batch.position();
    }

    /// The fork that these batches are.
    pub(crate) fn summary(&self, channel: ChannelUid) -> ForkSummary {
        ForkSummary {
            id: ForkId::derive(channel, self.base.link, self.end.link),
            base: self.base,
            end: self.end,
            epochs: self.epochs.clone(),
            events: self.events,
            bytes: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::batch::{BatchDraft, Control};
    use tetrarch_wire::{Epoch, Link, Seq, VoterId};

    use super::*;
    use crate::tests::{channel_uid, draft};

    fn base() -> LogPosition {
        LogPosition {
            epoch: Epoch::new(1, VoterId::NONE),
            ..LogPosition::origin(Link::genesis(b"x"))
        }
    }

    #[test]
    fn events_are_counted_and_epochs_noted_where_they_begin() {
        let mut content = Content::after(base());
        let same = draft(b"one").seal(&base(), base().epoch, 0);
        let next = Epoch::new(2, VoterId::NONE);
        let noop = BatchDraft::control(&Control::Noop { count: 5 }).seal(&same.position(), next, 0);
        content.take(&same);
        content.take(&noop);
        let summary = content.summary(channel_uid(1));
        assert_eq!(summary.events, 1);
        assert_eq!(summary.bytes, (same.size() + noop.size()) as u64);
        assert_eq!((summary.base, summary.end), (base(), noop.position()));
        let [row] = summary.epochs[..] else {
            panic!("{summary:?}");
        };
        assert_eq!((row.epoch, row.start), (next, Seq::new(2)));
    }

    #[test]
    fn of_too_many_epochs_the_latest_are_known() {
        let mut content = Content::after(base());
        for n in 0..300 {
            let epoch = Epoch::new(2 + n, VoterId::NONE);
            content.take(&draft(b"x").seal(&content.end(), epoch, 0));
        }
        let epochs = content.summary(channel_uid(1)).epochs;
        assert_eq!(epochs.len(), limits::MAX_FORK_EPOCHS);
        assert_eq!(epochs[0].start, Seq::new(45));
        assert_eq!(epochs[255].start, Seq::new(300));
    }
}
