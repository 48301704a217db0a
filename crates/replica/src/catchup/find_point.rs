//! The leader tells a replica where their logs part (protocol §9.3).

use tetrarch_wire::{
    LogPosition, Seq, VoterId,
    frame::{ChannelMessage, FindPoint, PointResponse},
};

use super::ReadPurpose;
use crate::{Context, Replica};

impl Replica {
    /// A replica asks.
    pub(crate) fn on_find_point(&mut self, from: VoterId, find: &FindPoint, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        if let Some(follower) = self.follower_mut(from) {
            follower.connected = true;
            follower.search(now);
        }
        let tail = self.log.tail().seq;
        let epochs = self.log.epochs();
        let start = self.log.start();
        let end = epochs.common_end(start, tail, find.tail.seq, &find.history);
        let Some(end) = end.filter(|end| *end >= start.seq) else {
            self.answer_point(from, find.request, None, ctx);
            return;
        };
        if let Some(position) = self.log.position_at(end) {
            self.answer_point(from, find.request, Some(position), ctx);
            return;
        }
        let request = find.request;
        self.forget_reads_for(from);
        let purpose = ReadPurpose::AnswerPoint { to: from, request };
        self.read_log(purpose, end, 1, ctx);
    }

    pub(super) fn answer_point(
        &mut self,
        to: VoterId,
        request: u64,
        point: Option<LogPosition>,
        ctx: &mut Context<'_>,
    ) {
        let epoch = self.epoch_seen();
        let response = PointResponse {
            request,
            point,
            log_start: self.first_held(),
        };
        self.send(to, epoch, ChannelMessage::PointResponse(response), ctx);
    }

    /// The first seq that is held here.
    pub(super) fn first_held(&self) -> Seq {
        self.log.start().seq.next()
    }
}
