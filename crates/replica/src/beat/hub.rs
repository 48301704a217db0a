//! The sending side: what channels and the node say, put into one table per peer, and beats.

use std::{collections::BTreeMap, time::Duration};

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Boot, ChannelUid, NodeId, ReplicaRole, VoterId};

use super::{
    BeatEffects, LocalChannel, OwnFacts, PeerFact, Roll, follow,
    keeper::{Keeper, Keepers},
    local::Stamped,
    peer::{Peer, Speaker},
};
use crate::Moment;

/// For how long writes may wait before the node stops claiming leadership (protocol §6).
pub const MAX_WAL_STALL: Duration = Duration::from_secs(4);
/// A channel without a stamp for so many intervals is taken out of the beats.
const STAMP_INTERVALS: u32 = 2;
/// Beats that are wanted at once go out at most this many times an interval to one peer.
const URGENT_PER_INTERVAL: u32 = 30;

/// What the layer may be told to do differently (protocol §16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatSettings {
    /// Time between two beats to one peer.
    pub interval: Duration,
    /// Most bytes of a frame that goes as a datagram; at least 256.
    pub datagram_budget: usize,
}

impl Default for BeatSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(150),
            datagram_budget: 1_100,
        }
    }
}

impl BeatSettings {
    pub(super) fn patience(&self) -> Duration {
        self.interval * STAMP_INTERVALS
    }

    fn urgent_spacing(&self) -> Duration {
        self.interval / URGENT_PER_INTERVAL
    }
}

/// The liveness layer of one node in one start of it (protocol §6).
#[derive(Clone, Debug)]
pub struct BeatHub {
    pub(super) speaker: Speaker,
    pub(super) channels: BTreeMap<ChannelUid, Stamped>,
    pub(super) keepers: Keepers,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    stalled: bool,
    /// When unstamped channels were looked for last.
    swept_at: Moment,
    /// Counts the changes of what channels hear and refuse: their highest epochs, their leaders, and
    /// which there are.
    pub(super) standing: u64,
    /// The earliest of the stamps when unstamped channels were looked for last.
    oldest_stamp: Moment,
    last_roll: Roll,
}

impl BeatHub {
    /// The hub of a node's start `boot`.
    #[must_use]
    pub fn new(boot: Boot, settings: BeatSettings) -> Self {
        Self {
            speaker: Speaker {
                boot,
                own: OwnFacts::default(),
                settings,
            },
            channels: BTreeMap::new(),
            keepers: Keepers::default(),
            peers: BTreeMap::new(),
            stalled: false,
            swept_at: Moment::default(),
            standing: 0,
            oldest_stamp: Moment::default(),
            last_roll: Roll::NONE,
        }
    }

    /// A channel's actor says how its channel stands: every interval unless [`Self::alive`] says so
    /// for it, and at once when its role, leader or highest epoch changes. The latter must be said *before* a vote for that epoch
    /// leaves the node: an acknowledgement sent in between would let the old leader answer a
    /// linearizable read that it must not answer any more.
    pub fn stamp(&mut self, local: &LocalChannel, now: Moment) {
        let led = local.led_row().filter(|_| !self.stalled);
        let told = led.is_some();
        if let Some(known) = self.channels.get_mut(&local.channel) {
            known.at = now;
            if known.told == told && known.local == *local {
                return;
            }
            if known.local.replicas != local.replicas {
                let gone = |replica| !local.replicas.contains(replica);
                let gone = known.local.replicas.iter().filter(|known| gone(known));
                for replica in gone {
                    withdraw(&mut self.peers, local, replica.node);
                }
            }
        }
        for replica in local.replicas.iter() {
            let peer = self.peers.get_mut(&replica.node);
            let Some(peer) = peer.filter(|peer| peer.voter == replica.voter) else {
                continue;
            };
            let next = peer.next_number();
            match led {
                Some(row) => peer.led.lead(row, next),
                None => peer.led.withdraw(local.channel, local.role, next),
            }
        }
        let known = self.channels.get(&local.channel);
        let by_role = planted(Mutant::StandingByRole);
        let changed = |known: &Stamped| match by_role {
            true => known.local.role != local.role,
            false => !known.local.stands_as(local),
        };
        if known.is_none_or(changed) {
            self.standing += 1;
        }
        let stamped = Stamped {
            local: local.clone(),
            at: now,
            told,
        };
        self.channels.insert(local.channel, stamped);
    }

    /// A task is alive, and the channels that it owns stand as they did when they were last stamped.
    /// Gives those for which that is not enough, because their rows were taken out of the beats
    /// since: they must be stamped.
    pub fn alive(&mut self, keeper: Keeper, now: Moment) -> Vec<ChannelUid> {
        if !self.keepers.alive(keeper, now) {
            return Vec::new();
        }
        let owned = self
            .channels
            .values()
            .filter(|known| known.local.keeper == keeper);
        let untold = owned.filter(|known| {
            let tells = known.local.led_row().is_some() && !self.stalled;
            known.told != tells
        });
        untold.map(|known| known.local.channel).collect()
    }

    /// The channel is closed here: it leaves the beats, and peers' rows about it are refused.
    pub fn forget(&mut self, channel: ChannelUid) {
        self.channels.remove(&channel);
        self.standing += 1;
        for peer in self.peers.values_mut() {
            let next = peer.next_number();
            peer.led.withdraw(channel, ReplicaRole::Idle, next);
        }
    }

    /// What the node says of itself from now on. While writes wait for longer than
    /// [`MAX_WAL_STALL`] it claims no leadership; afterwards each channel earns its row again.
    pub fn set_own(&mut self, own: OwnFacts) {
        self.speaker.own = own;
        let stalled = Duration::from_millis(own.wal_stall_ms.into()) > MAX_WAL_STALL;
        if self.stalled != stalled {
            self.keepers.all_owe_stamps();
        }
        self.stalled = stalled;
        if stalled {
            self.silence(|_, _| true);
        }
    }

    /// Takes the rows of the channels that `which` picks out of every peer's table.
    fn silence(&mut self, which: impl Fn(&Keepers, &Stamped) -> bool) {
        for stamped in self.channels.values_mut() {
            if stamped.told && which(&self.keepers, stamped) {
                stamped.told = false;
                self.keepers.owe_stamps(stamped.local.keeper);
                for replica in stamped.local.replicas.iter() {
                    withdraw(&mut self.peers, &stamped.local, replica.node);
                }
            }
        }
    }

    /// There is a connection to a peer, whose hello named this voter and start. A hello of an
    /// earlier start than the one known comes too late and changes nothing.
    pub fn peer_up(&mut self, node: NodeId, voter: VoterId, boot: Boot, effects: &mut BeatEffects) {
        let peer = self
            .peers
            .entry(node)
            .or_insert_with(|| Peer::new(node, voter, boot));
        if peer.voter == voter && boot < peer.boot {
            return;
        }
        let restarted = (peer.voter, peer.boot) != (voter, boot);
        peer.disconnect();
        peer.up = true;
        if restarted {
            for (channel, epoch) in peer.restart(voter, boot) {
                follow::withdrew(&self.channels, channel, epoch, effects);
            }
        }
        let next = peer.next_number();
        for stamped in self.channels.values().filter(|stamped| stamped.told) {
            let mut replicas = stamped.local.replicas.iter();
            let holds = replicas.any(|replica| (replica.node, replica.voter) == (node, voter));
            if let Some(row) = stamped.local.led_row().filter(|_| holds) {
                peer.led.lead(row, next);
            }
        }
    }

    /// There is no connection to the peer any more.
    pub fn peer_down(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.disconnect();
        }
    }

    /// Facts were lost on their way to their channels: everything is said anew.
    pub fn facts_lost(&mut self) {
        self.peers.values_mut().for_each(Peer::forget_rolls);
    }

    pub(super) fn new_roll(&mut self) -> Roll {
        self.last_roll = self.last_roll.next();
        self.last_roll
    }

    /// An interval has passed: unstamped channels leave the tables, and every peer gets a beat.
    pub fn tick(&mut self, now: Moment, effects: &mut BeatEffects) {
        self.sweep(now);
        for peer in self.peers.values_mut().filter(|peer| peer.up) {
            peer.beat(&self.speaker, now, effects);
        }
    }

    /// Takes the rows of channels whose actors have fallen silent out of the tables.
    fn sweep(&mut self, now: Moment) {
        let patience = self.speaker.settings.patience();
        self.silence(|keepers, stamped| keepers.is_silent(stamped, now, patience));
        self.swept_at = now;
        let channels = self.channels.values();
        let stamps = channels.map(|stamped| self.keepers.last_sign(stamped));
        self.oldest_stamp = stamps.min().unwrap_or(now);
    }

    /// Whether every channel that was here at the last sweep is stamped, whatever happened since.
    pub(super) fn all_stamped(&self, now: Moment) -> bool {
        now.since(self.oldest_stamp) < self.speaker.settings.patience()
    }

    /// Sweeps if a tick is overdue: after a pause of the whole node, nothing may be claimed on the
    /// strength of stamps from before it.
    pub(super) fn sweep_if_late(&mut self, now: Moment) {
        if now.since(self.swept_at) >= self.speaker.settings.interval {
            self.sweep(now);
        }
    }

    /// A beat about the channel is wanted now. It goes out at once, or with others that are wanted
    /// at [`Self::urgent_at`], so that a thousand elections do not make a thousand beats.
    pub fn beat_now(&mut self, channel: ChannelUid, now: Moment, effects: &mut BeatEffects) {
        for peer in self.peers.values_mut().filter(|peer| peer.up) {
            peer.urgent |= peer.led.concerns(channel);
        }
        self.flush(now, effects);
    }

    /// Sends the urgent beats that are due.
    pub fn flush(&mut self, now: Moment, effects: &mut BeatEffects) {
        self.sweep_if_late(now);
        let spacing = self.speaker.settings.urgent_spacing();
        for peer in self.peers.values_mut() {
            if peer.urgent_at(spacing).is_some_and(|at| at <= now) {
                peer.beat(&self.speaker, now, effects);
            }
        }
    }

    /// When [`Self::flush`] is to be called; `None` while nothing is urgent.
    #[must_use]
    pub fn urgent_at(&self) -> Option<Moment> {
        let spacing = self.speaker.settings.urgent_spacing();
        let urgent = self
            .peers
            .values()
            .filter_map(|peer| peer.urgent_at(spacing));
        urgent.min()
    }

    /// How many rows of peers' tables are held here. There are bounds, whatever peers say (I24).
    #[must_use]
    pub fn held_rows(&self) -> usize {
        self.peers.values().map(|peer| peer.heard.held()).sum()
    }

    /// What the peer's last beat said of the peer itself; `None` if none was heard in this start.
    #[must_use]
    pub fn peer(&self, node: NodeId) -> Option<&PeerFact> {
        self.peers.get(&node)?.fact.as_ref()
    }
}

fn withdraw(peers: &mut BTreeMap<NodeId, Peer>, local: &LocalChannel, node: NodeId) {
    if let Some(peer) = peers.get_mut(&node) {
        let next = peer.next_number();
        peer.led.withdraw(local.channel, local.role, next);
    }
}
