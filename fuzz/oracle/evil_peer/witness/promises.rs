//! Promises: one vote for each epoch number, never taken back, and nothing said that is not durable
//! (I4, I5, I12).

use std::collections::BTreeMap;

use tetrarch_wire::{
    Batch, ChannelUid, Epoch, Frame, HardState, LogPosition, ReplicaRole, VoterId,
    frame::{ChannelFrame, ChannelMessage, VoteKind},
};

use super::{Led, Witness};
use crate::evil_peer::{disk::Disk, node::Node};

impl Witness {
    pub(super) fn sees_promise(&mut self, promise: HardState, disk: &Disk) {
        let before = self.promise;
        assert!(
            promise.epoch_seen >= before.epoch_seen,
            "I4: {before:?} then {promise:?}"
        );
        if promise.epoch_seen.n == before.epoch_seen.n && before.voted_for.is_some() {
            assert_eq!(promise.voted_for, before.voted_for, "I4: a vote taken back");
        }
        if let Some(candidate) = promise.voted_for {
            let n = promise.epoch_seen.n;
            let voted = *self.votes.entry(n).or_insert(candidate);
            assert_eq!(voted, candidate, "I4: two votes in {n}");
            let is_own = (candidate, self.role) == (self.me, ReplicaRole::Candidate);
            // One that found no room is written once more.
            if !is_own && promise != before {
                self.may_vote_for(candidate, n, disk);
            }
        }
        self.promise = promise;
    }

    /// A vote for another is given to a voter that asked for it just now, with a log that is at least
    /// as good (I7).
    fn may_vote_for(&self, candidate: VoterId, n: u64, disk: &Disk) {
        let asked = self.asked_to_vote.filter(|(epoch, request)| {
            *epoch == Epoch::new(n, candidate)
                && request.candidate == candidate
                && request.kind != VoteKind::Pre
        });
        let (_, request) = asked.expect("I23: a vote that nobody asked for");
        let config = self.config();
        assert!(
            config.contains(candidate) && config.contains(self.me),
            "I23: a vote for {candidate:?}, which does not vote here"
        );
        let own = self.vouched_end(disk);
        assert!(
            request.last.rank() >= own.rank(),
            "I7: a vote for a log that ends at {:?}, the own ends at {own:?}",
            request.last,
        );
    }

    pub(super) fn elected(&self, disk: &Disk) -> Led {
        let epoch = Epoch::new(self.promise.epoch_seen.n, self.me);
        self.holds_own_vote(epoch, disk);
        let tail = disk.log.tail();
        assert_eq!(
            tail,
            self.log.tail(),
            "I8: it leads with a log that is not durable"
        );
        let config = self.config();
        let others = config.voter_ids().iter().copied();
        Led {
            epoch,
            start: tail.seq.next(),
            followers: others.filter(|voter| *voter != self.me).collect(),
            acknowledged: BTreeMap::new(),
            beats: BTreeMap::new(),
        }
    }

    fn holds_own_vote(&self, epoch: Epoch, disk: &Disk) {
        let kept = (disk.hard_state.epoch_seen.n, disk.hard_state.voted_for);
        assert_eq!(
            kept,
            (epoch.n, Some(self.me)),
            "I5: speaks as the candidate or leader of {epoch}"
        );
    }

    pub(super) fn sees_message(
        &mut self,
        to: VoterId,
        epoch: Epoch,
        message: &ChannelMessage,
        node: &Node,
    ) {
        let disk = &node.disk;
        assert_ne!(to, self.me, "it speaks to itself");
        assert!(
            self.speakers.contains(&to) || self.config().contains(to),
            "I23: it speaks to {to:?}, which has nothing to do with the channel"
        );
        let is_free = match message {
            ChannelMessage::VoteRequest(request) => {
                self.is_durable(request.last, disk);
                if request.kind != VoteKind::Pre {
                    self.holds_own_vote(epoch, disk);
                }
                request.kind == VoteKind::Pre
            }
            ChannelMessage::VoteResponse(response) => {
                self.is_durable(response.last, disk);
                let grants = response.refusal.is_none();
                if response.kind != VoteKind::Pre && grants {
                    let kept = (disk.hard_state.epoch_seen.n, disk.hard_state.voted_for);
                    assert_eq!(kept, (epoch.n, Some(epoch.leader)), "I5: a vote");
                    assert_eq!(to, epoch.leader);
                }
                response.kind == VoteKind::Pre || !grants
            }
            ChannelMessage::AppendAck(ack) => {
                self.may_acknowledge(epoch, *ack, disk);
                false
            }
            ChannelMessage::Append(append) => {
                self.speaks_as_leader(epoch, disk);
                self.is_own_log(&append.batches);
                assert!(
                    append.commit <= self.commit,
                    "it tells more than is committed"
                );
                false
            }
            ChannelMessage::SyncChunk(chunk) => {
                self.speaks_as_leader(epoch, disk);
                self.is_own_log(&chunk.batches);
                assert!(
                    chunk.commit <= self.commit,
                    "it tells more than is committed"
                );
                false
            }
            ChannelMessage::TransferNow(order) => {
                self.speaks_as_leader(epoch, disk);
                assert_eq!(order.must_have, self.commit, "handed over too early");
                false
            }
            ChannelMessage::PointResponse(_) | ChannelMessage::SyncNack(_) => {
                self.speaks_as_leader(epoch, disk);
                false
            }
            ChannelMessage::SnapshotChunk(chunk) => {
                self.speaks_as_leader(epoch, disk);
                assert!(
                    chunk.of.seq <= self.commit,
                    "it gives more than is committed"
                );
                false
            }
            ChannelMessage::AppendNack(_)
            | ChannelMessage::SnapshotRequest(_)
            | ChannelMessage::FindPoint(_)
            | ChannelMessage::SyncRequest(_) => false,
            ChannelMessage::RepairRequest(_) => true,
            ChannelMessage::RepairResponse(response) => {
                let durable = response.batches.iter().map(Batch::position);
                durable.for_each(|end| self.is_durable(end, disk));
                true
            }
            other => panic!("nobody has built {other:?}"),
        };
        assert!(
            is_free || epoch.n <= disk.hard_state.epoch_seen.n,
            "I5: it speaks in {epoch} before that is durable: {message:?}"
        );
        fits_a_frame(epoch, message);
    }

    fn is_durable(&self, at: LogPosition, disk: &Disk) {
        assert!(disk.log.holds(at), "I5: {at:?} is not durable");
    }

    fn speaks_as_leader(&self, epoch: Epoch, disk: &Disk) {
        self.holds_own_vote(epoch, disk);
        let led = self.led.as_ref().map(|led| led.epoch);
        assert_eq!(led, Some(epoch), "I12: it speaks as a leader");
    }
}

/// Whatever is said can be read: every list is within the bounds of its frame.
fn fits_a_frame(epoch: Epoch, message: &ChannelMessage) {
    let frame = Frame::Channel(ChannelFrame {
        channel: ChannelUid::from_bytes([0; 32]),
        epoch,
        message: message.clone(),
    });
    if let Err(error) = frame.to_bytes() {
        panic!("{message:?} does not fit a frame: {error}");
    }
}
