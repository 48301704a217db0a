//! What is wrong with a link, and what that does to one datagram.

use std::time::Duration;

use crate::Dice;

/// What is wrong with the way from one node to another; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFaults {
    /// Nothing arrives.
    pub cut: bool,
    /// Of a thousand datagrams so many are lost.
    pub loss: u64,
    /// Of a thousand datagrams so many arrive twice.
    pub duplicates: u64,
    /// How long each takes at least.
    pub delay: Duration,
    /// By how much more it may take, by chance: datagrams overtake each other.
    pub jitter: Duration,
}

impl LinkFaults {
    /// A way on which nothing arrives.
    pub const CUT: Self = Self {
        cut: true,
        loss: 0,
        duplicates: 0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
    };

    /// Both at once: the worse of each.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            cut: self.cut || other.cut,
            loss: self.loss.max(other.loss),
            duplicates: self.duplicates.max(other.duplicates),
            delay: self.delay.max(other.delay),
            jitter: self.jitter.max(other.jitter),
        }
    }
}

/// How many datagrams had which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed on, copies included.
    pub passed: u64,
    /// Dropped because the way was cut.
    pub cut: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Doubled by chance.
    pub doubled: u64,
    /// Held back before they were passed on.
    pub delayed: u64,
}

/// When the copies of a datagram are passed on; none if it is lost.
pub(super) type Fate = [Option<Duration>; 2];

#[derive(Debug)]
struct Way {
    faults: LinkFaults,
    dice: Dice,
}

/// The ways between all nodes.
#[derive(Debug)]
pub(super) struct Table {
    nodes: usize,
    ways: Vec<Way>,
    tally: Tally,
}

impl Table {
    pub(super) fn new(nodes: usize, dice: &Dice) -> Self {
        let ways = (0..nodes * nodes).map(|number| Way {
            faults: LinkFaults::default(),
            dice: dice.part(number as u64),
        });
        Self {
            nodes,
            ways: ways.collect(),
            tally: Tally::default(),
        }
    }

    pub(super) fn set(&mut self, from: usize, to: usize, faults: LinkFaults) {
        self.ways[from * self.nodes + to].faults = faults;
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Decides over a datagram that is on its way.
    pub(super) fn decide(&mut self, from: usize, to: usize) -> Fate {
        let Way { faults, dice } = &mut self.ways[from * self.nodes + to];
        if faults.cut {
            self.tally.cut += 1;
            return [None, None];
        }
        if dice.per_mille(faults.loss) {
            self.tally.lost += 1;
            return [None, None];
        }
        let jitter = u64::try_from(faults.jitter.as_micros()).unwrap_or(u64::MAX);
        let mut wait = || faults.delay + Duration::from_micros(dice.below(jitter));
        let first = wait();
        let second = wait();
        let doubled = dice.per_mille(faults.duplicates);
        self.tally.passed += 1 + u64::from(doubled);
        self.tally.doubled += u64::from(doubled);
        self.tally.delayed += u64::from(!first.is_zero());
        [Some(first), doubled.then_some(second)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(faults: LinkFaults) -> Vec<Fate> {
        let mut table = Table::new(2, &Dice::new(1));
        table.set(0, 1, faults);
        assert_eq!(table.decide(1, 0), [Some(Duration::ZERO), None]);
        (0..1_000).map(|_| table.decide(0, 1)).collect()
    }

    #[test]
    fn a_link_without_faults_passes_everything_once_and_at_once() {
        let fates = fates(LinkFaults::default());
        assert!(
            fates
                .iter()
                .all(|fate| *fate == [Some(Duration::ZERO), None])
        );
    }

    #[test]
    fn a_cut_passes_nothing_in_its_direction() {
        assert!(
            fates(LinkFaults::CUT)
                .iter()
                .all(|fate| *fate == [None, None])
        );
    }

    #[test]
    fn loss_and_duplicates_are_as_frequent_as_was_asked() {
        let fates = fates(LinkFaults {
            loss: 200,
            duplicates: 100,
            ..LinkFaults::default()
        });
        let lost = fates.iter().filter(|fate| fate[0].is_none()).count();
        let doubled = fates.iter().filter(|fate| fate[1].is_some()).count();
        assert!((150..250).contains(&lost), "{lost} of 1,000 lost");
        assert!((50..130).contains(&doubled), "{doubled} of 1,000 doubled");
    }

    #[test]
    fn jitter_lets_datagrams_overtake_each_other() {
        let fates = fates(LinkFaults {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(10),
            ..LinkFaults::default()
        });
        let waits: Vec<Duration> = fates.into_iter().filter_map(|fate| fate[0]).collect();
        assert!(waits.iter().all(|wait| (5..15).contains(&wait.as_millis())));
        assert!(!waits.is_sorted());
    }

    #[test]
    fn the_worse_of_two_faults_counts() {
        let slow = LinkFaults {
            delay: Duration::from_millis(5),
            ..LinkFaults::default()
        };
        let both = slow.with(LinkFaults::CUT);
        assert!(both.cut);
        assert_eq!(both.delay, slow.delay);
    }
}
