//! The numbers of a channel: intervals, windows and bounds, with the defaults of protocol §16.

use std::time::Duration;

use tetrarch_wire::limits;
use thiserror::Error;

const MIB: usize = 1024 * 1024;

/// Intervals, windows and bounds of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Interval of the beats; 150 ms.
    pub heartbeat: Duration,
    /// After how many silent intervals a leader counts as gone; 3.
    pub missed_heartbeats: u32,
    /// How much later each next rank stands for election; 50 ms.
    pub slot: Duration,
    /// The most a slot grows to when elections follow one another too fast; 300 ms.
    pub slot_cap: Duration,
    /// How long a round may take, how long a leader goes on without a majority, and the least time
    /// between two elections of one replica; 450 ms, plus up to a third of it by chance.
    pub election_timeout: Duration,
    /// How long a leader of class `available` waits for copies before it acknowledges without them; 250 ms.
    pub copy_timeout: Duration,
    /// How long a handover may take; 450 ms.
    pub transfer_timeout: Duration,
    /// Most bytes accepted and not yet committed; 64 MiB.
    pub unacked_bytes: usize,
    /// Most batches accepted and not yet committed; 8,192.
    pub unacked_batches: usize,
    /// Most client requests waiting for an answer; 262,144.
    pub unacked_requests: usize,
    /// Most bytes pushed to one follower and not yet acknowledged by it; 8 MiB.
    pub window_bytes: usize,
    /// Most batches pushed to one follower and not yet acknowledged by it; 1,024.
    pub window_batches: usize,
    /// Most bytes of recent batches kept in memory for pushing and reading; 16 MiB.
    pub recent_bytes: usize,
    /// About how many bytes one persist carries at most; 4 MiB.
    pub persist_bytes: usize,
    /// Most bytes of batches in one frame to a follower, unless a single batch is larger; 1 MiB. Each
    /// follower must be able to write that at once.
    pub frame_bytes: usize,
    /// How many persists of new batches may be under way before more batches wait; 2.
    pub outstanding_persists: usize,
    /// Most bytes asked for in one pull; 1 MiB.
    pub sync_bytes: u32,
    /// How many batches of one producer are remembered for deduplication; 1,024.
    pub producer_window: usize,
    /// How many producers are remembered; 100,000.
    pub max_producers: usize,
    /// Whether this voter stands at once when it is selected and its log is empty, instead of
    /// waiting for a leader first: set for the first voter of a new channel (protocol §13).
    pub stand_first: bool,
    /// Whether this channel withdraws from a disk that is too full (protocol §12); true. The catalog
    /// does not: it is small, and without it nothing can be deleted to make room.
    pub withdraws: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            missed_heartbeats: 3,
            slot: Duration::from_millis(50),
            slot_cap: Duration::from_millis(300),
            election_timeout: Duration::from_millis(450),
            copy_timeout: Duration::from_millis(250),
            transfer_timeout: Duration::from_millis(450),
            unacked_bytes: 64 * MIB,
            unacked_batches: 8_192,
            unacked_requests: 262_144,
            window_bytes: 8 * MIB,
            window_batches: 1_024,
            recent_bytes: 16 * MIB,
            persist_bytes: 4 * MIB,
            frame_bytes: limits::MAX_BATCH_BYTES,
            outstanding_persists: 2,
            sync_bytes: 1024 * 1024,
            producer_window: 1_024,
            max_producers: 100_000,
            stand_first: false,
            withdraws: true,
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// A bound or interval is zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// No frame takes as much.
    #[error("frame_bytes is {0}, a frame takes {max}", max = limits::MAX_BATCH_BYTES)]
    FrameTooLarge(usize),
    /// The beats are too far apart for the election timeout.
    #[error("the election timeout must be at least two heartbeats")]
    ElectionTimeoutTooShort,
    /// The slots are in the wrong order.
    #[error("the slot cap must not be below the slot")]
    SlotCapBelowSlot,
}

impl Settings {
    /// Checks them.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let positive = [
            ("heartbeat", !self.heartbeat.is_zero()),
            ("missed_heartbeats", self.missed_heartbeats > 0),
            ("slot", !self.slot.is_zero()),
            ("copy_timeout", !self.copy_timeout.is_zero()),
            ("transfer_timeout", !self.transfer_timeout.is_zero()),
            ("unacked_bytes", self.unacked_bytes > 0),
            ("unacked_batches", self.unacked_batches > 0),
            ("unacked_requests", self.unacked_requests > 0),
            ("window_bytes", self.window_bytes > 0),
            ("window_batches", self.window_batches > 0),
            ("persist_bytes", self.persist_bytes > 0),
            ("frame_bytes", self.frame_bytes > 0),
            ("outstanding_persists", self.outstanding_persists > 0),
            ("sync_bytes", self.sync_bytes > 0),
            ("producer_window", self.producer_window > 0),
            ("max_producers", self.max_producers > 0),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, positive)| !positive) {
            return Err(SettingsError::Zero(name));
        }
        if self.frame_bytes > limits::MAX_BATCH_BYTES {
            return Err(SettingsError::FrameTooLarge(self.frame_bytes));
        }
        if self.election_timeout < self.heartbeat * 2 {
            return Err(SettingsError::ElectionTimeoutTooShort);
        }
        if self.slot_cap < self.slot {
            return Err(SettingsError::SlotCapBelowSlot);
        }
        Ok(())
    }

    /// After how much silence a leader counts as gone (protocol §6).
    pub(crate) fn silence(&self) -> Duration {
        self.heartbeat * self.missed_heartbeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_each_rule_is_checked() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let zero = Settings {
            window_bytes: 0,
            ..Settings::default()
        };
        assert_eq!(zero.validate(), Err(SettingsError::Zero("window_bytes")));
        let large = limits::MAX_BATCH_BYTES + 1;
        let too_large = Settings {
            frame_bytes: large,
            ..Settings::default()
        };
        assert_eq!(
            too_large.validate(),
            Err(SettingsError::FrameTooLarge(large))
        );
        let short = Settings {
            election_timeout: Duration::from_millis(200),
            ..Settings::default()
        };
        assert_eq!(
            short.validate(),
            Err(SettingsError::ElectionTimeoutTooShort)
        );
    }
}
