//! The leader serves a replica that pulls: from memory, after which it pushes again, or from the
//! disk (protocol §9.1).

use tetrarch_wire::{
    Batch, LogPosition, VoterId,
    frame::{ChannelMessage, SyncChunk, SyncNack, SyncNackCode, SyncRequest},
    limits,
};

use super::ReadPurpose;
use crate::{Context, LogReadFailure, Replica, replication::Flow};

impl Replica {
    /// A replica asks for what comes after its log.
    pub(crate) fn on_sync_request(
        &mut self,
        from: VoterId,
        pull: SyncRequest,
        ctx: &mut Context<'_>,
    ) {
        let previous = pull.previous;
        let known = self.log.position_at(previous.seq);
        let Some(follower) = self.follower_mut(from) else {
            return;
        };
        follower.connected = true;
        follower.flow = Flow::Search;
        let served = follower.was_served(previous.seq, previous.link);
        if previous.seq < self.log.start().seq {
            self.refuse_pull(from, pull.request, SyncNackCode::Trimmed, ctx);
        } else if known.is_some_and(|mine| mine.link != previous.link)
            || previous.seq > self.log.tail().seq
        {
            self.refuse_pull(from, pull.request, SyncNackCode::Diverged, ctx);
        } else if self.can_push_from(previous) && (served || known.is_some()) {
            self.serve_from_memory(from, pull, ctx);
        } else {
            self.serve_from_disk(from, pull, served || known.is_some(), ctx);
        }
    }

    /// Whether everything after `position` is in memory.
    fn can_push_from(&self, position: LogPosition) -> bool {
        position.seq == self.log.tail().seq || self.log.recent().index_after(position.seq).is_some()
    }

    /// One chunk, and from its end on the leader pushes: the replica need not ask again.
    fn serve_from_memory(&mut self, to: VoterId, pull: SyncRequest, ctx: &mut Context<'_>) {
        let index = self.log.recent().index_after(pull.previous.seq);
        let most = self.settings.window_batches.min(limits::MAX_FRAME_BATCHES);
        let max_bytes = self.chunk_bytes(&pull);
        let batches = index.map_or_else(Vec::new, |index| {
            self.log.recent().take_from(index, max_bytes, most)
        });
        if let Some(follower) = self.follower_mut(to) {
            follower.push_from(pull.previous);
        }
        if let Some(leadership) = &mut self.leadership {
            leadership.note_sent(to, &batches, ctx.now.mono);
        }
        self.send_chunk(to, pull.request, batches, true, ctx);
        self.push_to(to, ctx);
    }

    /// Reads the disk, beginning with the batch that ends where the replica's log ends unless
    /// that was compared already.
    fn serve_from_disk(
        &mut self,
        to: VoterId,
        pull: SyncRequest,
        compared: bool,
        ctx: &mut Context<'_>,
    ) {
        self.forget_reads_for(to);
        let previous = pull.previous;
        let from = if compared {
            previous.seq.next()
        } else {
            previous.seq
        };
        let extra = if compared { 0 } else { limits::MAX_BATCH_BYTES };
        let bytes = u32::try_from(self.chunk_bytes(&pull) + extra).unwrap_or(u32::MAX);
        let purpose = ReadPurpose::Serve { to, pull, compared };
        self.read_log(purpose, from, bytes, ctx);
    }

    /// The disk was read for a pull.
    pub(super) fn on_read_for_pull(
        &mut self,
        to: VoterId,
        pull: SyncRequest,
        compared: bool,
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        match result {
            Ok(batches) => self.serve_read(to, pull, compared, batches, ctx),
            Err(LogReadFailure::Trimmed) => {
                self.refuse_pull(to, pull.request, SyncNackCode::Trimmed, ctx);
            }
            Err(LogReadFailure::Corrupt) => {
                self.refuse_pull(to, pull.request, SyncNackCode::Unreadable, ctx);
            }
            Err(
                LogReadFailure::BeyondTail | LogReadFailure::Damaged | LogReadFailure::Transient,
            ) => {
                self.refuse_pull(to, pull.request, SyncNackCode::Busy, ctx);
            }
        }
    }

    fn serve_read(
        &mut self,
        to: VoterId,
        pull: SyncRequest,
        compared: bool,
        mut batches: Vec<Batch>,
        ctx: &mut Context<'_>,
    ) {
        if !compared {
            let first = batches.first().map(Batch::position);
            let same = first.map(|p| (p.seq, p.link));
            if same != Some((pull.previous.seq, pull.previous.link)) {
                self.refuse_pull(to, pull.request, SyncNackCode::Diverged, ctx);
                return;
            }
            batches.remove(0);
        }
        cut_to_frame(&mut batches, self.chunk_bytes(&pull));
        let end = batches.last().map_or(pull.previous, Batch::position);
        if let Some(follower) = self.follower_mut(to) {
            follower.served = Some(end);
        }
        self.send_chunk(to, pull.request, batches, false, ctx);
    }

    fn send_chunk(
        &mut self,
        to: VoterId,
        request: u64,
        batches: Vec<Batch>,
        at_end: bool,
        ctx: &mut Context<'_>,
    ) {
        let epoch = self.epoch_seen();
        let chunk = SyncChunk {
            request,
            log_start: self.first_held(),
            commit: self.commit,
            at_end,
            batches,
        };
        self.send(to, epoch, ChannelMessage::SyncChunk(chunk), ctx);
    }

    pub(super) fn refuse_pull(
        &mut self,
        to: VoterId,
        request: u64,
        code: SyncNackCode,
        ctx: &mut Context<'_>,
    ) {
        let epoch = self.epoch_seen();
        let nack = SyncNack {
            request,
            code,
            log_start: self.first_held(),
            retry_after_ms: self.heartbeat_ms(),
        };
        self.send(to, epoch, ChannelMessage::SyncNack(nack), ctx);
    }

    fn chunk_bytes(&self, pull: &SyncRequest) -> usize {
        (pull.max_bytes as usize).clamp(1, self.settings.frame_bytes)
    }
}

/// Keeps as many batches as one frame takes; at least one.
pub(crate) fn cut_to_frame(batches: &mut Vec<Batch>, max_bytes: usize) {
    let mut bytes = 0;
    let fitting = batches.iter().take_while(|batch| {
        let first = bytes == 0;
        bytes += batch.size();
        first || bytes <= max_bytes
    });
    let count = fitting.count().min(limits::MAX_FRAME_BATCHES);
    batches.truncate(count);
}
