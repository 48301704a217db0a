//! What goes in: who says what, as far as the rules need it.

use tetrarch_replica::{Input, Moment, PersistFailure};
use tetrarch_wire::{Batch, Epoch, VoterId, frame::ChannelMessage};

use super::{Said, Witness};

impl Witness {
    /// Something is about to happen.
    pub(crate) fn hears(&mut self, input: &Input, now: Moment) {
        self.said = None;
        self.asked_to_vote = None;
        self.disk_failed = is_failure(input);
        match input {
            Input::Message {
                from,
                epoch,
                message,
            } => self.hears_message(*from, *epoch, message),
            Input::LeaderHeard { epoch, commit, .. } => {
                self.said = Some(Said {
                    epoch: *epoch,
                    commit: Some(*commit),
                });
            }
            Input::BeatAcked {
                voter,
                epoch,
                sent_at,
            } => self.hears_beat_acked(*voter, *epoch, (*sent_at).min(now)),
            Input::Produce(_) | Input::ReadIndex { .. } | Input::Transfer { .. } => {
                self.answers.asked(input, now, self.commit);
            }
            Input::Select
            | Input::Deselect
            | Input::Placed(_)
            | Input::Close
            | Input::LeaderWithdrew { .. }
            | Input::PeerLost { .. }
            | Input::PeerFound { .. }
            | Input::Tick
            | Input::Propose(_)
            | Input::Flush
            | Input::Persisted { .. }
            | Input::PersistFailed { .. }
            | Input::LogRead { .. }
            | Input::Trimmed { .. }
            | Input::DiskLevel(_)
            | Input::Damaged { .. }
            | Input::Mended { .. }
            | Input::SnapshotSaved { .. }
            | Input::Sealed { .. }
            | Input::Corrupt => {}
        }
    }

    fn hears_message(&mut self, from: VoterId, epoch: Epoch, message: &ChannelMessage) {
        let mut said = Said {
            epoch,
            commit: None,
        };
        match message {
            ChannelMessage::Append(append) => {
                said.commit = Some(append.commit);
                let ends = append.batches.iter().map(Batch::position);
                self.claims(from, epoch, ends.chain([append.previous]));
            }
            ChannelMessage::SyncChunk(chunk) => {
                said.commit = Some(chunk.commit);
                let ends = chunk.batches.iter().map(Batch::position);
                self.claims(from, epoch, ends);
            }
            ChannelMessage::PointResponse(response) => {
                self.claims(from, epoch, response.point.into_iter());
            }
            ChannelMessage::VoteRequest(request) => self.asked_to_vote = Some((epoch, *request)),
            ChannelMessage::AppendAck(ack) => self.hears_ack(from, epoch, *ack),
            _ => {}
        }
        self.said = Some(said);
    }
}

fn is_failure(input: &Input) -> bool {
    match input {
        // Whoever has nobody to ask is halted by damage.
        Input::Corrupt | Input::Damaged { .. } => true,
        Input::PersistFailed { failure, .. } => *failure != PersistFailure::StorageFull,
        _ => false,
    }
}
