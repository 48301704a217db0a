//! What everybody on the node may know of its channels, without asking the channel's actor: one
//! handle per channel, written by the actor alone.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

use crate::telemetry::{ChannelTelemetry, Progress, Telemetry};
use dashmap::DashMap;
use tetrarch_replica::{Replica, View};
use tetrarch_wire::{
    ChannelConfig, ChannelUid, Epoch, Limbo, NodeId, ReplicaRole, Seq, Voter, VoterId,
};

/// A follower as its leader sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowerFacts {
    pub(crate) voter: VoterId,
    pub(crate) durable: Option<Seq>,
    pub(crate) lag_ms: Option<u64>,
}

/// One channel on this node.
pub(crate) struct ChannelHandle {
    pub(crate) uid: ChannelUid,
    pub(crate) name: String,
    pub(crate) genesis: ChannelConfig,
    pub(crate) telemetry: ChannelTelemetry,
    role: AtomicU8,
    commit: AtomicU64,
    is_current: AtomicBool,
    tail: AtomicU64,
    log_start: AtomicU64,
    leadership: Mutex<Leadership>,
    /// What the start of the node found to be missing, if that is why the channel is in limbo.
    doubt: Option<String>,
}

/// The part of a handle whose fields belong together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leadership {
    pub(crate) epoch: Option<Epoch>,
    pub(crate) leader: Option<VoterId>,
    pub(crate) followers: Vec<FollowerFacts>,
    /// Who votes, and who holds the channel besides.
    pub(crate) voters: Vec<Voter>,
    pub(crate) learners: Vec<Voter>,
    pub(crate) halted: Option<String>,
    pub(crate) limbo: Option<String>,
}

impl ChannelHandle {
    pub(crate) fn new(
        uid: ChannelUid,
        name: String,
        genesis: ChannelConfig,
        telemetry: &Telemetry,
    ) -> Self {
        Self {
            telemetry: telemetry.channel(&name),
            uid,
            name,
            genesis,
            role: AtomicU8::new(ReplicaRole::Idle.into()),
            commit: AtomicU64::new(0),
            is_current: AtomicBool::new(false),
            tail: AtomicU64::new(0),
            log_start: AtomicU64::new(0),
            leadership: Mutex::default(),
            doubt: None,
        }
    }

    /// The same of a channel of which something is missing.
    pub(crate) fn doubted(self, damage: Option<String>) -> Self {
        Self {
            doubt: damage,
            ..self
        }
    }

    pub(crate) fn role(&self) -> ReplicaRole {
        // Only `publish` writes it, from a role.
        ReplicaRole::try_from(self.role.load(Ordering::Acquire)).unwrap_or(ReplicaRole::Idle)
    }

    pub(crate) fn commit(&self) -> Seq {
        Seq::new(self.commit.load(Ordering::Acquire))
    }

    /// The commit position, if it is everything that the present leader had committed when it last
    /// told.
    pub(crate) fn current_commit(&self) -> Option<Seq> {
        self.is_current
            .load(Ordering::Acquire)
            .then(|| self.commit())
    }

    pub(crate) fn tail(&self) -> Seq {
        Seq::new(self.tail.load(Ordering::Acquire))
    }

    /// First seq that is still in the log.
    pub(crate) fn log_start(&self) -> Seq {
        Seq::new(self.log_start.load(Ordering::Acquire)).next()
    }

    pub(crate) fn leadership(&self) -> Leadership {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Leadership> {
        self.leadership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what the actor knows after a step.
    pub(crate) fn publish(&self, view: &View) {
        self.role.store(view.role.into(), Ordering::Release);
        self.commit.store(view.commit.get(), Ordering::Release);
        self.is_current.store(view.is_current, Ordering::Release);
        self.tail.store(view.durable.seq.get(), Ordering::Release);
        self.log_start
            .store(view.log_start.seq.get(), Ordering::Release);
        self.telemetry.progress(&Progress {
            epoch: view.epoch_seen,
            leader_known: view.leader.is_some(),
            log_start: view.log_start.seq.next(),
            tail: view.tail.seq,
            durable: view.durable.seq,
            commit: view.commit,
        });
        let mut leadership = self.lock();
        leadership.epoch = Some(view.epoch_seen);
        leadership.leader = view.leader;
        leadership.halted = view.halted.as_ref().map(|reason| format!("{reason:?}"));
        let limbo = view.limbo.map(|limbo| self.why_in_limbo(limbo));
        if limbo.is_none() && leadership.limbo.is_some() {
            tracing::info!(channel = %self.name, "the channel is whole again on this node, and it votes");
        }
        self.telemetry.limbo(limbo.is_some());
        let (forks, events) = view.forks;
        self.telemetry.forks(forks, events);
        leadership.limbo = limbo;
    }

    /// What is the matter, and what the channel waits for.
    fn why_in_limbo(&self, limbo: Limbo) -> String {
        let found = match &self.doubt {
            Some(damage) => damage.as_str(),
            None => "an earlier start of this node found damage to its write-ahead log",
        };
        format!(
            "{found}; what this node promised up to epoch {} may be forgotten, so it takes events and \
             does not vote, until the others have elected a leader of a later epoch and it holds the \
             first batch of that",
            limbo.claim
        )
    }

    /// Writes down who votes in the channel, and who holds it besides.
    pub(crate) fn publish_members(&self, replica: &Replica) {
        let voters = replica.config().voters().to_vec();
        let mut learners = replica.all_members();
        learners.retain(|member| !voters.contains(member));
        let mut leadership = self.lock();
        leadership.voters = voters;
        leadership.learners = learners;
    }

    pub(crate) fn publish_followers(&self, followers: Vec<FollowerFacts>) {
        self.lock().followers = followers;
    }
}

impl Leadership {
    /// The node that a voter or learner is on.
    pub(crate) fn node_of(&self, id: VoterId) -> Option<NodeId> {
        let mut members = self.voters.iter().chain(&self.learners);
        members.find(|member| member.id() == id).map(|one| one.node)
    }
}

/// All channels on this node.
#[derive(Default)]
pub(crate) struct Registry {
    channels: DashMap<ChannelUid, Arc<ChannelHandle>>,
}

impl Registry {
    pub(crate) fn insert(&self, handle: &Arc<ChannelHandle>) {
        self.channels.insert(handle.uid, Arc::clone(handle));
    }

    pub(crate) fn remove(&self, uid: ChannelUid) {
        self.channels.remove(&uid);
    }

    pub(crate) fn get(&self, uid: ChannelUid) -> Option<Arc<ChannelHandle>> {
        self.channels
            .get(&uid)
            .map(|entry| Arc::clone(entry.value()))
    }

    /// All handles, by uid.
    pub(crate) fn all(&self) -> Vec<Arc<ChannelHandle>> {
        let ordered: BTreeMap<ChannelUid, Arc<ChannelHandle>> = self
            .channels
            .iter()
            .map(|entry| (*entry.key(), Arc::clone(entry.value())))
            .collect();
        ordered.into_values().collect()
    }
}
