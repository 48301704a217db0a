//! What happens at a node whoever lies to it: time passes, disks write, clients ask, operators order;
//! and peers that are honest for once.

use std::time::Duration;

use tetrarch_replica::{Input, PersistFailure, ProduceRequest};
use tetrarch_wire::{
    Epoch, ProducerEpoch, ProducerId, ProducerSeq, Seq, VoterId,
    frame::{AppendAck, ChannelMessage, DiskLevel, VoteResponse},
};

use super::{forgery, life::Life};

impl Life<'_> {
    pub(super) fn leader_heard(&mut self) {
        let peer = self.cast.somebody(&mut self.cursor);
        let epoch = match (self.known.follows, self.cursor.byte()) {
            (Some(epoch), 0..=199) => epoch,
            (_, 200..=230) | (None, 0..=199) => Epoch::new(self.known.seen.saturating_add(1), peer),
            _ => Epoch::new(self.cursor.number(), peer),
        };
        let commit = match self.cursor.byte() {
            0..=149 => self.witness.log.tail().seq,
            _ => Seq::new(self.cursor.number()),
        };
        let at = self.node.moment();
        self.give_from(epoch.leader, Input::LeaderHeard { epoch, commit, at });
    }

    pub(super) fn beat_acked(&mut self) {
        let voter = self.cast.somebody(&mut self.cursor);
        let right = self.known.leads.unwrap_or(Epoch::NONE);
        let epoch = match self.cursor.byte() {
            0..=219 => right,
            _ => Epoch::new(self.cursor.number(), right.leader),
        };
        let input = Input::BeatAcked {
            voter,
            epoch,
            sent_at: self.node.moment(),
        };
        self.give_from(voter, input);
    }

    /// The other voters are honest for once: they are silent until the replica stands, and then each
    /// gives it its vote.
    pub(super) fn voters_vote(&mut self) {
        self.node.now += Duration::from_secs(2);
        self.give(Input::Tick);
        for _ in 0..2 {
            let Some((kind, epoch)) = self.known.round else {
                return;
            };
            let peers: Vec<VoterId> = self.cast.peers().collect();
            for voter in peers {
                let response = VoteResponse {
                    kind,
                    voter,
                    refusal: None,
                    epoch_seen: Epoch::new(epoch.n, VoterId::NONE),
                    last: self.witness.log.origin,
                    leader: None,
                    heard: 0,
                };
                let message = ChannelMessage::VoteResponse(response);
                self.give_from(
                    voter,
                    Input::Message {
                        from: voter,
                        epoch,
                        message,
                    },
                );
            }
            self.finish_write(None);
        }
    }

    /// The other voters are honest for once: each holds what the replica's log holds.
    pub(super) fn followers_follow(&mut self) {
        let Some(epoch) = self.known.leads else {
            return self.wait();
        };
        let tail = self.witness.log.tail();
        let peers: Vec<VoterId> = self.cast.peers().collect();
        for voter in peers {
            let ack = AppendAck {
                durable: tail.seq,
                durable_link: tail.link,
                ack_generation: 0,
                credit: 0,
                disk_level: DiskLevel::Green,
            };
            self.give_from(
                voter,
                Input::Message {
                    from: voter,
                    epoch,
                    message: ChannelMessage::AppendAck(ack),
                },
            );
            let sent_at = self.node.moment();
            self.give_from(
                voter,
                Input::BeatAcked {
                    voter,
                    epoch,
                    sent_at,
                },
            );
        }
    }

    pub(super) fn finish_write(&mut self, wanted: Option<PersistFailure>) {
        if let Some(input) = self.node.finish_write(wanted) {
            if matches!(input, Input::PersistFailed { .. }) {
                self.count("failed writes");
            }
            self.give(input);
        }
    }

    pub(super) fn fail_write(&mut self) {
        let failure = match self.cursor.byte() {
            0..=239 => PersistFailure::StorageFull,
            240..=244 => PersistFailure::Corrupt,
            245..=249 => PersistFailure::Refused,
            250..=255 => PersistFailure::Fatal,
        };
        self.finish_write(Some(failure));
    }

    pub(super) fn wait(&mut self) {
        let ms = self.cursor.pick(&[150, 1, 50, 450, 600, 2_000, 0]);
        self.node.now += Duration::from_millis(ms);
        self.give(Input::Tick);
    }

    pub(super) fn produce(&mut self) {
        let producer = self.cursor.byte() % 5;
        let next = self.produced.entry(producer).or_insert(1);
        let base = match self.cursor.byte() {
            0..=199 => *next,
            again @ 200..=239 => u64::from(again % 8),
            240..=255 => self.cursor.number(),
        };
        let events = forgery::block(&mut self.cursor);
        *next = base.saturating_add(events.count().into());
        let request = ProduceRequest {
            ticket: self.ticket(),
            producer: ProducerId::from_bytes([producer; 16]),
            producer_epoch: ProducerEpoch::new(u32::from(self.cursor.happens(32))),
            base_producer_seq: ProducerSeq::new(base),
            events,
        };
        self.give(Input::Produce(request));
    }

    pub(super) fn transfer(&mut self) {
        let to = self.cursor.happens(128);
        let to = to.then(|| self.cast.somebody(&mut self.cursor));
        let ticket = self.ticket();
        let forced = self.cursor.happens(128);
        self.give(Input::Transfer { ticket, to, forced });
    }

    pub(super) fn trim(&mut self) {
        if let Some(log_start) = self.node.trim(self.may_go) {
            self.count("trims");
            self.give(Input::Trimmed { log_start });
        }
    }

    pub(super) fn placed(&mut self) {
        let input = match self.cursor.below(4) {
            0 | 1 => Input::Select,
            2 => Input::Deselect,
            _ => Input::Close,
        };
        self.give(input);
    }

    pub(super) fn restart(&mut self) {
        self.count("restarts");
        let kept = self.cursor.below(4);
        self.node.restart(&self.cast, kept);
        self.witness.restarted(&self.node.disk);
        self.may_go = Seq::ZERO;
        self.give(Input::Select);
    }
}
