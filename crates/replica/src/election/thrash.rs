//! Elections that follow one another too fast are slowed down (protocol §6), and what earlier
//! rounds have told of the other voters' logs is kept for the next.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tetrarch_wire::{Epoch, LogPosition, Seq, VoterId};

use crate::{Moment, Settings};

/// In how long a time elections are counted.
const WINDOW: Duration = Duration::from_secs(30);
/// How many of them are nothing unusual.
const USUAL: usize = 3;

/// What is remembered from one round to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thrash {
    /// When elections began, latest last. A refused pre-vote is none.
    elections: VecDeque<Moment>,
    /// Rounds in a row without a result: each lets one more rank stand.
    pub(crate) failed_rounds: u32,
    /// Epoch numbers that others have seen, told in refusals of pre-votes: the next round must
    /// ask for a higher one, although nothing is persisted because of them.
    pub(crate) highest_n: u64,
    tails: BTreeMap<VoterId, (Epoch, Seq)>,
}

impl Thrash {
    /// An election began: a vote was asked for, not only a pre-vote.
    pub(super) fn election(&mut self, now: Moment) {
        while self
            .elections
            .front()
            .is_some_and(|at| now.since(*at) > WINDOW)
        {
            self.elections.pop_front();
        }
        self.elections.push_back(now);
        if self.elections.len() > 16 {
            self.elections.pop_front();
        }
    }

    /// A leader was found.
    pub(crate) fn settled(&mut self) {
        self.failed_rounds = 0;
    }

    /// The distance between two ranks: doubled for each election too many, up to the cap.
    pub(super) fn slot(&self, now: Moment, settings: &Settings) -> Duration {
        let recent = self.elections.iter();
        let recent = recent.filter(|at| now.since(**at) <= WINDOW).count();
        let doublings = u32::try_from(recent.saturating_sub(USUAL)).unwrap_or(u32::MAX);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        settings.slot.saturating_mul(factor).min(settings.slot_cap)
    }

    /// A voter told where its log ends.
    pub(super) fn heard_tail(&mut self, voter: VoterId, tail: &LogPosition) {
        self.tails.insert(voter, tail.rank());
    }

    pub(super) fn known_tail(&self, voter: VoterId) -> Option<(Epoch, Seq)> {
        self.tails.get(&voter).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_double_when_elections_follow_too_fast_and_recover_with_time() {
        let settings = Settings::default();
        let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
        let mut thrash = Thrash::default();
        for second in 1..=3 {
            thrash.election(at(second));
        }
        assert_eq!(thrash.slot(at(3), &settings), settings.slot);
        thrash.election(at(4));
        assert_eq!(thrash.slot(at(4), &settings), settings.slot * 2);
        for second in 5..=9 {
            thrash.election(at(second));
        }
        assert_eq!(thrash.slot(at(9), &settings), settings.slot_cap);
        assert_eq!(thrash.slot(at(60), &settings), settings.slot);
    }
}
