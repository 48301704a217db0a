//! The state of a whole channel, and what an observer outside it has seen.

use std::{
    cmp::Reverse,
    hash::{Hash, Hasher},
};

use tetrarch_wire::ReplicaRole;

use super::{Bounds, Entry, Fork, Forks, Log, Node, Pair, Words};

/// Three nodes are kept even if two hold the channel: the third one then does nothing.
pub(crate) const MOST_NODES: usize = 3;

/// What an observer has seen. No node knows any of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Which events were acknowledged as being on at least one, two, three stores: a bit for each
    /// event. A leader acknowledges as soon and as much as it can.
    pub acked: [u8; MOST_NODES],
    /// Where events without a producer were written first: they carry it wherever they go.
    pub places: [(Pair, u8); Entry::MOST as usize + 1],
    /// Which epochs were begun, by [`Pair::index`].
    begun: u32,
    /// An epoch was begun a second time (I3).
    pub begun_twice: bool,
    /// Something was cut that is in no durable fork of that store (I18).
    pub cut_unsealed: bool,
    /// A fork was dropped although no durable log settled all of it (I17).
    pub dropped_unsettled: bool,
}

/// A few words, and not one for each field: states are hashed by the million.
impl Hash for Observed {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [one, two, three] = self.acked;
        let wrong = [self.begun_twice, self.cut_unsealed, self.dropped_unsettled];
        let wrong = wrong
            .iter()
            .fold(0, |all, wrong| all << 1 | u8::from(*wrong));
        hasher.write_u32(u32::from_le_bytes([one, two, three, wrong]));
        hasher.write_u32(self.begun);
        let places = self.places.iter().fold(0, |all: u128, (epoch, seq)| {
            all << 16 | u128::from(epoch.index()) << 8 | u128::from(*seq)
        });
        hasher.write_u128(places);
    }
}

impl Observed {
    /// The first batch of an epoch is written.
    pub fn begin(&mut self, epoch: Pair) {
        let bit = 1 << epoch.index();
        self.begun_twice |= self.begun & bit != 0;
        self.begun |= bit;
    }

    /// A leader may acknowledge what is durable in its log, with as many copies as there are; or
    /// too early, all that it wrote.
    pub(super) fn acknowledge(&mut self, nodes: &[Node], early: bool) {
        for leader in nodes.iter().filter(|node| node.leads()) {
            let own = if early { leader.log } else { leader.durable() };
            for (seq, entry) in (1..).zip(own.entries()) {
                let Some(id) = entry.id().filter(|_| !entry.is_declaration()) else {
                    continue;
                };
                let holds = |node: &&Node| node.kept_log.common(own) >= seq;
                let copies = nodes.iter().filter(holds).count();
                for acked in &mut self.acked[..copies.max(1)] {
                    *acked |= 1 << id;
                }
            }
        }
    }
}

/// What was used up of the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// Events of the producer.
    pub numbered: u8,
    /// Events without a producer.
    pub plain: u8,
    /// Second copies that clients made.
    pub retries: u8,
    /// Crashes.
    pub crashes: u8,
    /// Events given up.
    pub discards: u8,
    /// Leaders that stood still for long enough.
    pub expiries: u8,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The nodes.
    pub nodes: [Node; MOST_NODES],
    /// What leaders told and may still matter.
    pub words: Words,
    /// What was cut off and is not settled yet.
    pub forks: Forks,
    /// What an observer has seen.
    pub observed: Observed,
    /// What was used up.
    pub spent: Spent,
}

impl State {
    /// The nodes and their numbers.
    pub fn nodes(&self, bounds: Bounds) -> impl Iterator<Item = (u8, &Node)> {
        (0..bounds.nodes).zip(&self.nodes)
    }

    /// Who leads.
    pub fn leaders(&self) -> impl Iterator<Item = u8> {
        let leads = |node: &Node| node.role == ReplicaRole::Leader;
        (0..)
            .zip(&self.nodes)
            .filter(move |(_, node)| leads(node))
            .map(|(me, _)| me)
    }

    /// The order in which nodes stand: by last epoch and length of their logs, then by name.
    #[must_use]
    pub fn rank(&self, me: u8) -> impl Ord + use<> {
        let log = self.nodes[usize::from(me)].log;
        (log.end().rank(), Reverse(me))
    }

    /// The events that a store holds durably, in its log or in a fork, a bit for each. What it
    /// holds as declared lost counts: that is the ledger.
    #[must_use]
    pub fn held_by(&self, store: u8) -> u8 {
        let forks = self.forks.of(store).filter(|fork| fork.durable);
        let log = self.nodes[usize::from(store)].kept_log.records_after(0);
        forks.fold(log, |all, fork| all | fork.records())
    }

    /// Forgets words that nobody will ever act upon, so that states which differ in nothing else
    /// are one.
    pub(super) fn forget_the_dead(&mut self, bounds: Bounds) {
        let mut words = std::mem::take(&mut self.words);
        words.retain(|told| {
            let mut nodes = self.nodes(bounds);
            nodes.any(|(me, node)| {
                if me == told.epoch.leader() {
                    node.leads() && node.seen == told.epoch
                } else {
                    node.kept_seen <= told.epoch || node.leads() && told.stood > 0
                }
            })
        });
        self.words = words;
    }
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A replica hears no leader, and nobody who outranks it, and begins to lead.
    Lead(u8),
    /// A leader is told by a replica of a later epoch than its own, and begins a later one.
    Outdo(u8),
    /// A leader takes the producer's next event.
    Publish(u8),
    /// A leader takes an event without a producer.
    PublishPlain(u8),
    /// A leader takes an event that may have been published before.
    Retry(u8, u8),
    /// What was written to the log is durable.
    Persist(u8),
    /// What was written to forks is durable. It always is, but for one mistake.
    KeepForks(u8),
    /// A node crashes and starts again.
    Crash(u8),
    /// A leader meets another and stands still.
    StandStill(u8),
    /// A leader that stands still has waited for long enough.
    GoOn(u8),
    /// A leader that stands still hears where the leader of an epoch stood.
    Compare(u8, Pair),
    /// A leader hears the leader of a later epoch.
    Yield(u8, Pair),
    /// A replica hears the leader of an epoch.
    Hear(u8, Pair),
    /// A leader takes the next event of a fork into its log.
    Republish(u8, Fork),
    /// An operator has a leader declare the next event of a fork lost.
    GiveUp(u8, Fork),
    /// A store drops a fork that is settled.
    Drop(Fork),
}

impl Log {
    /// Whether the log holds the event, not only its loss.
    #[must_use]
    pub fn has_event(self, id: u8) -> bool {
        let mut entries = self.entries();
        entries.any(|entry| entry.id() == Some(id) && !entry.is_declaration())
    }
}
