//! A replica fetches what the leader does not push any more, chunk by chunk, the next one while
//! the disk still writes the last (protocol §9.1).

use std::time::Duration;

use tetrarch_wire::frame::{
    ChannelMessage, SyncChunk, SyncClass, SyncNack, SyncNackCode, SyncRequest,
};

use super::CatchUp;
use crate::{Context, Replica};

impl Replica {
    /// Asks for the batches after the end of the log.
    pub(crate) fn pull(&mut self, ctx: &mut Context<'_>) {
        let Some(leader) = self.following.leader else {
            return;
        };
        let request = self.next_request();
        self.catch_up = CatchUp::Pulling {
            request,
            sent_at: ctx.now.mono,
        };
        let pull = SyncRequest {
            request,
            previous: self.log.tail(),
            max_bytes: self.settings.sync_bytes,
            class: SyncClass::Foreground,
        };
        self.send(
            leader.leader,
            leader,
            ChannelMessage::SyncRequest(pull),
            ctx,
        );
    }

    /// A chunk arrives.
    pub(crate) fn on_sync_chunk(&mut self, chunk: SyncChunk, ctx: &mut Context<'_>) {
        let CatchUp::Pulling { request, .. } = self.catch_up else {
            return;
        };
        if chunk.request != request {
            return;
        }
        self.following.unanswered = 0;
        if self.durability.is_full() {
            self.wait(self.settings.heartbeat, ctx);
            return;
        }
        let before = self.log.tail();
        self.catch_up = if chunk.at_end {
            CatchUp::None
        } else {
            CatchUp::WaitingForDisk {
                since: ctx.now.mono,
            }
        };
        self.take_batches(before, chunk.batches, chunk.commit, ctx);
        self.continue_pull(ctx);
    }

    /// Asks for the next chunk if the disk keeps up.
    pub(crate) fn continue_pull(&mut self, ctx: &mut Context<'_>) {
        let waiting = matches!(self.catch_up, CatchUp::WaitingForDisk { .. });
        if waiting && self.durability.appends() < self.settings.outstanding_persists {
            self.pull(ctx);
        }
    }

    /// The leader does not serve it.
    pub(crate) fn on_sync_nack(&mut self, nack: SyncNack, ctx: &mut Context<'_>) {
        let (CatchUp::Pulling { request, .. } | CatchUp::Receiving { request, .. }) = self.catch_up
        else {
            return;
        };
        if nack.request != request {
            return;
        }
        self.following.unanswered = 0;
        let is_snapshot = matches!(self.catch_up, CatchUp::Receiving { .. });
        let asked_to_wait = Duration::from_millis(nack.retry_after_ms.into());
        match nack.code {
            SyncNackCode::Trimmed if is_snapshot => self.missing_for_good(nack.log_start, ctx),
            SyncNackCode::Trimmed => self.missing_range(nack.log_start, ctx),
            SyncNackCode::NotLeader
            | SyncNackCode::Diverged
            | SyncNackCode::Busy
            | SyncNackCode::Unreadable => {
                self.wait(asked_to_wait.max(self.settings.heartbeat / 4), ctx);
            }
        }
    }
}
