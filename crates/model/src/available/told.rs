//! What leaders told. Anything of it may be heard now, later, again or never, which is all that a
//! network or a partition may do to it.
//!
//! In one epoch a leader's log only grows, and whoever is told a longer one may take just the next
//! batch of it. So the last word of each epoch stands for all that were said before.

use super::{Log, Pair};

/// The last word of the leader of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told {
    /// The epoch.
    pub epoch: Pair,
    /// The leader's log.
    pub log: Log,
    /// The length at which it stood still when it met another leader; 0 if it met none.
    pub stood: u8,
}

/// The last words of all epochs, by epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Words(Vec<Told>);

impl Words {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Told> {
        self.0.iter()
    }

    /// That of an epoch.
    #[must_use]
    pub fn of(&self, epoch: Pair) -> Option<&Told> {
        let place = self.0.binary_search_by_key(&epoch, |told| told.epoch);
        place.ok().map(|place| &self.0[place])
    }

    /// A leader tells its log.
    pub fn tell(&mut self, epoch: Pair, log: Log) {
        self.row(epoch).log = log;
    }

    /// A leader tells that it stands, or stood, still.
    pub fn tell_stood(&mut self, epoch: Pair, stood: u8) {
        self.row(epoch).stood = stood;
    }

    fn row(&mut self, epoch: Pair) -> &mut Told {
        let place = self.0.binary_search_by_key(&epoch, |told| told.epoch);
        let place = place.unwrap_or_else(|place| {
            let (log, stood) = (Log::default(), 0);
            self.0.insert(place, Told { epoch, log, stood });
            place
        });
        &mut self.0[place]
    }

    /// Forgets what is not `live`.
    pub fn retain(&mut self, live: impl Fn(&Told) -> bool) {
        self.0.retain(live);
    }
}
