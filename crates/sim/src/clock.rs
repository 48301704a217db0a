//! A node's clock, which is not the world's: it began somewhere, and runs a little too fast or too
//! slowly. Nothing but leases may depend on that (protocol §16), and there are none.

use tetrarch_replica::{Moment, Now};

use crate::{dice::Dice, swarm::Swarm, world::MS};

const MILLION: i128 = 1_000_000;

/// How a node's clock runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    begun: u64,
    /// How many millionths it is too fast.
    drift: i64,
    /// Wall time at the beginning, in milliseconds.
    wall: i64,
}

impl Clock {
    pub(crate) fn draw(swarm: &Swarm, dice: &mut Dice) -> Self {
        let spread = swarm.drift_ppm;
        let drift = i64::try_from(dice.below(2 * spread + 1)).unwrap_or(0)
            - i64::try_from(spread).unwrap_or(0);
        Self {
            begun: dice.below(1_000_000) * MS,
            drift,
            wall: 1_700_000_000_000 + i64::try_from(dice.below(7_200_000)).unwrap_or(0),
        }
    }

    /// What it shows.
    pub(crate) fn read(&self, now: u64) -> Now {
        let elapsed = i128::from(now) * (MILLION + i128::from(self.drift)) / MILLION;
        let mono = u64::try_from(elapsed).unwrap_or(u64::MAX) + self.begun;
        let wall = self.wall + i64::try_from(now / MS).unwrap_or(0);
        Now {
            mono: Moment::from_nanos(mono),
            wall_ms: u64::try_from(wall).unwrap_or(0),
        }
    }

    /// The first time of the world at which it shows `moment` or later.
    pub(crate) fn when(&self, moment: Moment) -> u64 {
        let elapsed = i128::from(moment.as_nanos().saturating_sub(self.begun));
        let now = elapsed * MILLION / (MILLION + i128::from(self.drift)) + 1;
        u64::try_from(now).unwrap_or(u64::MAX)
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step_wall(&mut self, milliseconds: i64) {
        self.wall = self.wall.saturating_add(milliseconds).max(0);
    }
}
