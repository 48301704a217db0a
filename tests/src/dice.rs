//! Chance with a seed: the same seed throws the same faults.

/// A sequence of numbers that looks like chance (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A sequence of its own for a part of the experiment, so that parts do not disturb each other.
    #[must_use]
    pub fn part(&self, number: u64) -> Self {
        let mut other = Self::new(self.state ^ number.wrapping_mul(0xa076_1d64_78bd_642f));
        other.state = other.throw();
        other
    }

    /// The next number.
    pub const fn throw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..end`; 0 if that is empty.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw().checked_rem(end).unwrap_or(0)
    }

    /// A place in `0..len`.
    pub fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// A number in `least..=most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True so many times in a thousand.
    pub fn per_mille(&mut self, often: u64) -> bool {
        self.below(1_000) < often
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_parts_differ() {
        let numbers = |mut dice: Dice| (0..8).map(|_| dice.throw()).collect::<Vec<_>>();
        assert_eq!(numbers(Dice::new(7)), numbers(Dice::new(7)));
        assert_ne!(numbers(Dice::new(7)), numbers(Dice::new(8)));
        assert_ne!(numbers(Dice::new(7).part(1)), numbers(Dice::new(7).part(2)));
    }

    #[test]
    fn numbers_stay_in_their_range_and_reach_both_ends() {
        let mut dice = Dice::new(1);
        let thrown: std::collections::BTreeSet<u64> =
            (0..200).map(|_| dice.between(3, 6)).collect();
        assert_eq!(thrown.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        assert!((0..100).all(|_| !dice.per_mille(0)));
        assert!((0..100).all(|_| dice.per_mille(1_000)));
    }
}
