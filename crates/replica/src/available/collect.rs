//! The leader takes forks into its log, one after the other: it looks through its own log for what of the
//! fork it holds already, fetches the fork chunk by chunk, appends what is missing with the place where it
//! was written first, and writes down that the fork is settled (protocol §10).
//!
//! Nothing of this is kept: a leader that takes over begins anew, and what its predecessor appended is in
//! its log.

use std::{collections::VecDeque, ops::Range};

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{
    Batch, DecodeError, ForkId, LogPosition, Seq, VoterId,
    batch::{BatchDraft, Control, Origin},
    frame::{ChannelMessage, ForkPull, ForkReport},
};

use super::settled::{Settled, origin_of};
use crate::{Context, Effect, LogReadFailure, Moment, Replica, catchup::ReadPurpose};

/// Bytes that are read of the log or of a fork at once. No more of a fork is on its way into the log at a
/// time, so that live events never wait for it for long.
const CHUNK_BYTES: u32 = 1024 * 1024;
/// So many heartbeats an answer is waited for, and nothing is tried again after something went wrong.
const PATIENCE: u32 = 10;
/// So many forks that were settled are remembered, so that a report that was on its way is ignored.
const REMEMBERED: usize = 16;

/// A fork on its way into the log.
#[derive(Debug)]
pub(crate) struct Collection {
    fork: ForkReport,
    holder: VoterId,
    /// What the log holds after the fork's base, once it was looked through.
    settled: Settled,
    /// This log parts from the fork's before its base, anywhere: all of it is looked through.
    parts_before: bool,
    /// The end of what was taken over from the fork.
    after: LogPosition,
    stage: Stage,
    /// How many events were appended, and how many were there already.
    pub(super) republished: u64,
    pub(super) known: u64,
}

#[derive(Debug)]
enum Stage {
    /// It looks through the own log from here on.
    Surveying {
        next: Seq,
        reading_since: Option<Moment>,
    },
    /// It has asked for a chunk.
    Asking { request: u64, since: Moment },
    /// A chunk, or the rest of it, waits until nothing else does: what waits may be the same events.
    Waiting(VecDeque<Batch>),
    /// What was appended is to be committed before more is fetched.
    Committing { upto: Seq },
    /// All of it is in the log; that it is settled is to be committed as well.
    Settling,
    /// Something went wrong. Whoever keeps the fork tells of it again.
    GivenUp { since: Option<Moment> },
}

impl Collection {
    const fn is_surveyed(&self) -> bool {
        !matches!(self.stage, Stage::Surveying { .. })
    }
}

impl Replica {
    /// A replica, or this leader itself, keeps a fork.
    pub(crate) fn on_fork_report(&mut self, holder: VoterId, fork: ForkReport) {
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        let is_known = leadership.settled_forks.contains(&fork.fork);
        if leadership.collection.is_some() || is_known || leadership.transfer.is_some() {
            return;
        }
        leadership.last_collected = Some(fork.fork);
        let first_held = self.log.start().seq.next();
        let parts_before = !(first_held..=self.log.tail().seq).contains(&fork.base.seq);
        let next = if parts_before {
            first_held
        } else {
            fork.base.seq
        };
        leadership.collection = Some(Box::new(Collection {
            after: fork.base,
            fork,
            holder,
            settled: Settled::default(),
            parts_before,
            stage: Stage::Surveying {
                next,
                reading_since: None,
            },
            republished: 0,
            known: 0,
        }));
    }

    /// Part of a leader's tick: goes on with the fork under way, or begins with one of its own.
    pub(crate) fn collect_forks(&mut self, ctx: &mut Context<'_>) {
        if !self.may_collect() {
            return;
        }
        if self.collection().is_none()
            && let Some(own) = self.next_own_fork()
        {
            self.on_fork_report(self.me, own);
        }
        let (patience, commit) = (self.settings.heartbeat * PATIENCE, self.commit);
        let Some(collection) = self.collection_mut() else {
            return;
        };
        match &mut collection.stage {
            Stage::Surveying {
                next,
                reading_since: None,
            } => {
                let next = *next;
                self.survey(next, ctx);
            }
            Stage::Surveying {
                reading_since: Some(since),
                ..
            }
            | Stage::Asking { since, .. } => {
                if ctx.now.mono.since(*since) >= patience {
                    self.give_up_collecting();
                }
            }
            Stage::Committing { upto } if *upto <= commit => self.fetch_more(ctx),
            Stage::Waiting(_) | Stage::Committing { .. } | Stage::Settling => {}
            Stage::GivenUp { since } => {
                let since = *since.get_or_insert(ctx.now.mono);
                if ctx.now.mono.since(since) >= patience
                    && let Some(leadership) = &mut self.leadership
                {
                    leadership.collection = None;
                }
            }
        }
    }

    /// Whether there is room for a fork, and nobody is about to take over.
    fn may_collect(&self) -> bool {
        let leadership = self.leadership.as_deref();
        let leads_on = leadership.is_some_and(|leadership| leadership.transfer.is_none());
        leads_on && !self.is_frozen() && !self.durability.is_full()
    }

    /// The next after the one that was tried last, so that one that cannot be read holds no other up.
    fn next_own_fork(&self) -> Option<ForkReport> {
        let leadership = self.leadership.as_deref()?;
        let unsettled = |fork: &&ForkReport| !leadership.settled_forks.contains(&fork.fork);
        let mut later = self.kept.forks().filter(unsettled);
        let later = later.find(|fork| Some(fork.fork) > leadership.last_collected);
        later.or_else(|| self.kept.forks().find(unsettled)).copied()
    }

    /// When a leader has something to do about forks.
    pub(crate) fn collection_deadline(&self) -> Option<Moment> {
        if !self.may_collect() {
            return None; // That this is over is an event of its own.
        }
        let at_once = Moment::default();
        let Some(collection) = self.collection() else {
            return self.next_own_fork().map(|_| at_once);
        };
        let patience = self.settings.heartbeat * PATIENCE;
        match &collection.stage {
            Stage::Surveying {
                reading_since: Some(since),
                ..
            }
            | Stage::Asking { since, .. }
            | Stage::GivenUp { since: Some(since) } => Some(since.plus(patience)),
            Stage::Surveying { .. } | Stage::GivenUp { since: None } => Some(at_once),
            Stage::Committing { upto } if *upto <= self.commit => Some(at_once),
            // Batches are formed, or committed, for other reasons.
            Stage::Waiting(_) | Stage::Committing { .. } | Stage::Settling => None,
        }
    }

    /// Whether a chunk waits to be appended.
    pub(crate) fn has_chunk(&self) -> bool {
        let stage = self.collection().map(|collection| &collection.stage);
        matches!(stage, Some(Stage::Waiting(_)))
    }

    /// Looks through the log from `next` on: on disk first, and then what is in memory.
    fn survey(&mut self, next: Seq, ctx: &mut Context<'_>) {
        if next > self.log.tail().seq {
            self.fetch_more(ctx);
        } else if let Some(index) = self.log.recent().index_of(next) {
            let rest: Vec<Batch> = self.log.recent().from(index).cloned().collect();
            self.on_surveyed(next, &rest, ctx);
        } else {
            if let Some(collection) = self.collection_mut() {
                collection.stage = Stage::Surveying {
                    next,
                    reading_since: Some(ctx.now.mono),
                };
            }
            self.read_log(ReadPurpose::Survey { from: next }, next, CHUNK_BYTES, ctx);
        }
    }

    /// The log was read for it.
    pub(crate) fn on_read_for_survey(
        &mut self,
        from: Seq,
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        let is_awaited = self.collection().is_some_and(|collection| {
            matches!(collection.stage, Stage::Surveying { next, reading_since: Some(_) } if next == from)
        });
        if is_awaited && let Ok(batches) = result {
            self.on_surveyed(from, &batches, ctx);
        }
    }

    fn on_surveyed(&mut self, from: Seq, batches: &[Batch], ctx: &mut Context<'_>) {
        let first_held = self.log.start().seq.next();
        let Some(collection) = self.collection_mut() else {
            return;
        };
        let base = collection.fork.base;
        let holds_base = batches
            .first()
            .is_some_and(|first| first.position() == base);
        if !collection.parts_before && from == base.seq && !holds_base {
            collection.parts_before = true;
            collection.stage = Stage::Surveying {
                next: first_held,
                reading_since: None,
            };
            self.survey(first_held, ctx);
            return;
        }
        let noted = batches
            .iter()
            .try_for_each(|batch| collection.settled.note(batch));
        let Some(last) = batches.last().filter(|_| noted.is_ok()) else {
            self.give_up_collecting();
            return;
        };
        let next = last.last_seq().next();
        collection.stage = Stage::Surveying {
            next,
            reading_since: None,
        };
        self.survey(next, ctx);
    }

    /// A batch was appended while a fork is on its way.
    pub(crate) fn note_for_collection(&mut self, batch: &Batch) {
        let noted = match self.collection_mut() {
            Some(collection) if collection.is_surveyed() => collection.settled.note(batch),
            Some(_) | None => Ok(()),
        };
        if noted.is_err() {
            self.give_up_collecting();
        }
    }

    /// Asks for the next chunk, or writes down that there is none.
    fn fetch_more(&mut self, ctx: &mut Context<'_>) {
        let (request, me) = (self.next_request(), self.me);
        let now = ctx.now.mono;
        let Some(collection) = self.collection_mut() else {
            return;
        };
        let (fork, holder) = (collection.fork, collection.holder);
        if collection.after == fork.end {
            self.write_settlement(fork, ctx);
            return;
        }
        let from = collection.after.seq.next();
        collection.stage = Stage::Asking {
            request,
            since: now,
        };
        if holder == me {
            let purpose = ReadPurpose::OwnFork { request };
            self.read_fork(purpose, fork.fork, from, CHUNK_BYTES, ctx);
            return;
        }
        let pull = ForkPull {
            request,
            fork: fork.fork,
            from,
            max_bytes: CHUNK_BYTES,
        };
        let epoch = self.epoch_seen();
        self.send(holder, epoch, ChannelMessage::ForkPull(pull), ctx);
    }

    fn write_settlement(&mut self, fork: ForkReport, ctx: &mut Context<'_>) {
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        if let Some(collection) = &mut leadership.collection {
            collection.stage = Stage::Settling;
        }
        let settled = Control::ForkResolved { fork: fork.fork };
        leadership.staging.push_control(settled);
        self.form_batches(ctx);
    }

    /// The log says, up to `seq` and committed, that all of a fork is in it.
    pub(crate) fn on_settled(&mut self, seq: Seq, fork: ForkId, ctx: &mut Context<'_>) {
        self.kept.settle(seq, fork);
        let Some(leadership) = &mut self.leadership else {
            return;
        };
        if leadership.settled_forks.len() >= REMEMBERED {
            leadership.settled_forks.pop_front();
        }
        leadership.settled_forks.push_back(fork);
        let done = leadership.collection.take_if(|one| one.fork.fork == fork);
        if let Some(collection) = done {
            ctx.effects.push(Effect::ForkCollected {
                fork,
                republished: collection.republished,
                known: collection.known,
            });
        }
    }

    /// A chunk arrives: it must continue what came before, link by link.
    pub(crate) fn on_fork_chunk(
        &mut self,
        from: VoterId,
        request: u64,
        batches: Vec<Batch>,
        ctx: &mut Context<'_>,
    ) {
        let Some(collection) = self.collection_mut() else {
            return;
        };
        let is_awaited =
            matches!(collection.stage, Stage::Asking { request: asked, .. } if asked == request);
        if !is_awaited || collection.holder != from {
            return;
        }
        let mut end = collection.after;
        let is_the_fork = batches.iter().all(|batch| {
            let follows = batch.follows(&end);
            end = batch.position();
            follows
        });
        if batches.is_empty() || !is_the_fork || end.seq > collection.fork.end.seq {
            self.give_up_collecting();
            return;
        }
        collection.after = end;
        collection.stage = Stage::Waiting(batches.into());
        self.form_batches(ctx);
    }

    /// Appends what of the chunk is missing, as long as a write has room: it takes no batch more that
    /// begins beyond `room` bytes. Nothing else waits to be appended at this moment.
    pub(crate) fn seal_chunk(&mut self, room: usize) -> Vec<Batch> {
        let (mut sealed, mut bytes) = (Vec::new(), 0);
        while bytes < room
            && let Some(batch) = self.next_of_chunk()
        {
            let before = sealed.len();
            if self.republish(&batch, &mut sealed).is_err() {
                self.give_up_collecting();
                return sealed;
            }
            bytes += sealed.iter().skip(before).map(Batch::size).sum::<usize>();
        }
        let upto = self.log.tail().seq;
        if let Some(collection) = self.collection_mut()
            && let Stage::Waiting(rest) = &collection.stage
            && rest.is_empty()
        {
            collection.stage = Stage::Committing { upto };
        }
        sealed
    }

    fn next_of_chunk(&mut self) -> Option<Batch> {
        match &mut self.collection_mut()?.stage {
            Stage::Waiting(chunk) => chunk.pop_front(),
            Stage::Surveying { .. }
            | Stage::Asking { .. }
            | Stage::Committing { .. }
            | Stage::Settling
            | Stage::GivenUp { .. } => None,
        }
    }

    fn republish(&mut self, batch: &Batch, sealed: &mut Vec<Batch>) -> Result<(), DecodeError> {
        let Some(collection) = self.collection_mut() else {
            return Ok(());
        };
        let mut missing = collection.settled.missing(batch)?;
        if planted(Mutant::RepublishesAll) {
            missing = std::iter::once(0..batch.events()?.count()).collect();
        }
        let new: u64 = missing
            .iter()
            .map(|range| u64::from(range.end - range.start))
            .sum();
        let events = batch.events()?.count();
        collection.republished += new;
        collection.known += u64::from(events) - new;
        for range in missing {
            self.republish_part(batch, range, sealed)?;
        }
        Ok(())
    }

    /// One batch, or two halves of it if its origin does not fit into it as well.
    fn republish_part(
        &mut self,
        batch: &Batch,
        part: Range<u32>,
        sealed: &mut Vec<Batch>,
    ) -> Result<(), DecodeError> {
        let (header, origin) = (batch.header(), origin_of(batch)?);
        let events = batch.events()?.split_at(part.start).1;
        let events = events.split_at(part.end - part.start).0;
        let number = header.base_producer_seq.plus(part.start.into());
        let draft = BatchDraft::data(header.producer, header.producer_epoch, number, events);
        let origin = Origin {
            base_seq: origin.base_seq.plus(part.start.into()),
            ..origin
        };
        match draft.with_origin(origin) {
            Ok(draft) => {
                let Some(epoch) = self.leadership.as_ref().map(|leadership| leadership.epoch)
                else {
                    return Ok(());
                };
                let batch = self.seal(draft, epoch);
                sealed.push(batch);
                Ok(())
            }
            Err(error) if part.end - part.start < 2 => Err(error),
            Err(_) => {
                let middle = part.start + (part.end - part.start) / 2;
                self.republish_part(batch, part.start..middle, sealed)?;
                self.republish_part(batch, middle..part.end, sealed)
            }
        }
    }

    fn give_up_collecting(&mut self) {
        if let Some(collection) = self.collection_mut() {
            collection.stage = Stage::GivenUp { since: None };
        }
    }

    fn collection(&self) -> Option<&Collection> {
        self.leadership.as_ref()?.collection.as_deref()
    }

    fn collection_mut(&mut self) -> Option<&mut Collection> {
        self.leadership.as_mut()?.collection.as_deref_mut()
    }
}
