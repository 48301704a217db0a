//! What a replica shows of itself: for status pages, metrics, beats and reads. Only facts that it
//! knows; what it does not know is `None`.

use bytes::Bytes;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Epoch, Limbo, LogPosition, ReplicaRole, Seq, VoterId, frame::ChannelBeat};

use crate::{HaltReason, Moment, Replica, catchup::CatchUp, replication::Flow, snapshot};

/// A replica at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its role.
    pub role: ReplicaRole,
    /// The highest epoch it has seen, with the leader if that is known.
    pub epoch_seen: Epoch,
    /// Who leads, as far as it knows.
    pub leader: Option<VoterId>,
    /// End of its log.
    pub tail: LogPosition,
    /// End of the durable part.
    pub durable: LogPosition,
    /// Last committed seq known.
    pub commit: Seq,
    /// Whether that is everything which the present leader had committed when it last told; `false`
    /// without a leader. As long as it is not, what is missing here may exist all the same.
    pub is_current: bool,
    /// The position before the first batch held.
    pub log_start: LogPosition,
    /// Why it takes no part any more, if so.
    pub halted: Option<HaltReason>,
    /// It may have forgotten what it promised, and neither votes nor stands.
    pub limbo: Option<Limbo>,
    /// How many forks are kept beside its log, and how many events are in them.
    pub forks: (u64, u64),
    /// It is handing over.
    pub draining: bool,
    /// It is getting its log back into step.
    pub catching_up: bool,
    /// It takes nothing for want of room: its disk was full at the last write, or is so full that it
    /// has withdrawn, or would if anybody could take over.
    pub storage_full: bool,
    /// Messages refused without any change of state, since the start.
    pub refused: u64,
}

/// A follower, seen from the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerView {
    /// Who.
    pub voter: VoterId,
    /// Last seq known to be durable there; `None` if it has not acknowledged anything yet.
    pub durable: Option<Seq>,
    /// Since when it holds less than the leader.
    pub behind_since: Option<Moment>,
    /// Whether there is a connection.
    pub connected: bool,
    /// Whether it is pushed to; else it is being searched for, or pulls.
    pub in_step: bool,
}

impl Replica {
    /// The replica at a glance.
    #[must_use]
    pub fn view(&self) -> View {
        let leadership = self.leadership.as_deref();
        View {
            role: self.role.get(),
            epoch_seen: self.epoch_seen(),
            leader: self.known_leader(),
            tail: self.log.tail(),
            durable: self.log.durable(),
            commit: self.commit,
            is_current: self.is_current(),
            log_start: self.log.start(),
            halted: self.halted.clone(),
            limbo: self.hard_state.limbo,
            forks: self.kept.count(),
            draining: leadership.is_some_and(|l| l.transfer.is_some()),
            catching_up: self.catch_up != CatchUp::None,
            storage_full: self.durability.is_full() || self.is_parked() || self.is_frozen(),
            refused: self.refused,
        }
    }

    /// Role, highest epoch seen and leader, as far as known: what the beats must hear of before
    /// anything else leaves the node when it changes.
    #[must_use]
    pub fn standing(&self) -> (ReplicaRole, Epoch, Option<VoterId>) {
        (self.role.get(), self.epoch_seen(), self.known_leader())
    }

    /// Whether an answer waits until a majority has acknowledged a beat.
    #[must_use]
    pub fn awaits_acknowledgement(&self) -> bool {
        self.leadership
            .as_deref()
            .is_some_and(|leadership| !leadership.unconfirmed.is_empty())
    }

    /// A leader's commit is worth something from the first batch of its own epoch on.
    fn is_current(&self) -> bool {
        match &self.leadership {
            Some(leadership) => self.commit >= leadership.start,
            None => self.following.told.is_some_and(|told| told <= self.commit),
        }
    }

    /// Whether [`crate::Input::Flush`] can have any effect: only a leader forms batches.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.leadership.is_some()
    }

    /// The row of this channel in the node's beats; `None` unless it leads.
    #[must_use]
    pub fn leader_row(&self) -> Option<ChannelBeat> {
        let leadership = self.leadership.as_deref()?;
        Some(ChannelBeat {
            channel: self.channel,
            role: self.role.get(),
            epoch: leadership.epoch,
            durable: self.log.durable().seq,
            tail: self.log.tail().seq,
            commit: self.commit,
        })
    }

    /// The other voters, seen from a leader; nothing unless it leads.
    pub fn followers(&self) -> impl Iterator<Item = FollowerView> + '_ {
        let leadership = self.leadership.as_deref();
        let followers = leadership.into_iter().flat_map(|l| l.followers.iter());
        followers.map(|(voter, follower)| FollowerView {
            voter: *voter,
            durable: (follower.acked > Seq::ZERO).then_some(follower.acked),
            behind_since: follower.behind_since,
            connected: follower.connected,
            in_step: follower.flow == Flow::Push,
        })
    }

    /// Everything up to this seq may be dropped by the log: a committed trim point covers it.
    #[must_use]
    pub fn retention_floor(&self) -> Seq {
        self.controls.trim_point()
    }

    /// Which of this node's holdings of the channel this is: how often it has let go of it.
    #[must_use]
    pub const fn holding(&self) -> u64 {
        self.releases
    }

    /// What a start must know of the log up to the commit position, so that it need not read all of it:
    /// who votes, what was trimmed, and the producers.
    #[must_use]
    pub fn snapshot(&self) -> (Seq, Bytes) {
        // A log may begin with the one that is being saved as soon as it is: nothing that knows less
        // may take its place.
        if let Some(beginning) = &self.beginning
            && let Some(bytes) = beginning.whole()
        {
            return (beginning.header().seq, bytes);
        }
        // The log may not have reached yet what an earlier snapshot said of it.
        let seq = self.commit.max(self.covered);
        let config = self.controls.config_at(seq);
        let trim_point = self.controls.trim_point();
        let snapshot = snapshot::encode(config, trim_point, &self.producers);
        (seq, snapshot)
    }

    /// Bytes of recent batches in memory.
    #[must_use]
    pub fn recent_bytes(&self) -> usize {
        self.log.recent().bytes()
    }

    /// The node has less memory for recent batches, or more again.
    pub fn set_recent_bytes(&mut self, bytes: usize) {
        self.settings.recent_bytes = bytes;
        self.evict_recent();
    }

    /// Whether it has asked for anything to be persisted. One that was halted from its beginning has not,
    /// and can be made anew of what the store holds.
    #[must_use]
    pub(crate) const fn has_written(&self) -> bool {
        self.durability.has_issued()
    }

    /// The number of the last read that it asked for.
    #[must_use]
    pub const fn last_read(&self) -> u64 {
        self.last_read
    }

    /// When [`crate::Input::Tick`] is wanted next. It changes with every step.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.halted.is_some() {
            return self.repair_deadline();
        }
        let of_role = match self.role.get() {
            ReplicaRole::Leader => self.leader_deadline(),
            ReplicaRole::Candidate => self.round_deadline(),
            ReplicaRole::Replica => earliest([
                self.may_stand().then(|| self.silence_deadline()),
                self.catch_up_deadline(),
                self.handover_deadline(),
                self.report_deadline(),
            ]),
            ReplicaRole::Idle => self.handover_deadline(),
        };
        if planted(Mutant::RetryNotArmed) {
            return of_role;
        }
        earliest([
            of_role,
            self.durability.retry_at(),
            self.repair_deadline(),
            self.recollection_deadline(),
        ])
    }

    fn leader_deadline(&self) -> Option<Moment> {
        let leadership = self.leadership.as_deref()?;
        let contacts = leadership.followers.values();
        let probes = contacts
            .filter(|follower| follower.connected && follower.owes_answer(self.commit))
            .map(|follower| follower.waiting_since().plus(self.settings.heartbeat));
        let waits = !leadership.staging.is_empty() || self.has_chunk();
        let staged = waits && self.may_form();
        earliest([
            self.quorum_deadline(),
            probes.min(),
            self.transfer_deadline(),
            self.pressure_deadline(),
            self.stranded_deadline(),
            self.unreadable_deadline(),
            self.placement_deadline(),
            self.copies_deadline(),
            self.collection_deadline(),
            staged.then(Moment::default),
        ])
    }
}

fn earliest<const N: usize>(moments: [Option<Moment>; N]) -> Option<Moment> {
    moments.into_iter().flatten().min()
}
