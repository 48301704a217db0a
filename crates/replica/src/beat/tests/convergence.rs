//! Three hubs, actors that come and go, and a network that loses, repeats, delays and reorders
//! datagrams and cuts connections. Whatever happens, no fact is ever told that was not true of its
//! sender when it spoke (I25); and once the network behaves, every fact is told again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const NODES: u8 = 3;
const CHANNELS: u32 = 3;

/// One thing that happens. Numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Event {
    Lead(u8, u32),
    Follow(u8, u32),
    Vote(u8, u32),
    Relinquish(u8, u32),
    Append(u8, u32),
    Wedge(u8, u32),
    Close(u8, u32),
    BeatNow(u8, u32),
    Pass(u8),
    Deliver(usize),
    Repeat(usize),
    Lose(usize),
    Reconnect(u8, u8),
    Restart(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let at = || (0..NODES, 0..CHANNELS);
    prop_oneof![
        3 => at().prop_map(|(at, of)| Event::Lead(at, of)),
        3 => at().prop_map(|(at, of)| Event::Follow(at, of)),
        1 => at().prop_map(|(at, of)| Event::Vote(at, of)),
        1 => at().prop_map(|(at, of)| Event::Relinquish(at, of)),
        4 => at().prop_map(|(at, of)| Event::Append(at, of)),
        1 => at().prop_map(|(at, of)| Event::Wedge(at, of)),
        1 => at().prop_map(|(at, of)| Event::Close(at, of)),
        2 => at().prop_map(|(at, of)| Event::BeatNow(at, of)),
        8 => (0u8..8).prop_map(Event::Pass),
        20 => any::<usize>().prop_map(Event::Deliver),
        3 => any::<usize>().prop_map(Event::Repeat),
        5 => any::<usize>().prop_map(Event::Lose),
        1 => (0..NODES, 0..NODES).prop_map(|(one, other)| Event::Reconnect(one, other)),
        1 => (0..NODES).prop_map(Event::Restart),
    ]
}

/// What a node leads, as far as its actors have earned it.
type Claims = BTreeMap<ChannelUid, Epoch>;

/// A channel's actor as its node's hub last heard of it.
#[derive(Clone, Debug)]
struct Actor {
    local: LocalChannel,
    stamped: Moment,
    wedged: bool,
}

impl Actor {
    fn led(&self) -> Option<Epoch> {
        let row = self
            .local
            .row
            .filter(|_| self.local.role == ReplicaRole::Leader);
        row.map(|row| row.epoch)
    }

    /// Whether the actor follows the leader of `epoch`, written down apart from the shipped rule.
    fn follows(&self, epoch: Epoch, now: Moment) -> bool {
        let fresh = now.since(self.stamped) < INTERVAL * 2;
        let role = self.local.role != ReplicaRole::Leader;
        let no_other = self
            .local
            .leader
            .is_none_or(|leader| leader == epoch.leader);
        fresh && role && no_other && self.local.epoch_seen <= epoch
    }
}

/// A frame on its way, with what was true at its sender when it was sent.
#[derive(Clone, Debug)]
struct Carried {
    from: u8,
    sent: OutgoingFrame,
    led: Claims,
    actors: BTreeMap<ChannelUid, Actor>,
    at: Moment,
}

struct World {
    mesh: Mesh,
    boots: [u64; 3],
    actors: BTreeMap<(u8, ChannelUid), Actor>,
    carried: Vec<Carried>,
    /// What each beat claimed, by sender, boot, receiver and number.
    beats: BTreeMap<(u8, u64, u8, u64), (Moment, Claims)>,
    epoch: u64,
}

impl World {
    fn new() -> Self {
        Self {
            mesh: Mesh::new(NODES),
            boots: [1; 3],
            actors: BTreeMap::new(),
            carried: Vec::new(),
            beats: BTreeMap::new(),
            epoch: 0,
        }
    }

    fn actors_of(&self, at: u8) -> BTreeMap<ChannelUid, Actor> {
        let own = self.actors.iter().filter(|((by, _), _)| *by == at);
        own.map(|((_, of), actor)| (*of, actor.clone())).collect()
    }

    /// What a node may claim: what its actors lead that were stamped since the last tick but one.
    fn claims(&self, at: u8) -> Claims {
        let fresh = |actor: &Actor| self.mesh.now.since(actor.stamped) < INTERVAL * 3;
        let led =
            |(of, actor): (ChannelUid, Actor)| Some((of, actor.led().filter(|_| fresh(&actor))?));
        self.actors_of(at).into_iter().filter_map(led).collect()
    }

    /// Picks up what was sent, together with the truth of this moment.
    fn collect(&mut self) {
        let sent: Vec<_> = self.mesh.flight.drain(..).collect();
        for (from, sent) in sent {
            let led = self.claims(from);
            let to = sent.to.as_bytes()[0];
            if let Frame::NodeBeat(beat) = &sent.frame {
                let key = (from, beat.boot.get(), to, beat.number);
                self.beats.insert(key, (self.mesh.now, led.clone()));
            }
            self.carried.push(Carried {
                from,
                sent,
                led,
                actors: self.actors_of(from),
                at: self.mesh.now,
            });
        }
    }

    fn set(&mut self, at: u8, local: LocalChannel) {
        self.mesh.stamp(at, &local);
        let actor = Actor {
            stamped: self.mesh.now,
            wedged: false,
            local,
        };
        self.actors.insert((at, actor.local.channel), actor);
    }

    fn change(&mut self, at: u8, of: ChannelUid, change: impl FnOnce(&mut LocalChannel)) {
        let Some(actor) = self.actors.get(&(at, of)).filter(|actor| !actor.wedged) else {
            return;
        };
        let mut local = actor.local.clone();
        change(&mut local);
        self.set(at, local);
    }

    fn highest(&self, of: ChannelUid) -> Option<Epoch> {
        let known = self
            .actors
            .iter()
            .filter(|((_, channel), _)| *channel == of);
        known.filter_map(|(_, actor)| actor.led()).max()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Lead(at, of) => {
                self.epoch += 1;
                self.set(at, leading(at, channel(of), self.epoch, 1));
            }
            Event::Follow(at, of) => self.follow(at, channel(of)),
            Event::Vote(at, of) => {
                self.epoch += 1;
                let epoch = Epoch::new(self.epoch, voter((at + 1) % NODES));
                self.change(at, channel(of), |local| {
                    local.epoch_seen = epoch;
                    local.role = ReplicaRole::Replica;
                    local.leader = None;
                    local.row = None;
                });
            }
            Event::Relinquish(at, of) => self.change(at, channel(of), |local| {
                local.role = ReplicaRole::Idle;
                local.leader = None;
                local.row = None;
            }),
            Event::Append(at, of) => self.change(at, channel(of), |local| {
                if let Some(row) = &mut local.row {
                    row.tail = row.tail.next();
                    row.commit = row.tail;
                }
            }),
            Event::Wedge(at, of) => {
                if let Some(actor) = self.actors.get_mut(&(at, channel(of))) {
                    actor.wedged = true;
                }
            }
            Event::Close(at, of) => {
                self.actors.remove(&(at, channel(of)));
                self.mesh.on(at, |hub, _| hub.forget(channel(of)));
            }
            Event::BeatNow(at, of) => {
                let now = self.mesh.now;
                self.mesh
                    .on(at, |hub, effects| hub.beat_now(channel(of), now, effects));
            }
            Event::Pass(tickers) => self.pass(tickers),
            Event::Deliver(index) => {
                if let Some(index) = self.next_deliverable(index) {
                    let carried = self.carried.remove(index);
                    self.deliver(carried);
                }
            }
            Event::Repeat(index) => {
                if let Some(index) = self.datagram(index) {
                    let carried = self.carried[index].clone();
                    self.deliver(carried);
                }
            }
            Event::Lose(index) => {
                if let Some(index) = self.datagram(index) {
                    self.carried.remove(index);
                }
            }
            Event::Reconnect(one, other) if one != other => self.reconnect(one, other),
            Event::Reconnect(..) => {}
            Event::Restart(at) => self.restart(at),
        }
        self.collect();
    }

    fn follow(&mut self, at: u8, of: ChannelUid) {
        let Some(epoch) = self.highest(of) else {
            return;
        };
        let seen = self
            .actors
            .get(&(at, of))
            .map(|actor| actor.local.epoch_seen);
        if epoch.leader != voter(at) && seen.is_none_or(|seen| seen <= epoch) {
            let leader = epoch.leader.as_bytes()[0] - 100;
            self.set(at, following(at, of, epoch.n, leader));
        }
    }

    fn pass(&mut self, tickers: u8) {
        self.mesh.pass();
        for ((at, _), actor) in &mut self.actors {
            if !actor.wedged {
                actor.stamped = self.mesh.now;
                self.mesh.stamp(*at, &actor.local);
            }
        }
        for at in 0..NODES {
            // Without its tick a node is paused; its peers see nothing of it.
            if tickers & 1 << at == 0 {
                self.mesh.tick(at);
            }
        }
    }

    /// Datagrams overtake each other and everything else; the control stream keeps its order.
    fn next_deliverable(&self, index: usize) -> Option<usize> {
        let index = index.checked_rem(self.carried.len())?;
        let chosen = &self.carried[index];
        if chosen.sent.way == BeatWay::Datagram {
            return Some(index);
        }
        self.carried.iter().position(|other| {
            (other.from, other.sent.to, other.sent.way)
                == (chosen.from, chosen.sent.to, BeatWay::Control)
        })
    }

    fn datagram(&self, index: usize) -> Option<usize> {
        let index = index.checked_rem(self.carried.len())?;
        (self.carried[index].sent.way == BeatWay::Datagram).then_some(index)
    }

    fn reconnect(&mut self, one: u8, other: u8) {
        for (at, peer) in [(one, other), (other, one)] {
            let boot = Boot::new(self.boots[usize::from(peer)]);
            self.mesh.on(at, |hub, effects| {
                hub.peer_down(node(peer));
                hub.peer_up(node(peer), voter(peer), boot, effects);
            });
        }
        // The streams end with their connection; a datagram may still be somewhere.
        self.carried.retain(|carried| {
            let ends = [carried.from, carried.sent.to.as_bytes()[0]];
            carried.sent.way == BeatWay::Datagram || ends != [one, other] && ends != [other, one]
        });
        self.mesh.facts.clear();
    }

    fn restart(&mut self, at: u8) {
        let boot = &mut self.boots[usize::from(at)];
        *boot += 1;
        let boot = Boot::new(*boot);
        self.mesh.restart(at, boot);
        self.actors.retain(|(by, _), _| *by != at);
        for other in (0..NODES).filter(|other| *other != at) {
            self.reconnect(at, other);
        }
    }

    fn deliver(&mut self, carried: Carried) {
        let to = carried.sent.to.as_bytes()[0];
        self.mesh.facts.clear();
        self.mesh.deliver(carried.from, carried.sent.clone());
        for (at, fact) in self.mesh.take_facts() {
            assert_eq!(at, to);
            self.check(at, fact, &carried);
        }
    }

    fn check(&self, at: u8, fact: ChannelFact, carried: &Carried) {
        match fact {
            ChannelFact::LeaderHeard { channel, epoch, .. } => {
                assert_eq!(carried.led.get(&channel), Some(&epoch), "{fact:?}");
                let seen = self.actors[&(at, channel)].local.epoch_seen;
                assert!(epoch >= seen, "{fact:?} at {seen}");
            }
            ChannelFact::LeaderWithdrew { channel, epoch } => {
                let actor = carried.actors.get(&channel);
                let alive = |actor: &&Actor| carried.at.since(actor.stamped) < INTERVAL * 2;
                let led = actor.filter(alive).and_then(Actor::led);
                assert_ne!(led, Some(epoch), "{fact:?} of {actor:?}");
            }
            ChannelFact::BeatAcked {
                channel,
                voter: acker,
                epoch,
                sent_at,
                roll: _,
            } => {
                let Frame::BeatAck(ack) = &carried.sent.frame else {
                    panic!("{fact:?} came of {:?}", carried.sent.frame);
                };
                assert_eq!(acker, voter(carried.from));
                let key = (at, ack.boot.get(), carried.from, ack.number);
                let (time, claimed) = &self.beats[&key];
                assert_eq!((sent_at, claimed.get(&channel)), (*time, Some(&epoch)));
                let actor = carried.actors.get(&channel);
                let follows = actor.is_some_and(|actor| actor.follows(epoch, carried.at));
                assert!(follows, "{fact:?} of {actor:?}");
            }
        }
    }

    /// A healthy interval: everything arrives, in order.
    fn healthy_round(&mut self) {
        self.pass(0);
        self.collect();
        while !self.carried.is_empty() {
            let carried = self.carried.remove(0);
            self.deliver(carried);
            self.collect();
        }
    }

    fn assert_converged(&mut self) {
        let claims = |world: &Self, at| -> Claims {
            let alive = |(of, actor): (ChannelUid, Actor)| {
                Some((of, actor.led().filter(|_| !actor.wedged)?))
            };
            world.actors_of(at).into_iter().filter_map(alive).collect()
        };
        for one in 0..NODES {
            for other in (0..NODES).filter(|other| *other != one) {
                let (led, heard) = (self.mesh.led(one, other), self.mesh.heard(other, one));
                assert_eq!(led, heard, "table of {one} at {other}");
                let led: BTreeMap<_, _> = led.iter().map(|row| (row.channel, row.epoch)).collect();
                assert_eq!(led, claims(self, one));
            }
        }
    }

    /// One more interval: every fact that is true is told, and beats say nothing.
    fn assert_complete(&mut self) {
        self.pass(0);
        for (_, sent) in &self.mesh.flight {
            assert_eq!(sent.way, BeatWay::Datagram);
            assert!(matches!(&sent.frame, Frame::NodeBeat(beat) if beat.rows.is_empty()));
        }
        self.mesh.facts.clear();
        self.mesh.settle();
        let mut told = BTreeSet::new();
        for (at, fact) in self.mesh.take_facts() {
            told.insert(match fact {
                ChannelFact::LeaderHeard { channel, epoch, .. } => (at, "heard", channel, epoch),
                ChannelFact::LeaderWithdrew { channel, epoch } => (at, "gone", channel, epoch),
                ChannelFact::BeatAcked {
                    channel,
                    epoch,
                    voter,
                    ..
                } => {
                    let acker = voter.as_bytes()[0] - 100;
                    (acker, "acked", channel, epoch)
                }
            });
        }
        assert_eq!(told, self.expected());
    }

    fn expected(&self) -> BTreeSet<(u8, &'static str, ChannelUid, Epoch)> {
        let mut expected = BTreeSet::new();
        let leaders = self.actors.iter().filter(|(_, actor)| !actor.wedged);
        for ((leader, of), epoch) in leaders.filter_map(|(key, actor)| Some((key, actor.led()?))) {
            for at in (0..NODES).filter(|at| at != leader) {
                let Some(actor) = self.actors.get(&(at, *of)) else {
                    continue;
                };
                if epoch >= actor.local.epoch_seen {
                    expected.insert((at, "heard", *of, epoch));
                }
                if actor.follows(epoch, self.mesh.now) {
                    expected.insert((at, "acked", *of, epoch));
                }
            }
        }
        expected
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn facts_are_true_when_told_and_told_again_once_the_network_heals(
        events in prop::collection::vec(event(), 0..250)
    ) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
        }
        for _ in 0..6 {
            world.healthy_round();
        }
        world.assert_converged();
        world.assert_complete();
    }
}
