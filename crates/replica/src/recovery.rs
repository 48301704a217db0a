//! A start: what the store found, and how a replica is made of it. It always begins Idle
//! (protocol §4 rule b).

use std::collections::BTreeMap;

use bytes::Bytes;
use tetrarch_fsm::Role;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    BatchHeader, ChannelConfig, ChannelUid, EpochStart, HardState, LogPosition, Seq, VoterId,
    batch::Control, frame::ForkReport,
};
use thiserror::Error;

use crate::{
    HaltReason, Now, Replica, Settings, SettingsError, SnapshotError,
    available::Kept,
    catchup::CatchUp,
    durability::Durability,
    election::{Silence, Thrash},
    log_state::LogState,
    membership::Members,
    pressure::Pressure,
    producer::{Numbers, ProducerTable},
    replication::{Controls, Following},
    snapshot::Snapshot,
};

/// What a store holds of a channel at a start.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The election promise.
    pub hard_state: HardState,
    /// The position before the first batch that is held: the origin unless retention has dropped
    /// something.
    pub log_start: LogPosition,
    /// The end of the log. All of it is durable.
    pub tail: LogPosition,
    /// Where the epochs of the log begin, oldest first, from the one that holds the first batch.
    pub epochs: Vec<EpochStart>,
    /// A commit position that was known once.
    pub commit_hint: Seq,
    /// What [`Replica::snapshot`] said, and the committed seq that it stands at.
    pub snapshot: Option<(Seq, Bytes)>,
    /// The forks that are kept beside it.
    pub forks: Vec<ForkReport>,
    /// Whether bytes that were written are missing or damaged.
    pub damaged: bool,
    /// How far the log went, by rank, before the node let go of the channel; the origin if it never did.
    pub reached: LogPosition,
    /// How often it has. What was acknowledged before counts as a copy no more.
    pub releases: u64,
}

impl Recovered {
    /// A channel of which nothing was written yet.
    #[must_use]
    pub fn empty(genesis: &ChannelConfig) -> Self {
        let origin = LogPosition::origin(genesis.genesis_link());
        Self {
            hard_state: HardState::INITIAL,
            log_start: origin,
            tail: origin,
            epochs: Vec::new(),
            commit_hint: Seq::ZERO,
            snapshot: None,
            forks: Vec::new(),
            damaged: false,
            reached: origin,
            releases: 0,
        }
    }
}

/// Why no replica can be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecoveryError {
    /// The settings cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The log holds an epoch that the election promise has never seen, so the promise is not the
    /// latest one (protocol §11.6).
    #[error("the log ends in epoch {log}, but the election promise knows only {promised}")]
    PromiseBehindLog {
        /// Number of the last epoch in the log.
        log: u64,
        /// Number of the highest epoch seen.
        promised: u64,
    },
}

impl Replica {
    /// Makes a replica of what a store holds.
    ///
    /// # Errors
    /// If what was recovered contradicts itself.
    pub fn new(
        me: VoterId,
        channel: ChannelUid,
        genesis: ChannelConfig,
        settings: Settings,
        recovered: Recovered,
        now: Now,
    ) -> Result<Self, RecoveryError> {
        settings.validate()?;
        let mut hard_state = recovered.hard_state;
        if planted(Mutant::VoteForgottenAtStart) {
            hard_state.voted_for = None;
        }
        if planted(Mutant::LimboForgotten) {
            hard_state.limbo = None;
        }
        if recovered.tail.epoch.n > hard_state.epoch_seen.n {
            return Err(RecoveryError::PromiseBehindLog {
                log: recovered.tail.epoch.n,
                promised: hard_state.epoch_seen.n,
            });
        }
        // The snapshot may be durable before the log is: what it says is committed can be something
        // else than what the log holds there.
        let commit_hint = match hard_state.limbo {
            None => recovered.commit_hint,
            // What is left of the log may be what was cut off before that was committed.
            Some(_) => Seq::ZERO,
        };
        let window = settings.producer_window;
        let found = match &recovered.snapshot {
            Some((_, bytes)) => Snapshot::decode(bytes, window)?,
            None => Snapshot::of_nothing(genesis.clone(), window),
        };
        let numbers = Numbers::of(genesis.class);
        let config = if planted(Mutant::VotersForgottenAtStart) {
            genesis
        } else {
            found.config
        };
        let producers = if planted(Mutant::ProducersNotRestored) {
            ProducerTable::new(numbers, window)
        } else {
            found.producers
        };
        let Recovered {
            log_start,
            tail,
            epochs,
            forks,
            damaged,
            reached,
            releases,
            snapshot,
            ..
        } = recovered;
        let covered = snapshot.map_or(Seq::ZERO, |(seq, _)| seq);
        Ok(Self {
            me,
            channel,
            role: Role::new(),
            pressure: Pressure::default(),
            hard_state,
            durability: Durability::default(),
            log: LogState::recovered(log_start, tail, epochs),
            reached,
            releases,
            commit: log_start.seq,
            commit_hint,
            hinted: commit_hint,
            covered,
            producers,
            controls: Controls::new(config, found.trim_point),
            members: Members::default(),
            following: Following::default(),
            silence: Silence::new(now.mono),
            thrash: Thrash::default(),
            catch_up: CatchUp::None,
            beginning: None,
            candidacy: None,
            leadership: None,
            handover: None,
            repair: None,
            recollection: None,
            kept: Kept::recovered(forks),
            reads: BTreeMap::new(),
            last_read: 0,
            last_request: 0,
            last_ts_ms: 0,
            halted: damaged.then_some(HaltReason::Corrupt),
            refused: 0,
            settings,
        })
    }

    /// Takes in a batch of the recovered log that the snapshot does not cover,
    /// in the order of the log and before the first step. `control` is what a control batch says.
    pub fn replay(&mut self, header: &BatchHeader, control: Option<&Control>) {
        self.last_ts_ms = self.last_ts_ms.max(header.ts_ms);
        self.let_take_effect(header, control);
        if planted(Mutant::ReplayCommits) {
            self.producers.commit(header.last_seq());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    /// The snapshot was saved when a batch was committed whose cut and write were still under way.
    #[test]
    fn a_snapshot_does_not_make_what_the_log_holds_committed() {
        let bench = Bench::follower(3);
        let genesis = bench.replica.config().clone();
        let recovered = Recovered {
            snapshot: Some((Seq::new(9), bench.replica.snapshot().1)),
            ..Recovered::empty(&genesis)
        };
        let (me, channel) = (bench.replica.me, bench.replica.channel);
        let settings = bench.replica.settings;
        let now = Now {
            mono: crate::Moment::default(),
            wall_ms: 0,
        };
        let replica = Replica::new(me, channel, genesis, settings, recovered, now).unwrap();
        assert_eq!(replica.commit_floor(), Seq::ZERO);
    }
}
