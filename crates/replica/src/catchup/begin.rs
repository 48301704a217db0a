//! A replica without a vote lacks what its leader has dropped: it is given what came of that, and its
//! log begins where the leader's does (protocol §9.4). It may not know yet that it has none any more.
//!
//! The snapshot is kept before the log begins anew. If only that becomes durable it stands ahead of the
//! log, which a start knows how to take. Until the beginning is durable the old log is the log.

use bytes::Bytes;
use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    EpochStart, LogPosition, ReplicaRole,
    checksum::crc32c,
    frame::{ChannelMessage, SnapshotChunk, SnapshotHeader, SnapshotRequest},
};

use super::CatchUp;
use crate::{Context, Effect, Replica, log_state::LogState, snapshot::Snapshot};

/// A snapshot on its way to be what this replica goes on from.
#[derive(Debug)]
pub(crate) struct Beginning {
    of: SnapshotHeader,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The first part of it is here.
    Receiving(Vec<u8>),
    /// It is whole, and is being saved under this number.
    Saving { save: u64, whole: Whole },
    /// It is saved, and the new beginning of the log is being written.
    Writing(Whole),
}

/// All of a snapshot, and what it says.
#[derive(Debug)]
struct Whole {
    bytes: Bytes,
    says: Snapshot,
}

impl Beginning {
    /// The snapshot, if a log may begin with it any moment: nothing older may take its place in the
    /// store.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        match &self.stage {
            Stage::Receiving(_) => None,
            Stage::Saving { whole, .. } | Stage::Writing(whole) => Some(whole.bytes.clone()),
        }
    }

    /// What it is of.
    pub(crate) const fn header(&self) -> SnapshotHeader {
        self.of
    }

    const fn is_being_written(&self) -> bool {
        matches!(self.stage, Stage::Writing(_))
    }
}

impl Replica {
    /// Whether the log is about to begin anew: nothing changes it until then.
    pub(crate) fn is_beginning(&self) -> bool {
        let beginning = self.beginning.as_ref();
        beginning.is_some_and(|beginning| beginning.whole().is_some())
    }

    /// Asks for the first part of a snapshot, or for the next.
    pub(super) fn ask_for_snapshot(&mut self, ctx: &mut Context<'_>) {
        let Some(leader) = self.following.leader else {
            return;
        };
        let (of, offset) = match &self.beginning {
            Some(Beginning {
                of,
                stage: Stage::Receiving(bytes),
            }) => (Some(*of), bytes.len() as u64),
            Some(_) | None => (None, 0),
        };
        let request = self.next_request();
        self.catch_up = CatchUp::Receiving {
            request,
            sent_at: ctx.now.mono,
        };
        let ask = SnapshotRequest {
            request,
            of,
            offset,
        };
        let ask = ChannelMessage::SnapshotRequest(ask);
        self.send(leader.leader, leader, ask, ctx);
    }

    /// A part of a snapshot arrives.
    pub(crate) fn on_snapshot_chunk(&mut self, chunk: SnapshotChunk, ctx: &mut Context<'_>) {
        let CatchUp::Receiving { request, .. } = self.catch_up else {
            return;
        };
        if chunk.request != request {
            return;
        }
        self.following.unanswered = 0;
        match self.add_chunk(chunk) {
            Some((of, bytes)) if bytes.len() as u64 == of.len => self.take_snapshot(of, bytes, ctx),
            Some((of, bytes)) => {
                let stage = Stage::Receiving(bytes);
                self.beginning = Some(Beginning { of, stage });
                self.ask_for_snapshot(ctx);
            }
            None => {
                self.refused += 1;
                self.wait(self.settings.heartbeat, ctx);
            }
        }
    }

    /// What is received of a snapshot with this part of it; `None` if it cannot be gone on with.
    fn add_chunk(&mut self, chunk: SnapshotChunk) -> Option<(SnapshotHeader, Vec<u8>)> {
        let before = match self.beginning.take() {
            Some(Beginning {
                of,
                stage: Stage::Receiving(bytes),
            }) if of == chunk.of => bytes,
            Some(_) | None => Vec::new(),
        };
        let is_next = chunk.offset == before.len() as u64;
        let fits = chunk.bytes.len() as u64 <= chunk.of.len.saturating_sub(chunk.offset);
        if !is_next || !fits || chunk.bytes.is_empty() || !self.is_of_use(&chunk.of) {
            return None;
        }
        let mut bytes = before;
        bytes.extend_from_slice(&chunk.bytes);
        Some((chunk.of, bytes))
    }

    /// Whether a log may begin with this: further on than the own one, and without taking back anything
    /// that is known to be committed, or a configuration that may yet make this node a voter: an election
    /// may depend on what it holds.
    fn is_of_use(&self, of: &SnapshotHeader) -> bool {
        let epoch = self.following.leader.map(|leader| leader.n);
        !self.controls.name_after(self.me, of.seq)
            && of.start.seq > self.log.start().seq
            && of.start.seq >= self.commit
            && of.seq >= self.commit_floor().max(of.start.seq)
            && epoch.is_some_and(|n| of.start.epoch.n <= n)
    }

    /// A snapshot is whole. It is kept first. Of one that names this node as a voter no use is made.
    fn take_snapshot(&mut self, of: SnapshotHeader, bytes: Vec<u8>, ctx: &mut Context<'_>) {
        self.wait(self.settings.heartbeat, ctx);
        let is_intact = crc32c(&bytes) == of.checksum;
        let read = Snapshot::decode(&bytes, self.settings.producer_window).ok();
        let fits = |says: &Snapshot| {
            let config = &says.config;
            config.class == self.config().class && !config.contains(self.me)
        };
        let Some(says) = read.filter(fits).filter(|_| is_intact) else {
            self.refused += 1;
            return;
        };
        let bytes = Bytes::from(bytes);
        let whole = Whole {
            bytes: bytes.clone(),
            says,
        };
        if planted(Mutant::BeginWithoutSnapshot) {
            self.write_beginning(of, whole, ctx);
            return;
        }
        let save = self.next_request();
        let stage = Stage::Saving { save, whole };
        self.beginning = Some(Beginning { of, stage });
        let seq = of.seq;
        ctx.effects.push(Effect::SaveSnapshot { save, seq, bytes });
    }

    /// The store has kept a snapshot, or could not.
    pub(crate) fn on_snapshot_saved(&mut self, saved: u64, worked: bool, ctx: &mut Context<'_>) {
        let is_this = |beginning: &mut Beginning| match &beginning.stage {
            Stage::Saving { save, .. } => *save == saved,
            Stage::Receiving(_) | Stage::Writing(_) => false,
        };
        let Some(Beginning { of, stage }) = self.beginning.take_if(is_this) else {
            return;
        };
        if let Stage::Saving { whole, .. } = stage
            && worked
            && self.is_of_use(&of)
        {
            self.write_beginning(of, whole, ctx);
        }
    }

    fn write_beginning(&mut self, of: SnapshotHeader, whole: Whole, ctx: &mut Context<'_>) {
        let stage = Stage::Writing(whole);
        self.beginning = Some(Beginning { of, stage });
        self.persist_beginning(of.start, of.seq, ctx);
    }

    /// The log begins anew, durably, and everything that is known of it is what the snapshot says.
    pub(crate) fn on_begun(&mut self, start: LogPosition, ctx: &mut Context<'_>) {
        let Some(Beginning {
            of,
            stage: Stage::Writing(Whole { says, .. }),
        }) = self.beginning.take_if(|one| one.is_being_written())
        else {
            return;
        };
        self.log = LogState::begun(start, self.log.generation() + 1);
        self.commit_hint = self.commit_hint.max(of.seq);
        self.covered = of.seq;
        self.producers = says.producers;
        self.controls.begin(says.config, says.trim_point);
        self.following.unverify(ctx.now.mono);
        self.durability.note_cut(start.seq);
        self.committed(start.seq, ctx);
        if self.role.get() == ReplicaRole::Replica {
            self.search_anew(ctx);
        }
    }

    /// The new beginning was not written: the log is what it was.
    pub(crate) fn on_beginning_failed(&mut self, ctx: &Context<'_>) {
        self.beginning = None;
        self.wait(self.settings.heartbeat, ctx);
    }

    /// Another leader may have another beginning. What is being written already stays true.
    pub(super) fn forget_snapshot(&mut self) {
        self.beginning.take_if(|one| !one.is_being_written());
    }
}

impl LogState {
    /// A log of which nothing is held, that begins and ends at `start`.
    fn begun(start: LogPosition, generation: u64) -> Self {
        let epochs = vec![EpochStart::of_beginning(start)];
        Self::recovered(start, start, epochs).of_generation(generation)
    }
}
