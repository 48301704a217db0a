//! The node's beats: [`BeatHub`] decides what is said and what follows from what is heard; here it
//! is given the time, and its frames and facts are passed on.
//!
//! The hub stands behind a lock and not behind a queue, because a channel must be able to say that
//! it has seen a higher epoch *before* its vote for that epoch leaves the node (protocol §5, the
//! refused rows of an acknowledgement).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tetrarch_replica::{
    Moment,
    beat::{
        BeatEffects, BeatHub, BeatSettings, BeatWay, ChannelFact, Keeper, LocalChannel, OwnFacts,
        Repeat,
    },
};
use tetrarch_wire::{Boot, ChannelUid, Frame, frame::NodeBeat};
use tokio::sync::{Notify, watch};

use crate::{
    channel::{Command, Workers},
    clock,
    mesh_link::MeshLink,
    node::{DiskFacts, NodeFacts},
    transport::Peer,
};

/// Beats of more pages go over the control stream (protocol §6).
const MAX_DATAGRAM_PAGES: u16 = 4;

/// Everybody's way to the node's beats.
#[derive(Clone)]
pub(crate) struct BeatHandle {
    shared: Arc<Shared>,
}

struct Shared {
    hub: Mutex<BeatHub>,
    urgent: Notify,
    mesh: Arc<MeshLink>,
    workers: Workers,
    facts: Arc<NodeFacts>,
    interval: Duration,
}

impl BeatHandle {
    pub(crate) fn new(
        boot: Boot,
        interval: Duration,
        workers: Workers,
        facts: Arc<NodeFacts>,
        mesh: Arc<MeshLink>,
    ) -> Self {
        let hub = BeatHub::new(
            boot,
            BeatSettings {
                interval,
                ..BeatSettings::default()
            },
        );
        Self {
            shared: Arc::new(Shared {
                hub: Mutex::new(hub),
                urgent: Notify::new(),
                mesh,
                workers,
                facts,
                interval,
            }),
        }
    }

    /// How a channel stands. In force when this returns.
    pub(crate) fn stamp(&self, local: &LocalChannel, now: Moment) {
        self.hub().stamp(local, now);
    }

    /// How many channels stand, under one lock.
    pub(crate) fn stamp_all<'a>(
        &self,
        locals: impl IntoIterator<Item = &'a LocalChannel>,
        now: Moment,
    ) {
        let mut hub = self.hub();
        for local in locals {
            hub.stamp(local, now);
        }
    }

    /// A worker is alive, and so are its channels; gives those that must be stamped all the same.
    pub(crate) fn alive(&self, keeper: Keeper, now: Moment) -> Vec<ChannelUid> {
        self.hub().alive(keeper, now)
    }

    /// A channel is closed here.
    pub(crate) fn forget(&self, channel: ChannelUid) {
        self.hub().forget(channel);
    }

    /// A beat about the channel is wanted now.
    pub(crate) fn beat_now(&self, channel: ChannelUid) {
        self.with_hub(|hub, now, effects| hub.beat_now(channel, now, effects));
        self.shared.urgent.notify_one();
    }

    /// A peer is connected.
    pub(crate) fn peer_up(&self, peer: &Peer) {
        self.with_hub(|hub, _, effects| hub.peer_up(peer.node, peer.voter, peer.boot, effects));
    }

    /// A peer is not connected any more.
    pub(crate) fn peer_down(&self, peer: &Peer) {
        self.hub().peer_down(peer.node);
    }

    /// What the node says of its own disk.
    pub(crate) fn set_own(&self, own: OwnFacts) {
        self.hub().set_own(own);
    }

    /// A frame of this layer arrived.
    pub(crate) fn frame(&self, from: &Peer, frame: Frame) {
        let node = from.node;
        match frame {
            Frame::NodeBeat(beat) => {
                let way = way_of(&beat);
                self.with_hub(|hub, now, effects| hub.on_beat(node, &beat, way, now, effects));
            }
            Frame::BeatAck(ack) => {
                self.with_hub(|hub, now, effects| hub.on_ack(node, &ack, now, effects));
            }
            Frame::TableRequest(request) => {
                self.with_hub(|hub, now, effects| {
                    hub.on_table_request(node, request, now, effects);
                });
            }
            Frame::TablePage(page) => {
                self.with_hub(|hub, now, effects| hub.on_table_page(node, page, now, effects));
            }
            other => {
                tracing::error!(
                    frame = other.frame_type().name(),
                    "this is no part of a beat"
                );
            }
        }
    }

    fn with_hub(&self, act: impl FnOnce(&mut BeatHub, Moment, &mut BeatEffects)) {
        let mut effects = BeatEffects::default();
        act(&mut self.hub(), clock::moment(), &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&self, effects: BeatEffects) {
        if let Some(mesh) = self.shared.mesh.get() {
            for outgoing in effects.frames {
                mesh.beat(
                    outgoing.to,
                    outgoing.frame,
                    outgoing.way == BeatWay::Control,
                );
            }
        }
        for peer in effects.peers {
            let disk = DiskFacts {
                level: peer.disk_level,
                free_bytes: peer.free_bytes,
            };
            self.shared.facts.note_disk(peer.peer, disk);
        }
        if !effects.channels.is_empty() || !effects.repeats.is_empty() {
            self.tell_channels(effects.channels, &effects.repeats);
        }
    }

    fn tell_channels(&self, channels: Vec<ChannelFact>, repeats: &[Repeat]) {
        let workers = &self.shared.workers;
        let mut facts: Vec<Vec<ChannelFact>> = workers.all().iter().map(|_| Vec::new()).collect();
        for fact in channels {
            facts[workers.index_of(fact.channel())].push(fact);
        }
        for (worker, facts) in workers.all().iter().zip(facts) {
            let repeats = repeats.to_vec();
            // A worker that has no room for a beat is as good as one that did not hear it.
            if worker
                .commands
                .try_send(Command::Beat { facts, repeats })
                .is_err()
            {
                tracing::warn!("a worker has no room for what a beat says");
                self.hub().facts_lost();
            }
        }
    }

    fn hub(&self) -> MutexGuard<'_, BeatHub> {
        self.shared
            .hub
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a beat to every peer each interval, and urgent ones when they are due, until `stop`
    /// turns true.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut interval = tokio::time::interval(self.shared.interval);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let urgent_at = self.hub().urgent_at();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = interval.tick() => {
                    self.with_hub(|hub, now, effects| hub.tick(now, effects));
                }
                () = until(urgent_at) => {
                    self.with_hub(|hub, now, effects| hub.flush(now, effects));
                }
                () = self.shared.urgent.notified() => {}
            }
        }
    }
}

/// The way that a beat of so many pages takes, and so its acknowledgement.
fn way_of(beat: &NodeBeat) -> BeatWay {
    if beat.pages > MAX_DATAGRAM_PAGES {
        BeatWay::Control
    } else {
        BeatWay::Datagram
    }
}

async fn until(moment: Option<Moment>) {
    match moment {
        Some(moment) => tokio::time::sleep(moment.since(clock::moment())).await,
        None => std::future::pending().await,
    }
}
