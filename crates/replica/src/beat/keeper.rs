//! Who vouches for channels: the tasks that own them. A task that says it is alive says it for all
//! its channels, so that a thousand quiet ones cost as much as one.

use std::{collections::BTreeMap, time::Duration};

use super::local::Stamped;
use crate::Moment;

/// A task that owns channels. They are stamped by it alone, and are stuck together if it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keeper(usize);

impl Keeper {
    /// The keeper with this number in its node.
    #[must_use]
    pub const fn new(number: usize) -> Self {
        Self(number)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sign {
    at: Moment,
    /// Whether rows of its channels were taken out of the beats since it was last told of all that
    /// were.
    owes_stamps: bool,
}

/// When each keeper was last alive.
#[derive(Clone, Debug, Default)]
pub(super) struct Keepers {
    signs: BTreeMap<Keeper, Sign>,
}

impl Keepers {
    /// The keeper is alive. `true` if some of its channels must be stamped all the same.
    pub(super) fn alive(&mut self, keeper: Keeper, now: Moment) -> bool {
        let sign = self.signs.entry(keeper).or_default();
        sign.at = now;
        std::mem::take(&mut sign.owes_stamps)
    }

    /// Rows of its channels were taken out of the beats.
    pub(super) fn owe_stamps(&mut self, keeper: Keeper) {
        self.signs.entry(keeper).or_default().owes_stamps = true;
    }

    /// The same for all keepers.
    pub(super) fn all_owe_stamps(&mut self) {
        for sign in self.signs.values_mut() {
            sign.owes_stamps = true;
        }
    }

    /// When the channel was last vouched for.
    pub(super) fn last_sign(&self, stamped: &Stamped) -> Moment {
        let sign = self.signs.get(&stamped.local.keeper);
        sign.map_or(stamped.at, |sign| sign.at.max(stamped.at))
    }

    /// Whether nobody has vouched for the channel for so long that it counts as wedged.
    pub(super) fn is_silent(&self, stamped: &Stamped, now: Moment, patience: Duration) -> bool {
        now.since(self.last_sign(stamped)) >= patience
    }
}
