//! Giving another voter what a segment of its lacks.

use tetrarch_wire::{
    Batch, Epoch, Seq, VoterId,
    frame::{ChannelMessage, RepairAnswer, RepairRequest, RepairResponse},
};

use crate::{
    Context, Effect, Lane, LogReadFailure, Replica,
    catchup::{ReadPurpose, cut_to_frame},
};

impl Replica {
    /// Another voter asks. One hole is answered; whoever has more asks again.
    pub(crate) fn on_repair_request(
        &mut self,
        from: VoterId,
        request: &RepairRequest,
        ctx: &mut Context<'_>,
    ) {
        let Some((first, upto, _)) = request.ranges.first().copied() else {
            self.refused += 1;
            return;
        };
        self.reads.retain(|_, purpose| !purpose.is_repair_of(from));
        let purpose = ReadPurpose::Repair {
            to: from,
            request: request.request,
            upto,
        };
        let bytes = u32::try_from(self.settings.frame_bytes).unwrap_or(u32::MAX);
        self.read_log(purpose, first, bytes, ctx);
    }

    /// The log was read for it. What is sent is durable here, and speaks for itself.
    pub(crate) fn on_read_for_repair(
        &mut self,
        to: VoterId,
        (request, upto): (u64, Seq),
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        let (answer, batches) = match result {
            Ok(mut batches) => {
                batches.retain(|batch| batch.last_seq() <= upto);
                cut_to_frame(&mut batches, self.settings.frame_bytes);
                // The segment ends with a batch; where a batch here goes further, it is another one.
                if batches.is_empty() {
                    (self.does_not_hold_it(), batches)
                } else {
                    (RepairAnswer::Have, batches)
                }
            }
            Err(LogReadFailure::BeyondTail) => (self.does_not_hold_it(), Vec::new()),
            Err(
                LogReadFailure::Trimmed
                | LogReadFailure::Corrupt
                | LogReadFailure::Damaged
                | LogReadFailure::Transient,
            ) => (RepairAnswer::Unknown, Vec::new()),
        };
        let response = RepairResponse {
            request,
            answers: vec![answer],
            batches,
        };
        ctx.effects.push(Effect::Send {
            to,
            epoch: Epoch::NONE,
            message: ChannelMessage::RepairResponse(response),
            lane: Lane::Bulk,
        });
    }

    /// What is said of batches that this log does not hold: it may have held them before the node let go
    /// of the channel, until it goes as far again, and who is in limbo may have forgotten them.
    fn does_not_hold_it(&self) -> RepairAnswer {
        if self.has_its_log_back() && self.limbo().is_none() {
            RepairAnswer::Never
        } else {
            RepairAnswer::Unknown
        }
    }
}
