//! Time and chance, as arguments.

use std::time::Duration;

use crate::Effect;

/// A reading of the node's monotonic clock, which counts suspend. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// A reading in nanoseconds since an arbitrary start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since that start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    /// The time since `earlier`; zero if that is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The time of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: all timers.
    pub mono: Moment,
    /// Wall time in milliseconds of Unix time: only ever written into batches for information.
    pub wall_ms: u64,
}

/// A source of randomness. Used for election jitter alone; no safety depends on it.
pub trait Chance {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;
}

/// What a step may use: the time, chance, and a place for its effects.
pub struct Context<'a> {
    /// The time of the step.
    pub now: Now,
    /// Randomness.
    pub chance: &'a mut dyn Chance,
    /// Effects, in the order in which they are to be carried out.
    pub effects: &'a mut Vec<Effect>,
}
