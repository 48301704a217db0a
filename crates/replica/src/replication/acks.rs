//! The leader's hearing side: what a replica says it holds durably, and what it refuses
//! (protocol §8).

use tetrarch_wire::{
    LogPosition, Seq, VoterId,
    frame::{AppendAck, AppendNack, DiskLevel, NackCode},
};

use super::Flow;
use crate::{Context, Replica};

impl Replica {
    /// A replica acknowledges. It counts only with the current generation and with this log's
    /// own link at that seq: equal links mean equal prefixes.
    pub(crate) fn on_append_ack(&mut self, from: VoterId, ack: AppendAck, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        let known = self.log.position_at(ack.durable);
        let Some(follower) = self.follower_mut(from) else {
            return;
        };
        follower.connected = true;
        follower.disk = ack.disk_level;
        if !follower.accepts_generation(ack.ack_generation) {
            return;
        }
        let link = known.map(|mine| mine.link);
        let link = link.or_else(|| follower.sent_link_at(ack.durable));
        follower.answered(ack.durable, now);
        if link == Some(ack.durable_link) {
            self.on_verified_ack(from, ack.durable, known, ctx);
        }
        self.push_to(from, ctx);
        self.check_transfer(ctx);
    }

    /// A replica holds this log durably up to `durable`, at the position `known` if it is in
    /// memory.
    fn on_verified_ack(
        &mut self,
        from: VoterId,
        durable: Seq,
        known: Option<LogPosition>,
        ctx: &mut Context<'_>,
    ) {
        let (tail, now) = (self.log.tail().seq, ctx.now.mono);
        let Some(follower) = self.follower_mut(from) else {
            return;
        };
        let advanced = durable > follower.acked;
        follower.holds(durable, tail, now);
        if follower.flow == Flow::Search
            && let Some(position) = known
        {
            self.resume_push(from, position);
        }
        if advanced {
            self.advance_commit(ctx);
        }
    }

    /// Pushes again to a replica whose log is known, if the next batch is in memory.
    fn resume_push(&mut self, voter: VoterId, from: LogPosition) {
        let at_end = from.seq == self.log.tail().seq;
        if (at_end || self.log.recent().index_after(from.seq).is_some())
            && let Some(follower) = self.follower_mut(voter)
        {
            follower.push_from(from);
        }
    }

    /// A replica refuses. A higher epoch has been dealt with already.
    pub(crate) fn on_append_nack(&mut self, from: VoterId, nack: &AppendNack, ctx: &Context<'_>) {
        let now = ctx.now.mono;
        let Some(follower) = self.follower_mut(from) else {
            return;
        };
        follower.connected = true;
        if nack.code == NackCode::DiskPressure {
            follower.disk = DiskLevel::Critical;
        }
        match nack.code {
            NackCode::Stale => {}
            NackCode::Gap
            | NackCode::Diverged
            | NackCode::DiskPressure
            | NackCode::Limbo
            | NackCode::Busy => {
                // It refuses, but it follows: its answer settles a probe like any other.
                follower.answered(Seq::ZERO, now);
                follower.search(now);
            }
        }
    }
}
