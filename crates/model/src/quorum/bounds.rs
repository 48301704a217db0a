//! How far a run goes. Within its bounds a search is complete; beyond them it says nothing.

/// The size of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many nodes vote: 2 or 3.
    pub voters: u8,
    /// The highest number of an epoch.
    pub epochs: u8,
    /// How many events are published.
    pub entries: u8,
    /// How many crashes, over all nodes.
    pub crashes: u8,
    /// How many times a node is parked, over all nodes.
    pub parks: u8,
    /// How many times a node forgets a part of what it had made durable, over all nodes.
    pub rots: u8,
}

impl Bounds {
    /// Three voters and no faults of nodes.
    #[must_use]
    pub const fn new(epochs: u8, entries: u8) -> Self {
        Self {
            voters: 3,
            epochs,
            entries,
            crashes: 0,
            parks: 0,
            rots: 0,
        }
    }

    /// With this many crashes.
    #[must_use]
    pub const fn crashes(self, crashes: u8) -> Self {
        Self { crashes, ..self }
    }

    /// With this many parkings.
    #[must_use]
    pub const fn parks(self, parks: u8) -> Self {
        Self { parks, ..self }
    }

    /// With a node forgetting this many times.
    #[must_use]
    pub const fn rots(self, rots: u8) -> Self {
        Self { rots, ..self }
    }

    /// How many voters make a majority.
    #[must_use]
    pub fn majority(self) -> usize {
        usize::from(self.voters) / 2 + 1
    }
}
