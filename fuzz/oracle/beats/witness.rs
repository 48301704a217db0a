//! What a hub may tell its channels, and what it may say to its peers, whoever lied to it (I23, I24,
//! I25).

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_replica::{
    Moment,
    beat::{BeatEffects, BeatHub, ChannelFact, LocalChannel, OutgoingFrame, Repeat, Roll},
};
use tetrarch_wire::{Boot, ChannelUid, Epoch, Frame, NodeId, VoterId, frame::NodeBeat};

use super::Tally;

/// A connection to a peer.
#[derive(Default)]
struct Peer {
    is_up: bool,
    voter: Option<VoterId>,
    boot: Option<Boot>,
    /// Whatever it has said that it leads, in this start of it: (channel, epoch).
    claimed: BTreeSet<(ChannelUid, Epoch)>,
    /// The beats that were sent to it on this connection: when, and what was led then.
    sent: BTreeMap<u64, (Moment, BTreeSet<(ChannelUid, Epoch)>)>,
}

/// What the present frame is: who says it, and for which start of whom.
#[derive(Clone, Copy)]
struct Hearing {
    from: u8,
    is_of_this_start: bool,
    /// The beat that is acknowledged.
    acknowledges: Option<u64>,
}

/// What was seen of the hub.
#[derive(Default)]
pub(super) struct Witness {
    peers: BTreeMap<u8, Peer>,
    local: BTreeMap<ChannelUid, LocalChannel>,
    hearing: Option<Hearing>,
    /// What each roll stands for.
    rolls: BTreeMap<Roll, BTreeSet<(ChannelUid, Epoch)>>,
    /// When the task that owns the channels was last alive.
    alive_at: Moment,
    pub(super) tally: Tally,
}

impl Witness {
    pub(super) fn connected(&mut self, number: u8, voter: VoterId, boot: Boot) {
        self.hearing = None;
        let peer = self.peers.entry(number).or_default();
        let is_late = peer.voter == Some(voter) && peer.boot.is_some_and(|known| boot < known);
        if is_late {
            return;
        }
        if (peer.voter, peer.boot) != (Some(voter), Some(boot)) {
            peer.claimed.clear();
        }
        *peer = Peer {
            is_up: true,
            voter: Some(voter),
            boot: Some(boot),
            claimed: std::mem::take(&mut peer.claimed),
            sent: BTreeMap::new(),
        };
    }

    pub(super) fn disconnected(&mut self, number: u8) {
        let peer = self.peers.entry(number).or_default();
        peer.is_up = false;
        peer.sent.clear();
    }

    pub(super) fn stamped(&mut self, local: LocalChannel) {
        self.local.insert(local.channel, local);
    }

    pub(super) fn forgotten(&mut self, uid: ChannelUid) {
        self.local.remove(&uid);
    }

    pub(super) fn alive(&mut self, now: Moment) {
        self.alive_at = now;
    }

    /// A peer speaks.
    pub(super) fn hears(&mut self, from: u8, frame: &Frame) {
        let peer = self.peers.entry(from).or_default();
        let (boot, rows, acknowledges) = match frame {
            Frame::NodeBeat(beat) => (Some(beat.boot), &beat.rows[..], None),
            Frame::TablePage(page) => (Some(page.boot), &page.rows[..], None),
            Frame::BeatAck(ack) if ack.boot == Boot::new(7) => {
                (peer.boot, &[][..], Some(ack.number))
            }
            _ => (None, &[][..], None),
        };
        let is_of_this_start = peer.is_up && boot == peer.boot;
        if is_of_this_start {
            let own = rows
                .iter()
                .filter(|row| Some(row.epoch.leader) == peer.voter);
            peer.claimed.extend(own.map(|row| (row.channel, row.epoch)));
        }
        self.hearing = Some(Hearing {
            from,
            is_of_this_start,
            acknowledges,
        });
    }

    /// Something came out of the hub.
    pub(super) fn sees(&mut self, effects: &BeatEffects, now: Moment) {
        for sent in &effects.frames {
            self.sees_frame(sent, now);
        }
        for fact in &effects.channels {
            self.sees_fact(*fact, now);
        }
        for repeat in &effects.repeats {
            self.sees_repeat(*repeat, now);
        }
        self.hearing = None;
    }

    fn sees_frame(&mut self, sent: &OutgoingFrame, now: Moment) {
        if let Err(error) = sent.frame.to_bytes() {
            panic!("{:?} does not fit: {error}", sent.frame);
        }
        let number = number_of(sent.to);
        let peer = self
            .peers
            .get_mut(&number)
            .expect("it speaks to a stranger");
        assert!(peer.is_up, "it speaks to {number}, which is not there");
        if let Frame::NodeBeat(beat) = &sent.frame {
            self.sees_beat(number, beat, now);
        }
    }

    /// A row is said of what is led now, by a task that is alive (I25).
    fn sees_beat(&mut self, number: u8, beat: &NodeBeat, now: Moment) {
        for row in &beat.rows {
            let is_led = row.role == tetrarch_wire::ReplicaRole::Leader;
            let local = self.local.get(&row.channel);
            let leads = local.and_then(|local| local.row).map(|row| row.epoch);
            assert!(
                !is_led || leads == Some(row.epoch),
                "I25: it says that it leads {:?} in {}",
                row.channel,
                row.epoch
            );
        }
        let led = self.local.values().filter_map(|local| local.row);
        let led = led.map(|row| (row.channel, row.epoch)).collect();
        if let Some(peer) = self.peers.get_mut(&number) {
            peer.sent.insert(beat.number, (now, led));
        }
    }

    fn sees_fact(&mut self, fact: ChannelFact, now: Moment) {
        match fact {
            ChannelFact::LeaderHeard {
                channel,
                epoch,
                roll,
                at,
                ..
            } => {
                self.count("leaders heard");
                assert_eq!(at, now);
                self.is_claimed(self.hearing, channel, epoch);
                let local = self.local.get(&channel).expect("I23: of no channel here");
                assert!(epoch >= local.epoch_seen, "I12: {epoch} is over");
                if roll != Roll::NONE {
                    self.rolls.entry(roll).or_default().insert((channel, epoch));
                }
            }
            ChannelFact::LeaderWithdrew { channel, epoch } => {
                self.count("leaders withdrawn");
                assert!(self.local.contains_key(&channel), "I23: of no channel here");
                if let Some(hearing) = self.hearing {
                    self.is_claimed(Some(hearing), channel, epoch);
                }
            }
            ChannelFact::BeatAcked {
                channel,
                voter,
                epoch,
                roll,
                sent_at,
            } => {
                self.count("followers heard");
                let (at, led) = self.acknowledged(voter);
                assert_eq!(*at, sent_at, "I13: another time");
                assert!(
                    led.contains(&(channel, epoch)),
                    "I13: the beat did not say that it leads {channel:?} in {epoch}"
                );
                self.rolls.entry(roll).or_default().insert((channel, epoch));
            }
        }
    }

    /// The speaker has said of itself that it leads this.
    fn is_claimed(&self, hearing: Option<Hearing>, channel: ChannelUid, epoch: Epoch) {
        let hearing = hearing.expect("I23: nobody has said anything");
        assert!(hearing.is_of_this_start, "I23: said by another start");
        let claimed = &self.peers[&hearing.from].claimed;
        assert!(
            claimed.contains(&(channel, epoch)),
            "I23: {} has not said that it leads {channel:?} in {epoch}",
            hearing.from
        );
    }

    /// The beat that is acknowledged just now, by this voter.
    fn acknowledged(&self, voter: VoterId) -> &(Moment, BTreeSet<(ChannelUid, Epoch)>) {
        let hearing = self.hearing.expect("I23: nobody has acknowledged anything");
        let peer = &self.peers[&hearing.from];
        assert_eq!(peer.voter, Some(voter), "I23: another's acknowledgement");
        let number = hearing.acknowledges.expect("I23: it is no acknowledgement");
        let sent = peer.sent.get(&number);
        sent.expect("I23: a beat that was never sent to it")
    }

    fn sees_repeat(&mut self, repeat: Repeat, now: Moment) {
        match repeat {
            Repeat::Heard { leader, roll, at } => {
                self.count("repeated beats");
                assert_eq!(at, now);
                let hearing = self.hearing.expect("I23: nobody has said anything");
                assert!(hearing.is_of_this_start, "I23: said by another start");
                assert_eq!(self.peers[&hearing.from].voter, Some(leader));
                for (channel, epoch) in self.rolls.get(&roll).into_iter().flatten() {
                    let local = self.local.get(channel);
                    assert!(
                        local.is_some_and(|local| *epoch >= local.epoch_seen),
                        "I12: {epoch} of {channel:?} is over and heard again"
                    );
                }
            }
            Repeat::Acked {
                voter,
                roll,
                sent_at,
            } => {
                self.count("repeated acknowledgements");
                let (at, led) = self.acknowledged(voter);
                assert_eq!(*at, sent_at, "I13: another time");
                for row in self.rolls.get(&roll).into_iter().flatten() {
                    assert!(led.contains(row), "I13: {row:?} was not in that beat");
                }
            }
        }
    }

    /// Tables are bounded, and nothing is held of a peer beyond what it said.
    pub(super) fn settles(&self, hub: &BeatHub) {
        let most = self.peers.len() * 128 * tetrarch_wire::limits::MAX_BEAT_ROWS;
        assert!(hub.held_rows() <= most, "I24: {} rows", hub.held_rows());
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }
}

fn number_of(node: NodeId) -> u8 {
    node.as_bytes()[0]
}
