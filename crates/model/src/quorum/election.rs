//! Standing, voting, winning and losing. Whether a vote is given is decided by the shipped
//! [`may_vote`]. The pre-vote is left out: it promises nothing. So is the rule that nobody votes
//! while it hears a leader: it only makes elections rarer.
//!
//! A candidate whose round is over, and a leader that lost its majority, may go on in the model
//! until they do something else: as long as they do nothing, nobody can tell. So giving up is part
//! of the step that comes after it, which is to stand or to vote.

use tetrarch_fsm::TransitionSignal;
use tetrarch_replica::decide::may_vote;
use tetrarch_wire::{Epoch, LogPosition, ReplicaRole, frame::RefusalReason};

use super::{Entry, Log, Message, Mutant, node::Promise, step::Step};
use crate::voter::voter;

impl Step<'_> {
    /// Votes for itself, if its log is durable to the end.
    pub(crate) fn stand(&mut self) {
        let n = self.node.promise.n + 1;
        let limbo = self.node.promise.limbo;
        if n > self.model.bounds().epochs || !self.node.is_all_durable() || limbo.is_some() {
            return;
        }
        match self.node.role {
            ReplicaRole::Replica => {}
            ReplicaRole::Candidate if self.node.may_speak() => self.step_aside(),
            ReplicaRole::Leader => self.lose_quorum(),
            ReplicaRole::Candidate | ReplicaRole::Idle => return,
        }
        self.change_role(ReplicaRole::Candidate, TransitionSignal::MissedHeartbeats);
        self.node.forget_leader();
        self.node.promise = Promise {
            n,
            voted: Some(self.me),
            limbo: None,
        };
    }

    /// A candidate asks.
    pub(crate) fn hear_candidate(&mut self, n: u8, candidate: u8, log: Log) {
        if candidate == self.me || n < self.node.promise.n {
            return;
        }
        if self.node.promise.limbo.is_some() && !self.is(Mutant::LimboVotes) {
            return;
        }
        if n > self.node.promise.n {
            self.lose_quorum();
        }
        match self.judge(n, candidate, log) {
            Ok(()) => self.promise_vote(n, candidate),
            Err(RefusalReason::Log) if n > self.node.promise.n => self.adopt(n),
            Err(_) => {}
        }
    }

    fn judge(&self, n: u8, candidate: u8, log: Log) -> Result<(), RefusalReason> {
        let (mut own, mut theirs) = (self.node.durable_end(), log.end());
        if self.is(Mutant::GrantWithoutLogCheck) {
            theirs = own;
        }
        if self.is(Mutant::LongerTailWins) {
            own = length_alone(own);
            theirs = length_alone(theirs);
        }
        let asked = Epoch::new(u64::from(n), voter(candidate));
        may_vote(&self.node.promise.hard_state(), own, asked, theirs)
    }

    /// Makes the promise. It is told when it is durable.
    fn promise_vote(&mut self, n: u8, candidate: u8) {
        self.step_aside();
        let promise = Promise {
            n,
            voted: Some(candidate),
            limbo: self.node.promise.limbo,
        };
        if self.node.promise != promise {
            self.node.forget_leader();
            self.node.promise = promise;
        }
    }

    /// A higher epoch exists.
    pub(crate) fn adopt(&mut self, n: u8) {
        match self.node.role {
            ReplicaRole::Leader => {
                self.change_role(ReplicaRole::Replica, TransitionSignal::PeerLeaderObserved);
            }
            ReplicaRole::Candidate | ReplicaRole::Replica | ReplicaRole::Idle => self.step_aside(),
        }
        self.node.forget_leader();
        self.node.promise = Promise {
            n,
            voted: None,
            limbo: self.node.promise.limbo,
        };
    }

    /// A candidate that votes for another, or hears a leader, is one no longer.
    pub(crate) fn step_aside(&mut self) {
        if self.node.role == ReplicaRole::Candidate {
            self.change_role(ReplicaRole::Replica, TransitionSignal::ElectionLost);
        }
    }

    /// A majority voted for this epoch: its log gets the batch that opens it.
    pub(crate) fn win(&mut self) {
        let (node, n) = (&self.node, self.node.promise.n);
        let ready = node.may_speak() && node.is_all_durable();
        let votes = 1 + self.before.messages.votes_for(self.me, n);
        let won = votes >= self.model.bounds().majority();
        if node.role != ReplicaRole::Candidate || !ready || !won {
            return;
        }
        self.change_role(ReplicaRole::Leader, TransitionSignal::ElectionWon);
        self.append_own(Entry::epoch_start(n, self.me));
    }

    /// No majority was heard for an election timeout, or nobody would hear of a candidate here.
    fn lose_quorum(&mut self) {
        if self.node.role == ReplicaRole::Leader {
            self.change_role(ReplicaRole::Replica, TransitionSignal::QuorumLost);
        }
    }
}

/// A position that says nothing of its epoch.
fn length_alone(position: LogPosition) -> LogPosition {
    LogPosition {
        epoch: Epoch::NONE,
        ..position
    }
}

impl Step<'_> {
    /// What a promise that is durable now lets out.
    pub(crate) fn tell_promise(&mut self) {
        let Promise { n, voted, .. } = self.node.promise;
        let Some(voted) = voted else {
            return;
        };
        if voted != self.me {
            self.say(Message::Vote {
                n,
                voter: self.me,
                candidate: voted,
            });
        } else if self.node.role == ReplicaRole::Candidate {
            self.say(Message::VoteRequest {
                n,
                candidate: self.me,
                log: self.node.log,
            });
        }
    }
}
