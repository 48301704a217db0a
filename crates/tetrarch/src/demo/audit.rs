//! Reads a channel back and compares it with what was promised.

use std::collections::BTreeSet;

use serde::Serialize;
use tetrarch_wire::Seq;

use super::ledger::Ledger;

/// What is wrong with a copy of the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Acknowledged events that are not there.
    pub lost: u64,
    /// Events that are there more than once.
    pub duplicated: u64,
    /// Events that are not at the place where they were acknowledged, or behind a later one.
    pub reordered: u64,
    /// Events whose content is not what was published.
    pub damaged: u64,
}

impl Findings {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// The worse of two, count by count.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        Self {
            lost: self.lost.max(other.lost),
            duplicated: self.duplicated.max(other.duplicated),
            reordered: self.reordered.max(other.reordered),
            damaged: self.damaged.max(other.damaged),
        }
    }
}

/// An audit of one copy, fed with its events in the order of the log.
#[derive(Debug)]
pub struct Audit<'a> {
    ledger: &'a Ledger,
    /// The number that comes next if all is well.
    next: u64,
    /// Numbers that were passed over, and may still come.
    missing: BTreeSet<u64>,
    findings: Findings,
}

impl<'a> Audit<'a> {
    /// Begins an audit against `ledger`.
    #[must_use]
    pub fn new(ledger: &'a Ledger) -> Self {
        Self {
            ledger,
            next: 0,
            missing: BTreeSet::new(),
            findings: Findings::default(),
        }
    }

    /// Takes the next event of the copy: its place, its number, and whether its content is what was
    /// published under that number. An event without a number is damaged.
    pub fn event(&mut self, seq: Seq, number: Option<u64>, intact: bool) {
        let Some(number) = number.filter(|number| *number < self.ledger.published() && intact)
        else {
            self.findings.damaged += 1;
            return;
        };
        if number >= self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
        } else if self.missing.remove(&number) {
            self.findings.reordered += 1;
            return;
        } else {
            self.findings.duplicated += 1;
            return;
        }
        if self
            .ledger
            .seq(number)
            .is_some_and(|promised| promised != seq)
        {
            self.findings.reordered += 1;
        }
    }

    /// Ends the audit. Events that were never acknowledged may be there or not.
    #[must_use]
    pub fn finish(mut self) -> Findings {
        let never_came = self.next..self.ledger.published();
        let absent = self.missing.iter().copied().chain(never_came);
        let lost = absent
            .filter(|number| self.ledger.seq(*number).is_some())
            .count();
        self.findings.lost = lost as u64;
        self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of five events, of which all but the last are acknowledged at seqs 2 to 5.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for seq in 2..=5 {
            let number = ledger.publish();
            ledger.acknowledge(number, Seq::new(seq));
        }
        ledger.publish();
        ledger
    }

    fn audit(copy: &[(u64, u64)]) -> Findings {
        let ledger = ledger();
        let mut audit = Audit::new(&ledger);
        for (seq, number) in copy {
            audit.event(Seq::new(*seq), Some(*number), true);
        }
        audit.finish()
    }

    #[test]
    fn a_copy_that_keeps_every_promise_is_clean_with_or_without_the_rest() {
        assert!(audit(&[(2, 0), (3, 1), (4, 2), (5, 3)]).is_clean());
        assert!(audit(&[(2, 0), (3, 1), (4, 2), (5, 3), (6, 4)]).is_clean());
    }

    #[test]
    fn holes_and_a_missing_end_are_losses() {
        assert_eq!(audit(&[(2, 0), (4, 2), (5, 3)]).lost, 1);
        assert_eq!(audit(&[(2, 0), (3, 1)]).lost, 2);
        assert_eq!(audit(&[]).lost, 4);
    }

    #[test]
    fn a_repeated_event_is_a_duplicate() {
        let findings = audit(&[(2, 0), (3, 1), (4, 2), (5, 3), (6, 1)]);
        assert_eq!(
            (findings.duplicated, findings.lost, findings.reordered),
            (1, 0, 0)
        );
    }

    #[test]
    fn late_and_misplaced_events_are_out_of_order_but_not_lost() {
        let late = audit(&[(2, 0), (4, 2), (3, 1), (5, 3)]);
        assert_eq!((late.reordered, late.lost, late.duplicated), (1, 0, 0));
        let moved = audit(&[(2, 0), (3, 1), (4, 2), (7, 3)]);
        assert_eq!((moved.reordered, moved.lost), (1, 0));
    }

    #[test]
    fn content_and_numbers_that_were_never_published_are_damage() {
        let ledger = ledger();
        let mut audit = Audit::new(&ledger);
        audit.event(Seq::new(2), Some(0), false);
        audit.event(Seq::new(3), None, true);
        audit.event(Seq::new(4), Some(99), true);
        let findings = audit.finish();
        assert_eq!((findings.damaged, findings.lost), (3, 4));
    }
}
