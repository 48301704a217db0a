//! What an enumeration has come to.

use std::collections::BTreeMap;

use super::image::Outcome;

/// What was tried, and what was wrong.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Moments at which the power was cut, those in a start included.
    pub cuts: u64,
    /// Combinations that were tried of what those cuts may have kept.
    pub combinations: u64,
    /// Different images among them. Each was opened three times.
    pub images: u64,
    /// Moments at which the process was killed instead.
    pub kills: u64,
    /// Images in which what was under way was whole.
    pub with_more: u64,
    /// Images that were not formatted yet.
    pub unformatted: u64,
    /// Images that could not be opened for want of room.
    pub refused: u64,
    /// Images by script.
    pub by_script: BTreeMap<&'static str, u64>,
    /// What was wrong.
    pub violations: Vec<Violation>,
}

/// Something wrong, and where.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Where, as [`super::replay`] understands it.
    pub place: String,
    /// The step that the power did not let happen.
    pub before: String,
    /// What is wrong.
    pub why: String,
}

impl Tally {
    pub(crate) fn add_images(&mut self, script: &'static str, images: u64, combinations: u64) {
        self.images += images;
        self.combinations += combinations;
        *self.by_script.entry(script).or_default() += images;
    }

    pub(crate) fn add_outcome(&mut self, outcome: Outcome) {
        self.with_more += u64::from(outcome.is_more);
        self.unformatted += u64::from(outcome.is_unformatted);
        self.refused += u64::from(outcome.is_refused);
    }

    pub(crate) fn add(&mut self, other: Self) {
        let Self {
            cuts,
            combinations,
            images,
            kills,
            with_more,
            unformatted,
            refused,
            by_script,
            violations,
        } = other;
        self.cuts += cuts;
        self.combinations += combinations;
        self.images += images;
        self.kills += kills;
        self.with_more += with_more;
        self.unformatted += unformatted;
        self.refused += refused;
        for (script, images) in by_script {
            *self.by_script.entry(script).or_default() += images;
        }
        self.violations.extend(violations);
    }
}
