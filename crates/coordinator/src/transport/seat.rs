//! The place of one peer: its address, its queues, and the one connection that may use them.
//! Connections come and go; the seat stays, so queued frames survive a change of connections to
//! the same start of the peer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tetrarch_replica::Lane;
use tetrarch_wire::{Frame, frame::FrameType};
use tokio::sync::watch;

use super::{
    config::{Limits, PeerAddress},
    duel::{Verdict, settle},
    inbound::{Inbound, Peer, TransportEvent},
    lane::Track,
    link::{Leave, Link},
    outbox::{DropReason, Outbox},
};

/// The place of one peer.
#[derive(Debug)]
pub(super) struct Seat {
    outboxes: Vec<Outbox>,
    /// Held while a connection is exchanged and the node told, so that it hears the ups and downs
    /// of a peer in order.
    turn: Mutex<()>,
    link: Mutex<Option<Arc<Link>>>,
    linked: watch::Sender<bool>,
    address: watch::Sender<PeerAddress>,
}

impl Seat {
    /// The empty place of the peer at `address`.
    pub(super) fn new(address: PeerAddress, limits: &Limits) -> Self {
        let outboxes = Track::all().map(|track| Outbox::new(limits.queue(track.lane())));
        Self {
            outboxes: outboxes.collect(),
            turn: Mutex::default(),
            link: Mutex::default(),
            linked: watch::Sender::new(false),
            address: watch::Sender::new(address),
        }
    }

    /// Who belongs here and where it is reached.
    pub(super) fn address(&self) -> PeerAddress {
        self.address.borrow().clone()
    }

    /// The peer is reached elsewhere from now on.
    pub(super) fn readdress(&self, address: PeerAddress) {
        self.address.send_replace(address);
    }

    /// Changes whenever a connection comes or goes.
    pub(super) fn linked(&self) -> watch::Receiver<bool> {
        self.linked.subscribe()
    }

    /// The connection that stands.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        lock(&self.link).clone()
    }

    /// The peer, if it is connected.
    pub(super) fn peer(&self) -> Option<Arc<Peer>> {
        lock(&self.link).as_ref().map(|link| Arc::clone(&link.peer))
    }

    /// Whether the connection that stands is to the same start of the peer as this one.
    pub(super) fn has_same_start(&self, link: &Link) -> bool {
        let standing = lock(&self.link);
        let start = standing.as_ref().map(|standing| standing.claim);
        start.is_some_and(|start| start.is_same_start(link.claim))
    }

    /// Queues a frame for the peer.
    pub(super) fn push(&self, track: Track, frame: &Frame) -> Result<(), DropReason> {
        self.outbox(track).push(frame)
    }

    /// The queue of a track.
    pub(super) fn outbox(&self, track: Track) -> &Outbox {
        &self.outboxes[track.index()]
    }

    /// Offers the seat to a connection. Only with [`Verdict::Keep`] it does not get it.
    pub(super) fn take<I: Inbound>(&self, link: &Arc<Link>, inbound: &I) -> Verdict {
        let _turn = lock(&self.turn);
        let standing = self.link();
        let verdict = match &standing {
            Some(standing) => settle(standing.claim, link.claim),
            None => Verdict::Supersede,
        };
        match verdict {
            Verdict::Keep => return Verdict::Keep,
            Verdict::Replace => {
                self.hand_over(link);
                if let Some(standing) = standing {
                    standing.leave(Leave::Replaced);
                }
            }
            Verdict::Supersede => {
                if let Some(standing) = standing {
                    self.drop_queues(&standing, inbound);
                    inbound.peer_down(&standing.peer);
                    standing.leave(Leave::Superseded);
                }
                self.hand_over(link);
                inbound.peer_up(&link.peer);
            }
        }
        self.linked.send_replace(true);
        verdict
    }

    /// A connection is gone. Nothing happens if another one has its place by now.
    pub(super) fn leave<I: Inbound>(&self, link: &Link, inbound: &I) {
        let _turn = lock(&self.turn);
        let gone = lock(&self.link).take_if(|standing| standing.number == link.number);
        if gone.is_some() {
            self.drop_queues(link, inbound);
            inbound.peer_down(&link.peer);
            self.linked.send_replace(false);
        }
    }

    /// Nothing is queued on these tracks of this connection any more; what is queued is still
    /// written.
    pub(super) fn seal(&self, link: &Link, which: impl Fn(Track) -> bool) {
        for track in Track::all().filter(|track| which(*track)) {
            self.outbox(track).seal(link.number);
        }
    }

    fn hand_over(&self, link: &Arc<Link>) {
        for outbox in &self.outboxes {
            outbox.assign(link.number);
        }
        // Whoever sees the connection can also use it.
        *lock(&self.link) = Some(Arc::clone(link));
    }

    fn drop_queues<I: Inbound>(&self, link: &Link, inbound: &I) {
        for track in Track::all() {
            let dropped = self.outbox(track).close(link.number);
            for frame in dropped {
                inbound.observe(lost(track.lane(), frame));
            }
        }
    }
}

/// The event of a frame that was queued, or being written, when its connection went.
pub(super) const fn lost(lane: Lane, frame: FrameType) -> TransportEvent {
    TransportEvent::FrameDropped {
        lane,
        frame,
        reason: DropReason::ConnectionLost.name(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
