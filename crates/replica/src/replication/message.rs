//! What another replica said: who may say it, and which topic it belongs to.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Epoch, VoterId,
    frame::{ChannelMessage, VoteKind, VoteRequest, VoteResponse},
    limits,
};

use crate::{Context, Replica};

impl Replica {
    /// A message from another voter. One that its sender has no right to send, or that this class
    /// of channel does not know, changes nothing and is counted (I23).
    pub(crate) fn on_message(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
        ctx: &mut Context<'_>,
    ) {
        let counts = self.takes_part() || is_of_repair(&message);
        if !counts || from == self.me {
            return;
        }
        if !self.has_a_say(from) || epoch.n > limits::MAX_EPOCH {
            self.refused += 1;
            return;
        }
        match message {
            ChannelMessage::VoteRequest(request) => self.hear_candidate(from, epoch, request, ctx),
            ChannelMessage::VoteResponse(response) => self.hear_voter(from, epoch, response, ctx),
            ChannelMessage::Append(append) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_append(append, ctx);
                });
            }
            ChannelMessage::PointResponse(response) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_point(response, ctx);
                });
            }
            ChannelMessage::SyncChunk(chunk) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_sync_chunk(chunk, ctx);
                });
            }
            ChannelMessage::SyncNack(nack) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_sync_nack(nack, ctx);
                });
            }
            ChannelMessage::SnapshotChunk(chunk) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_snapshot_chunk(chunk, ctx);
                });
            }
            ChannelMessage::TransferNow(order) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_transfer_now(order.must_have, ctx);
                });
            }
            ChannelMessage::AppendAck(ack) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_append_ack(from, ack, ctx);
                });
            }
            ChannelMessage::AppendNack(nack) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_append_nack(from, &nack, ctx);
                });
            }
            ChannelMessage::FindPoint(request) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_find_point(from, &request, ctx);
                });
            }
            ChannelMessage::SyncRequest(request) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_sync_request(from, request, ctx);
                });
            }
            ChannelMessage::SnapshotRequest(request) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_snapshot_request(from, request, ctx);
                });
            }
            ChannelMessage::RepairRequest(request) => {
                self.hear_voter_of_repair(from, ctx, |replica, ctx| {
                    replica.on_repair_request(from, &request, ctx);
                });
            }
            ChannelMessage::RepairResponse(response) => {
                self.hear_voter_of_repair(from, ctx, |replica, ctx| {
                    replica.on_repair_response(from, response, ctx);
                });
            }
            // What leaders tell the catalog is for the node.
            ChannelMessage::Placed(_)
            | ChannelMessage::TransferPrepare(_)
            | ChannelMessage::SegOffer(_)
            | ChannelMessage::SegRequest(_)
            | ChannelMessage::SegData(_) => self.refused += 1,
            ChannelMessage::ForkReport(_)
            | ChannelMessage::ForkPull(_)
            | ChannelMessage::ForkChunk(_)
                if !self.is_available() =>
            {
                self.refused += 1;
            }
            ChannelMessage::ForkReport(fork) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_fork_report(from, fork);
                    replica.collect_forks(ctx);
                });
            }
            ChannelMessage::ForkChunk(chunk) => {
                self.hear_follower(from, epoch, ctx, |replica, ctx| {
                    replica.on_fork_chunk(from, chunk.request, chunk.batches, ctx);
                });
            }
            ChannelMessage::ForkPull(pull) => {
                self.hear_leader(from, epoch, ctx, |replica, ctx| {
                    replica.on_fork_pull(from, pull, ctx);
                });
            }
        }
    }

    /// Whether anything that a node says counts here: it votes, holds the channel as the catalog says, or
    /// is the leader that is followed, which may have written a configuration without itself. Nobody else can make this replica
    /// adopt an epoch, follow or vote, whatever configuration it claims to know: else any node of
    /// the mesh could take a channel over.
    pub(crate) fn has_a_say(&self, node: VoterId) -> bool {
        let followed = self.following.leader.map(|epoch| epoch.leader);
        self.is_member(node) || followed == Some(node)
    }

    /// A candidate speaks for itself only.
    fn hear_candidate(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        request: VoteRequest,
        ctx: &mut Context<'_>,
    ) {
        if request.candidate == from && epoch.leader == from {
            self.on_vote_request(epoch, request, ctx);
        } else {
            self.refused += 1;
        }
    }

    /// So does a voter. Its answer to a pre-vote deposes nobody (protocol §7.5).
    fn hear_voter(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        response: VoteResponse,
        ctx: &mut Context<'_>,
    ) {
        let is_impossible = response.epoch_seen.n > limits::MAX_EPOCH;
        if response.voter != from || !self.config().contains(from) || is_impossible {
            self.refused += 1;
        } else if response.kind != VoteKind::Pre
            && response.epoch_seen.n > self.hard_state.epoch_seen.n
        {
            self.adopt(response.epoch_seen.n, None, ctx);
        } else {
            self.on_vote_response(epoch, response, ctx);
        }
    }

    /// Only the holder of an epoch speaks as its leader. One of a lower epoch is told that it is
    /// over, one of a higher epoch is followed from now on.
    fn hear_leader(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        then: impl FnOnce(&mut Self, &mut Context<'_>),
    ) {
        if epoch.leader != from {
            self.refused += 1;
        } else if self.is_over(epoch) && !planted(Mutant::FollowLowerEpoch) {
            self.tell_outdated(from, ctx);
        } else if self.follow(epoch, ctx) {
            self.silence.heard(from, ctx.now.mono);
            then(self, ctx);
        }
    }

    /// Voters mend each other's logs whatever their epochs are: nothing that is said changes any.
    fn hear_voter_of_repair(
        &mut self,
        from: VoterId,
        ctx: &mut Context<'_>,
        then: impl FnOnce(&mut Self, &mut Context<'_>),
    ) {
        if self.is_member(from) {
            then(self, ctx);
        } else {
            self.refused += 1;
        }
    }

    /// Only a voter or learner speaks to a leader, and only in this very epoch. A higher one ends it.
    fn hear_follower(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        then: impl FnOnce(&mut Self, &mut Context<'_>),
    ) {
        if !self.is_member(from) {
            self.refused += 1;
        } else if self.is_later(epoch) && self.is_available() {
            self.told_of_later(from, epoch, ctx);
        } else if self.is_later(epoch) {
            self.adopt(epoch.n, None, ctx);
        } else if self.leadership.as_ref().is_some_and(|l| l.epoch == epoch) {
            then(self, ctx);
        }
    }
}

/// Whether a message is about mending a log, which counts in any role.
pub(crate) const fn is_of_repair(message: &ChannelMessage) -> bool {
    matches!(
        message,
        ChannelMessage::RepairRequest(_) | ChannelMessage::RepairResponse(_)
    )
}
