//! What another replica said: who may say it, and which topic it belongs to.

use tetrarch_wire::{
    Epoch, ReplicaRole, VoterId,
    frame::{ChannelMessage, VoteKind},
};

use crate::{Context, Replica};

/// Whose word a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    /// Somebody who stands for election, or an answer to one.
    Election,
    /// The leader of the epoch that the frame names.
    Leader,
    /// A replica, to the leader of the epoch that the frame names.
    Follower,
    /// Another class of channel, or a version that is not this one.
    Unsupported,
}

fn speaker_of(message: &ChannelMessage) -> Speaker {
    match message {
        ChannelMessage::VoteRequest(_) | ChannelMessage::VoteResponse(_) => Speaker::Election,
        ChannelMessage::TransferNow(_)
        | ChannelMessage::Append(_)
        | ChannelMessage::PointResponse(_)
        | ChannelMessage::SyncChunk(_)
        | ChannelMessage::SyncNack(_) => Speaker::Leader,
        ChannelMessage::AppendAck(_)
        | ChannelMessage::AppendNack(_)
        | ChannelMessage::FindPoint(_)
        | ChannelMessage::SyncRequest(_) => Speaker::Follower,
        ChannelMessage::TransferPrepare(_)
        | ChannelMessage::LeaderConflict(_)
        | ChannelMessage::ConflictResult(_)
        | ChannelMessage::RepairRequest(_)
        | ChannelMessage::RepairResponse(_)
        | ChannelMessage::SegOffer(_)
        | ChannelMessage::SegRequest(_)
        | ChannelMessage::SegData(_)
        | ChannelMessage::ForkReport(_)
        | ChannelMessage::ForkPull(_)
        | ChannelMessage::ForkResolved(_) => Speaker::Unsupported,
    }
}

impl Replica {
    /// A message from another voter. One that its sender has no right to send, or that this class
    /// does not know, changes nothing and is counted (I23).
    pub(crate) fn on_message(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
        ctx: &mut Context<'_>,
    ) {
        if self.role.get() == ReplicaRole::Idle || from == self.me {
            return;
        }
        match speaker_of(&message) {
            Speaker::Election => self.on_election_message(from, epoch, message, ctx),
            Speaker::Leader if epoch.leader == from => {
                self.on_leader_message(epoch, message, ctx);
            }
            Speaker::Follower if self.config().contains(from) => {
                self.on_follower_message(from, epoch, message, ctx);
            }
            Speaker::Leader | Speaker::Follower | Speaker::Unsupported => self.refused += 1,
        }
    }

    fn on_election_message(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
        ctx: &mut Context<'_>,
    ) {
        match message {
            ChannelMessage::VoteRequest(request)
                if request.candidate == from && epoch.leader == from =>
            {
                self.on_vote_request(epoch, request, ctx);
            }
            ChannelMessage::VoteResponse(response)
                if response.voter == from && self.config().contains(from) =>
            {
                if response.kind != VoteKind::Pre
                    && response.epoch_seen.n > self.hard_state.epoch_seen.n
                {
                    self.adopt(response.epoch_seen.n, None, ctx);
                    return;
                }
                self.on_vote_response(epoch, response, ctx);
            }
            _ => self.refused += 1,
        }
    }

    fn on_leader_message(&mut self, epoch: Epoch, message: ChannelMessage, ctx: &mut Context<'_>) {
        if epoch.n < self.hard_state.epoch_seen.n {
            self.refuse_stale(epoch.leader, ctx);
            return;
        }
        if !self.follow(epoch, ctx) {
            return;
        }
        self.silence.heard(epoch.leader, ctx.now.mono);
        match message {
            ChannelMessage::Append(append) => self.on_append(append, ctx),
            ChannelMessage::PointResponse(response) => self.on_point(response, ctx),
            ChannelMessage::SyncChunk(chunk) => self.on_sync_chunk(chunk, ctx),
            ChannelMessage::SyncNack(nack) => self.on_sync_nack(nack, ctx),
            ChannelMessage::TransferNow(order) => self.on_transfer_now(order.must_have, ctx),
            _ => self.refused += 1,
        }
    }

    fn on_follower_message(
        &mut self,
        from: VoterId,
        epoch: Epoch,
        message: ChannelMessage,
        ctx: &mut Context<'_>,
    ) {
        if epoch.n > self.hard_state.epoch_seen.n {
            self.adopt(epoch.n, None, ctx);
            return;
        }
        let leads = self.leadership.as_ref().is_some_and(|l| l.epoch == epoch);
        match message {
            ChannelMessage::AppendAck(ack) if leads => self.on_append_ack(from, ack, ctx),
            ChannelMessage::AppendNack(nack) if leads => self.on_append_nack(from, &nack, ctx),
            ChannelMessage::FindPoint(request) if leads => self.on_find_point(from, &request, ctx),
            ChannelMessage::SyncRequest(request) if leads => {
                self.on_sync_request(from, request, ctx);
            }
            // Meant for an epoch that is over, or that this node does not lead.
            _ => {}
        }
    }
}
