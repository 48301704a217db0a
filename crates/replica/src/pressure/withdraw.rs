//! What a replica does as its node's disk fills up and empties again.
//!
//! A replica or candidate withdraws at once and is *parked*: it takes nothing any more, but goes on
//! voting, because its log is intact. A leader hands over first; if nobody can take over it stays and
//! is *frozen*: it is read from, and takes nothing. Who is parked comes back when there is room.

use tetrarch_fsm::TransitionSignal;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{LogPosition, ReplicaRole, VoterId, frame::DiskLevel};

use crate::{
    Context, Moment, Replica,
    replication::{Flow, Follower},
};

/// A leader without pressing need tries to hand over so many transfer timeouts after it could not.
const PATIENCE: u32 = 20;

/// How a replica stands to the disk of its node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pressure {
    pub(crate) level: DiskLevel,
    /// It has withdrawn, and takes no part but for its vote.
    pub(crate) is_parked: bool,
    /// When a leader tries (again) to hand over.
    hand_over_at: Option<Moment>,
}

/// Whether channels withdraw at this level.
pub(crate) const fn is_withdrawing(level: DiskLevel) -> bool {
    match level {
        DiskLevel::Green | DiskLevel::Low => false,
        DiskLevel::Critical | DiskLevel::Full => true,
    }
}

impl Replica {
    /// A halted replica neither withdraws nor comes back; it only knows.
    pub(crate) fn note_disk_level(&mut self, level: DiskLevel) {
        self.pressure.level = level;
    }

    /// The disk of this node is as full as that.
    pub(crate) fn on_disk_level(&mut self, level: DiskLevel, ctx: &mut Context<'_>) {
        let before = std::mem::replace(&mut self.pressure.level, level);
        if is_withdrawing(level) && !is_withdrawing(before) {
            // What was a matter of time is urgent now.
            self.pressure.hand_over_at = None;
            if self.is_pressed() {
                self.refuse_staged(ctx);
            }
        }
        self.hand_over_if_due(ctx);
        let resumes = level == DiskLevel::Green && !planted(Mutant::NeverResumes);
        if resumes && std::mem::take(&mut self.pressure.is_parked) {
            self.on_select(ctx);
        }
    }

    /// Whether this channel must leave the disk alone now.
    pub(crate) fn is_pressed(&self) -> bool {
        self.settings.withdraws && is_withdrawing(self.pressure.level)
    }

    /// Part of every step, the last one: also a leader that was deposed meanwhile withdraws.
    pub(crate) fn withdraw_under_pressure(&mut self, ctx: &mut Context<'_>) {
        if !self.is_pressed() {
            return;
        }
        let role = self.role.get();
        let signal = match role {
            ReplicaRole::Candidate => TransitionSignal::CandidateDiskPressureWithdraw,
            ReplicaRole::Replica => TransitionSignal::DiskPressureWithdraw,
            // It hands over first; and who is idle has nothing to withdraw from.
            ReplicaRole::Leader | ReplicaRole::Idle => return,
        };
        if self.change_role(ReplicaRole::Idle, signal, "the disk is too full", ctx) {
            self.after_stepping_down(role, None, ctx);
            self.pressure.is_parked = true;
        }
    }

    /// Whether it takes part in elections and follows a leader: parked ones do, closed ones do not.
    pub(crate) fn takes_part(&self) -> bool {
        self.role.get() != ReplicaRole::Idle || self.pressure.is_parked
    }

    /// A parked replica has nothing to do with the channel any more: it does not come back.
    pub(crate) fn forget_parking(&mut self) {
        self.pressure.is_parked = false;
    }

    /// A replica that is to hold the channel while the disk is too full waits for room.
    pub(crate) fn parks_instead(&mut self) -> bool {
        let parks = self.is_pressed();
        self.pressure.is_parked |= parks;
        parks
    }

    /// Whether a leader takes nothing because its disk is too full and nobody has taken over.
    pub(crate) fn is_frozen(&self) -> bool {
        self.role.get() == ReplicaRole::Leader && self.is_pressed()
    }

    /// Whether so many voters have parked that nothing can be committed.
    pub(crate) fn majority_is_parked(&self) -> bool {
        if self.leadership.is_none() || !self.settings.withdraws || self.is_available() {
            return false;
        }
        let followers = self.voting_followers();
        let with_room = followers.filter(|(_, one)| !is_withdrawing(one.disk));
        let with_room = with_room.count();
        with_room + usize::from(self.is_voter()) < self.config().majority()
    }

    /// A leader whose disk fills up hands over to a voter that has room.
    pub(crate) fn hand_over_if_due(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let may_begin = self
            .leadership
            .as_ref()
            .is_some_and(|l| l.transfer.is_none());
        if self.pressure.level == DiskLevel::Green || !may_begin {
            return;
        }
        if self.pressure.hand_over_at.is_some_and(|at| now < at) {
            return;
        }
        let urgent = is_withdrawing(self.pressure.level);
        let pause = self.settings.transfer_timeout * if urgent { 2 } else { PATIENCE };
        self.pressure.hand_over_at = Some(now.plus(pause));
        match self.successor_with_room() {
            Some(target) => self.hand_over_to(target, ctx),
            None => self.ask_for_room(ctx),
        }
    }

    /// What followers said of their disks may be long ago: a channel that is idle or frozen has no
    /// other reason to hear from them.
    fn ask_for_room(&mut self, ctx: &mut Context<'_>) {
        let followers = self.leadership.iter().flat_map(|l| l.followers.iter());
        let silent = followers.filter(|(_, one)| one.connected && one.flow == Flow::Push);
        let asked: Vec<(VoterId, LogPosition)> =
            silent.map(|(voter, one)| (*voter, one.next)).collect();
        for (voter, next) in asked {
            self.probe(voter, next, ctx);
        }
    }

    /// The voter with room that needs the least to take over.
    fn successor_with_room(&self) -> Option<VoterId> {
        let able = |(_, one): &(VoterId, &Follower)| one.connected && one.disk == DiskLevel::Green;
        let followers = self.voting_followers().filter(able);
        let best = followers.max_by_key(|(voter, one)| (self.is_to_stay(*voter), one.acked));
        best.map(|(voter, _)| voter)
    }

    /// When a leader under pressure wants attention next.
    pub(crate) fn pressure_deadline(&self) -> Option<Moment> {
        let leadership = self.leadership.as_ref()?;
        if self.pressure.level == DiskLevel::Green || leadership.transfer.is_some() {
            return None;
        }
        // One that has not tried yet tries at once.
        let at_once = Moment::default();
        Some(self.pressure.hand_over_at.unwrap_or(at_once))
    }

    /// How full the disk was when this replica was told last.
    #[must_use]
    pub const fn disk_level(&self) -> DiskLevel {
        self.pressure.level
    }

    /// Whether it has withdrawn because its disk is too full, and waits for room.
    #[must_use]
    pub const fn is_parked(&self) -> bool {
        self.pressure.is_parked
    }
}
