//! What was published and what was acknowledged: the promises that the audit checks.

use tetrarch_wire::Seq;

/// Events are numbered in the order in which they were published, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// For each event the seq under which it was acknowledged, or zero.
    seqs: Vec<u64>,
    acknowledged: u64,
    last: u64,
}

impl Ledger {
    /// Notes that one more event is about to be published; gives its number.
    pub fn publish(&mut self) -> u64 {
        self.seqs.push(0);
        self.published() - 1
    }

    /// Notes that an event was acknowledged.
    pub fn acknowledge(&mut self, number: u64, seq: Seq) {
        let slot = usize::try_from(number)
            .ok()
            .and_then(|index| self.seqs.get_mut(index));
        if let Some(slot) = slot.filter(|slot| **slot == 0) {
            *slot = seq.get();
            self.acknowledged += 1;
            self.last = self.last.max(seq.get());
        }
    }

    /// How many events were published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.seqs.len() as u64
    }

    /// How many of them were acknowledged.
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// The last acknowledged seq; zero if there is none.
    #[must_use]
    pub const fn last(&self) -> Seq {
        Seq::new(self.last)
    }

    /// Under which seq an event was acknowledged; `None` if it was not.
    #[must_use]
    pub fn seq(&self, number: u64) -> Option<Seq> {
        let index = usize::try_from(number).ok()?;
        let seq = *self.seqs.get(index)?;
        (seq != 0).then(|| Seq::new(seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_counts_once_and_keeps_its_first_seq() {
        let mut ledger = Ledger::default();
        let (first, second) = (ledger.publish(), ledger.publish());
        ledger.acknowledge(second, Seq::new(9));
        ledger.acknowledge(second, Seq::new(10));
        ledger.acknowledge(7, Seq::new(11));
        assert_eq!((ledger.published(), ledger.acknowledged()), (2, 1));
        assert_eq!(ledger.seq(first), None);
        assert_eq!(ledger.seq(second), Some(Seq::new(9)));
        assert_eq!(ledger.last(), Seq::new(9));
    }
}
