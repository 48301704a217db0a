//! What a replica knows of the leader that it follows.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Epoch, LogPosition, Seq};

use crate::Moment;

/// The leader of the highest epoch seen, and how much of the own log is known to be its log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Following {
    /// The epoch that it leads.
    pub(crate) leader: Option<Epoch>,
    /// Up to here the own log is a prefix of the leader's: it was compared link by link. Only
    /// this much is acknowledged, and only this much can be committed on the leader's word.
    pub(crate) verified: Option<LogPosition>,
    /// The highest commit position that it has told.
    pub(crate) told: Option<Seq>,
    /// Since when the leader is known while nothing is verified.
    pub(crate) unverified_since: Option<Moment>,
    /// How many questions in a row it has not answered in time.
    pub(crate) unanswered: u32,
    /// Appends are refused until then: the disk is full.
    pub(crate) full_until: Option<Moment>,
}

impl Following {
    /// Follows the leader of `epoch` from now on.
    pub(crate) fn follow(&mut self, epoch: Epoch, now: Moment) {
        self.leader = Some(epoch);
        if !planted(Mutant::VerifiedOutlivesLeader) {
            self.verified = None;
        }
        self.told = None;
        self.unanswered = 0;
        self.unverified_since = Some(now);
    }

    /// Follows nobody.
    pub(crate) fn forget(&mut self) {
        self.leader = None;
        if !planted(Mutant::VerifiedOutlivesLeader) {
            self.verified = None;
        }
        self.told = None;
        self.unverified_since = None;
    }

    /// The leader says that everything up to `commit` is committed.
    pub(crate) fn tell(&mut self, commit: Seq) {
        self.told = self.told.max(Some(commit));
    }

    /// Nothing of the own log is known to be the leader's: it has become another one.
    pub(crate) fn unverify(&mut self, now: Moment) {
        self.verified = None;
        self.unverified_since = self.leader.map(|_| now);
    }

    /// The own log up to `position` is the leader's.
    pub(crate) fn verify(&mut self, position: LogPosition) {
        self.unverified_since = None;
        if self.verified.is_none_or(|known| known.seq < position.seq) {
            self.verified = Some(position);
        }
    }

    /// Everything after `point` was cut.
    pub(crate) fn truncate(&mut self, point: LogPosition) {
        if self.verified.is_some_and(|known| known.seq > point.seq) {
            self.verified = Some(point);
        }
    }
}
