//! The beats of an honest node among liars. Its hub is told what its own channels and connections
//! do, and hears any well-formed beat, acknowledgement and table from its peers. [`witness`] says
//! what may come of it.

mod said;
mod witness;

use std::{collections::BTreeMap, time::Duration};

use tetrarch_replica::{
    Moment,
    beat::{
        BeatEffects, BeatHub, BeatSettings, BeatWay, Keeper, LocalChannel, OwnFacts, PeerReplica,
    },
};
use tetrarch_wire::{
    Boot, ChannelUid, Epoch, Frame, NodeId, ReplicaRole, Seq, VoterId, frame::ChannelBeat,
};

use crate::cursor::Cursor;
use witness::Witness;

const PEERS: u8 = 3;
const CHANNELS: u8 = 5;

/// Lives the life that the bytes tell of.
pub fn beats(bytes: &[u8]) {
    live(bytes);
}

/// How often each thing has happened.
pub type Tally = BTreeMap<&'static str, u64>;

/// The same; says how often what happened.
pub fn live(bytes: &[u8]) -> Tally {
    let mut node = Node::new(bytes);
    for peer in 1..=PEERS {
        node.connect(peer, voter(peer), Boot::new(1));
    }
    while !node.cursor.is_empty() {
        node.next();
    }
    node.witness.tally
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 16])
}

/// The voter that a peer is; peer 0 is the honest node itself.
fn voter(number: u8) -> VoterId {
    VoterId::from_bytes([100 + number; 16])
}

fn channel(number: u8) -> ChannelUid {
    ChannelUid::from_bytes([number; 32])
}

struct Node<'a> {
    cursor: Cursor<'a>,
    hub: BeatHub,
    now: Duration,
    said: said::Said,
    witness: Witness,
}

impl<'a> Node<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let settings = BeatSettings {
            interval: Duration::from_millis(150),
            datagram_budget: 256,
        };
        Self {
            cursor: Cursor::new(bytes),
            hub: BeatHub::new(Boot::new(7), settings),
            now: Duration::from_secs(1),
            said: said::Said::default(),
            witness: Witness::default(),
        }
    }

    fn moment(&self) -> Moment {
        Moment::default().plus(self.now)
    }

    /// Lets something happen at the hub.
    fn at_hub(&mut self, what: impl FnOnce(&mut BeatHub, Moment, &mut BeatEffects)) {
        let now = self.moment();
        let mut effects = BeatEffects::default();
        what(&mut self.hub, now, &mut effects);
        for sent in &effects.frames {
            if let Frame::NodeBeat(beat) = &sent.frame {
                self.said.overhear(sent.to, beat);
            }
        }
        self.witness.sees(&effects, now);
        self.witness.settles(&self.hub);
    }

    fn next(&mut self) {
        match self.cursor.byte() {
            0..=119 => self.somebody_speaks(),
            120..=159 => self.stamp(),
            160..=169 => {
                let now = self.moment();
                let keeper = Keeper::default();
                self.hub.alive(keeper, now);
                self.witness.alive(now);
            }
            170..=199 => {
                self.now += Duration::from_millis(self.cursor.pick(&[150, 1, 20, 400, 0]));
                self.at_hub(|hub, now, effects| hub.tick(now, effects));
            }
            200..=209 => {
                let uid = channel(self.cursor.byte() % CHANNELS);
                self.at_hub(|hub, now, effects| hub.beat_now(uid, now, effects));
            }
            210..=214 => self.at_hub(|hub, now, effects| hub.flush(now, effects)),
            215..=219 => {
                let peer = 1 + self.cursor.byte() % PEERS;
                let boot = said::boot(&mut self.cursor);
                // A node with another store is another voter.
                let other = 10 * u8::from(self.cursor.happens(32));
                self.connect(peer, voter(peer + other), boot);
            }
            220..=222 => {
                let peer = 1 + self.cursor.byte() % PEERS;
                self.hub.peer_down(node(peer));
                self.witness.disconnected(peer);
            }
            223..=228 => {
                let uid = channel(self.cursor.byte() % CHANNELS);
                self.hub.forget(uid);
                self.witness.forgotten(uid);
            }
            229..=232 => {
                let wall = u32::from(self.cursor.byte()) * 40;
                self.hub.set_own(OwnFacts {
                    wal_stall_ms: wall,
                    ..OwnFacts::default()
                });
            }
            233..=235 => self.hub.facts_lost(),
            236..=255 => self.stamp(),
        }
    }

    fn connect(&mut self, peer: u8, voter: VoterId, boot: Boot) {
        self.witness.connected(peer, voter, boot);
        self.at_hub(|hub, _, effects| hub.peer_up(node(peer), voter, boot, effects));
    }

    /// An actor says how its channel stands.
    fn stamp(&mut self) {
        let uid = channel(self.cursor.byte() % CHANNELS);
        let n = 1 + u64::from(self.cursor.byte() % 4);
        let (role, leader) = match self.cursor.byte() {
            0..=119 => (ReplicaRole::Leader, Some(voter(0))),
            120..=219 => (
                ReplicaRole::Replica,
                Some(voter(1 + self.cursor.byte() % PEERS)),
            ),
            220..=235 => (ReplicaRole::Candidate, None),
            236..=255 => (ReplicaRole::Idle, None),
        };
        let epoch = Epoch::new(n, leader.unwrap_or(VoterId::NONE));
        let at = Seq::new(u64::from(self.cursor.byte()));
        let replicas = (1..=PEERS).filter(|peer| *peer == 1 || self.cursor.happens(200));
        let replicas = replicas.map(|peer| PeerReplica {
            node: node(peer),
            voter: voter(peer),
        });
        let local = LocalChannel {
            channel: uid,
            keeper: Keeper::default(),
            role,
            epoch_seen: epoch,
            leader,
            row: (role == ReplicaRole::Leader).then_some(ChannelBeat {
                channel: uid,
                role,
                epoch,
                durable: at,
                tail: at,
                commit: at,
            }),
            replicas: replicas.collect(),
        };
        let now = self.moment();
        self.hub.stamp(&local, now);
        self.witness.stamped(local);
    }

    /// A peer says something that its connection lets through.
    fn somebody_speaks(&mut self) {
        let from = 1 + self.cursor.byte() % PEERS;
        let frame = self.said.frame(from, &mut self.cursor);
        let Some(frame) = well_formed(frame) else {
            return;
        };
        let way = self.cursor.pick(&[BeatWay::Datagram, BeatWay::Control]);
        self.witness.hears(from, &frame);
        let from = node(from);
        self.at_hub(|hub, now, effects| match frame {
            Frame::NodeBeat(beat) => hub.on_beat(from, &beat, way, now, effects),
            Frame::BeatAck(ack) => hub.on_ack(from, &ack, now, effects),
            Frame::TableRequest(request) => hub.on_table_request(from, request, now, effects),
            Frame::TablePage(page) => hub.on_table_page(from, page, now, effects),
            other => panic!("{other:?} is not made up here"),
        });
    }
}

/// The frame as it arrives; `None` if no connection would carry it.
fn well_formed(frame: Frame) -> Option<Frame> {
    let bytes = frame.to_bytes().ok()?;
    Some(Frame::from_bytes(bytes).expect("what can be written can be read"))
}
