//! How far a run goes. Within its bounds a search is complete; beyond them it says nothing.

/// How two leaders that meet settle who goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meeting {
    /// As designed: both stand still, and the one with the shorter log steps down.
    #[default]
    LongerLog,
    /// The one with the earlier epoch steps down when it hears of the other. Nobody stands still.
    LaterEpoch,
}

/// The size of a model. A healing is not bound by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many nodes hold the channel: 2 or 3.
    pub nodes: u8,
    /// The highest number of an epoch.
    pub epochs: u8,
    /// How many events of an idempotent producer are published.
    pub numbered: u8,
    /// How many events without a producer are published.
    pub plain: u8,
    /// How many times a numbered event is published again at a leader that does not have it.
    pub retries: u8,
    /// How many crashes, over all nodes.
    pub crashes: u8,
    /// How many events an operator gives up.
    pub discards: u8,
    /// How many times a leader that stands still does not hear the other in time.
    pub expiries: u8,
    /// What happens when two leaders meet.
    pub meeting: Meeting,
}

impl Bounds {
    /// No faults of nodes, and clients that publish once.
    #[must_use]
    pub const fn new(nodes: u8, epochs: u8, numbered: u8, plain: u8) -> Self {
        Self {
            nodes,
            epochs,
            numbered,
            plain,
            retries: 0,
            crashes: 0,
            discards: 0,
            expiries: 0,
            meeting: Meeting::LongerLog,
        }
    }

    /// How many events are published.
    #[must_use]
    pub const fn events(self) -> u8 {
        self.numbered.saturating_add(self.plain)
    }

    /// How long a log may get: it holds the start of each epoch and of one more that a healing
    /// begins, each event, and what was given up.
    #[must_use]
    pub const fn longest(self) -> u8 {
        let started = self.epochs.saturating_add(1);
        let published = self.events().saturating_add(self.discards);
        started.saturating_add(published)
    }

    /// With this many retries.
    #[must_use]
    pub const fn retries(self, retries: u8) -> Self {
        Self { retries, ..self }
    }

    /// With this many crashes.
    #[must_use]
    pub const fn crashes(self, crashes: u8) -> Self {
        Self { crashes, ..self }
    }

    /// What a run within these bounds would need more, for the thing called `name` to happen.
    #[must_use]
    pub fn lacks(self, name: &str) -> Option<&'static str> {
        match name {
            "three leaders" if self.nodes < 3 => Some("--voters 3"),
            "a later epoch is outdone" if self.epochs < 2 => Some("--epochs 2"),
            "an event is given up" if self.discards == 0 => Some("--discards 1"),
            _ => None,
        }
    }

    /// With this many leaders that stand still for nothing.
    #[must_use]
    pub const fn expiries(self, expiries: u8) -> Self {
        Self { expiries, ..self }
    }

    /// With another rule for two leaders that meet.
    #[must_use]
    pub const fn meeting(self, meeting: Meeting) -> Self {
        Self { meeting, ..self }
    }

    /// With this many events given up.
    #[must_use]
    pub const fn discards(self, discards: u8) -> Self {
        Self { discards, ..self }
    }
}
