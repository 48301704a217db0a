//! What must hold of an honest replica after every step, whoever lied to it. The witness sees what
//! goes in and what comes out, keeps its own picture of both, and compares. Its rules are those of
//! protocol §18 that one replica can keep by itself, each under its number.

mod answers;
mod bounds;
mod hears;
pub(super) mod log;
mod promises;

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_fsm::LEGAL_TRANSITIONS;
use tetrarch_replica::{Effect, HaltReason, LogWrite, Moment, RoleChange};
use tetrarch_wire::{
    ChannelConfig, Epoch, HardState, Link, ReplicaRole, Seq, VoterId, batch::Control,
    frame::ChannelMessage,
};

use super::{
    cast::Cast,
    disk::{Disk, Log},
    node::Node,
};
use answers::Answers;

/// A term of leadership.
struct Led {
    epoch: Epoch,
    /// Where its first batch begins.
    start: Seq,
    followers: BTreeSet<VoterId>,
    /// How far each follower has said that it holds this log, and under which generation.
    acknowledged: BTreeMap<VoterId, (u64, Seq)>,
    /// The latest beat that each follower has acknowledged.
    beats: BTreeMap<VoterId, Moment>,
}

/// What the present input says of a commit position.
#[derive(Clone, Copy)]
struct Said {
    epoch: Epoch,
    commit: Option<Seq>,
}

/// The witness of one life.
pub(crate) struct Witness {
    me: VoterId,
    genesis: ChannelConfig,
    /// The log as the replica believes it to be, durable or not.
    pub(crate) log: Log,
    role: ReplicaRole,
    /// The latest promise, durable or not.
    promise: HardState,
    /// Every vote that was ever promised, by epoch number.
    votes: BTreeMap<u64, VoterId>,
    commit: Seq,
    /// The configurations that are committed, with where they end. They stay although the own disk may have
    /// no room for the batch, and whatever comes in its place.
    committed: Vec<(Seq, ChannelConfig)>,
    /// What the log says of configurations up to here counts no more: those are committed.
    covered: Seq,
    /// What was ever known to be committed.
    floor: Seq,
    last_token: u64,
    led: Option<Led>,
    /// Positions that the leaders of epochs have named as theirs.
    claimed: BTreeMap<Epoch, Vec<(Seq, Link)>>,
    /// How much of the own log the leader of the latest epoch has shown to be its log, too.
    shared: Option<(Epoch, Seq)>,
    /// Up to here others count on the log being durable here.
    vouched: Seq,
    /// Who has ever had a say in this channel.
    speakers: BTreeSet<VoterId>,
    answers: Answers,
    said: Option<Said>,
    asked_to_vote: Option<(Epoch, tetrarch_wire::frame::VoteRequest)>,
    /// Whether the present input says that the disk is damaged or lost.
    disk_failed: bool,
    halted: Option<HaltReason>,
}

impl Witness {
    pub(crate) fn new(cast: &Cast, disk: &Disk) -> Self {
        let mut witness = Self {
            me: cast.me,
            genesis: cast.genesis.clone(),
            log: disk.log.clone(),
            role: ReplicaRole::Idle,
            promise: disk.hard_state,
            votes: BTreeMap::new(),
            commit: Seq::ZERO,
            committed: vec![(Seq::ZERO, cast.genesis.clone())],
            covered: Seq::ZERO,
            floor: Seq::ZERO,
            last_token: 0,
            led: None,
            claimed: BTreeMap::new(),
            shared: None,
            vouched: Seq::ZERO,
            speakers: cast.voters.iter().copied().collect(),
            answers: Answers::default(),
            said: None,
            asked_to_vote: None,
            disk_failed: false,
            halted: None,
        };
        witness.restarted(disk);
        witness
    }

    /// Another process has begun with what is durable.
    pub(crate) fn restarted(&mut self, disk: &Disk) {
        assert!(
            disk.hard_state.epoch_seen <= self.promise.epoch_seen,
            "I4: the disk holds a promise that nobody made"
        );
        self.log = disk.log.clone();
        self.role = ReplicaRole::Idle;
        self.promise = disk.hard_state;
        // What was not durable nobody was told.
        let HardState {
            epoch_seen,
            voted_for,
            limbo: _,
        } = disk.hard_state;
        self.votes.retain(|n, _| *n < epoch_seen.n);
        self.votes
            .extend(voted_for.map(|voted| (epoch_seen.n, voted)));
        self.commit = disk.start.seq;
        let snapshot = disk.snapshot.as_ref().map_or(Seq::ZERO, |(seq, _)| *seq);
        self.floor = disk.start.seq.max(disk.hint).max(snapshot);
        self.committed.retain(|(seq, _)| *seq <= snapshot);
        self.covered = snapshot;
        self.last_token = 0;
        self.led = None;
        self.claimed.clear();
        self.shared = None;
        self.vouched = disk.log.tail().seq;
        self.answers = Answers::default();
        self.halted = None;
    }

    /// The configuration in force: the latest one in the log, also where a start reads a snapshot instead.
    fn config(&self) -> ChannelConfig {
        let later = self.configs_up_to(Seq::MAX).pop();
        let latest = later.or_else(|| self.committed.last().cloned());
        latest.map_or_else(|| self.genesis.clone(), |(_, config)| config)
    }

    /// The configurations in the log that end at `upto` or before, and are not known to be committed yet.
    fn configs_up_to(&self, upto: Seq) -> Vec<(Seq, ChannelConfig)> {
        let batches = self.log.batches.iter();
        let fresh = batches.filter(|one| one.last_seq() > self.covered && one.last_seq() <= upto);
        let found = fresh.filter_map(|batch| match batch.control() {
            Ok(Some(Control::Config(config))) => Some((batch.last_seq(), config)),
            _ => None,
        });
        found.collect()
    }

    /// Whether what this node says counts for anything: it votes here, or leads.
    pub(crate) fn is_outsider(&self, who: VoterId, follows: Option<Epoch>) -> bool {
        !self.config().contains(who) && follows.map(|epoch| epoch.leader) != Some(who)
    }

    pub(crate) fn has_spoken(&mut self, who: VoterId) {
        self.speakers.insert(who);
    }

    /// The replica wants something done.
    pub(crate) fn sees(&mut self, effect: &Effect, node: &Node) {
        assert!(
            self.halted.is_none() || is_answer(effect) || is_of_repair(effect),
            "a halted replica does {effect:?}"
        );
        match effect {
            Effect::Persist { token, writes, .. } => {
                assert!(token.get() > self.last_token, "tokens grow");
                self.last_token = token.get();
                for write in writes {
                    self.sees_write(write, &node.disk);
                }
            }
            Effect::Send {
                to, epoch, message, ..
            } => {
                self.sees_message(*to, *epoch, message, node);
            }
            Effect::RoleChanged(change) => self.sees_role(change, &node.disk),
            Effect::TransitionRejected(error) => panic!("I1: {error}"),
            Effect::Committed { commit } => self.sees_commit(*commit, &node.disk),
            Effect::Trim { upto } => {
                assert!(
                    *upto <= self.commit,
                    "I28: {upto} may go, and is not committed"
                );
            }
            Effect::Reply { .. } | Effect::ReadIndexReady { .. } | Effect::AdminDone { .. } => {
                self.sees_answer(effect);
            }
            Effect::Mend { .. } => assert!(self.config().voters().len() > 1, "nobody else has it"),
            Effect::SaveSnapshot { .. } => panic!("it takes a snapshot that no log can have made"),
            Effect::Placed { .. } => panic!("the catalog wants nothing"),
            Effect::Seal { .. }
            | Effect::ReadFork { .. }
            | Effect::DropFork { .. }
            | Effect::ForkCollected { .. }
            | Effect::Diverged { .. } => panic!("a channel of the class quorum has no forks"),
            Effect::ReadLog { .. } | Effect::Deleted | Effect::BeatNow => {}
            Effect::Halted(reason) => {
                let is_refusal = matches!(
                    reason,
                    HaltReason::MissingRange { .. } | HaltReason::WouldTruncateCommitted { .. }
                );
                assert!(is_refusal || self.disk_failed, "halted for {reason:?}");
                self.halted = Some(reason.clone());
            }
        }
    }

    fn sees_write(&mut self, write: &LogWrite, disk: &Disk) {
        match write {
            LogWrite::Append(batches) => self.sees_append(batches),
            LogWrite::Truncate(at) => self.sees_truncation(*at),
            LogWrite::Begin(at) => panic!("a voter's log begins anew at {at:?}"),
            LogWrite::HardState(promise) => self.sees_promise(*promise, disk),
            LogWrite::CommitHint(seq) => assert!(*seq <= self.commit, "a hint beyond the commit"),
        }
    }

    fn sees_role(&mut self, change: &RoleChange, disk: &Disk) {
        let t = change.transition;
        assert!(
            LEGAL_TRANSITIONS.contains(&(t.from(), t.to(), t.signal())),
            "I1: {t:?}"
        );
        assert_eq!(self.role, t.from(), "I1: roles do not connect");
        self.role = t.to();
        self.led = (t.to() == ReplicaRole::Leader).then(|| self.elected(disk));
    }

    /// The step is over: what the replica says of itself is what was seen of it.
    pub(crate) fn settles(&mut self, node: &Node) {
        let view = node.replica.view();
        assert_eq!(view.role, self.role, "I1");
        assert_eq!(view.halted, self.halted);
        self.settles_log(&view, &node.disk);
        self.settles_bounds(node);
        assert!(
            self.role != ReplicaRole::Leader || view.leader == Some(self.me),
            "it leads and names another"
        );
        assert_eq!(
            node.replica.leader_row().map(|row| row.epoch),
            self.led.as_ref().map(|led| led.epoch),
            "I25: the row of the beats is not the epoch that is led"
        );
    }
}

fn is_answer(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Reply { .. } | Effect::ReadIndexReady { .. } | Effect::AdminDone { .. }
    )
}

/// Also a halted replica mends its log, and helps others to.
fn is_of_repair(effect: &Effect) -> bool {
    match effect {
        Effect::Mend { .. } | Effect::ReadLog { .. } => true,
        Effect::Send { message, .. } => matches!(
            message,
            ChannelMessage::RepairRequest(_) | ChannelMessage::RepairResponse(_)
        ),
        _ => false,
    }
}
