//! What a group would change, before it is durable. Requests are checked here, one after the
//! other, each against what those before it leave behind; if the group is not written, the plan
//! is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use tetrarch_wire::{Batch, ChannelConfig, ChannelUid, HardState, LogPosition, Seq};

use crate::channel::{Channel, View};
use crate::disk::{Disk, DiskError};
use crate::flusher::ChannelFiles;
use crate::lsn::Lsn;
use crate::reader;
use crate::shared::Shared;
use crate::{ReadError, Refusal, WriteOp, WriteRequest};

/// What the writer must know about a channel to check a request.
#[derive(Clone, Copy, Debug)]
struct Known {
    tail: LogPosition,
    hard_state: HardState,
    deleted: bool,
    is_released: bool,
    /// The group that is being planned lets go of what is durable, so that nothing can be read of it.
    begins_anew: bool,
    /// The lowest truncation of the group that is being planned.
    truncated: Option<Seq>,
    /// Where the log begins after the group that is being planned, if it begins anew in it.
    begun: Option<Seq>,
}

#[derive(Debug)]
struct Entry {
    channel: Arc<Channel>,
    /// As the last durable group left it; `None` if this very group opens it.
    durable: Option<Known>,
    planned: Known,
}

/// Why a request is not planned.
#[derive(Debug)]
pub(super) enum Fault {
    /// It must not be written; the others of its group can be.
    Refused(Refusal),
    /// The disk does not let it be checked now.
    Disk(DiskError),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A request that will be written.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) index: usize,
    pub(super) first: Lsn,
    pub(super) channel: Arc<Channel>,
}

/// The group that is being planned, on top of what is durable.
#[derive(Debug, Default)]
pub(super) struct Plan {
    channels: HashMap<ChannelUid, Entry>,
    accepted: Vec<Accepted>,
    touched: Vec<ChannelUid>,
}

impl Plan {
    pub(super) fn begin(&mut self) {
        self.accepted.clear();
        self.touched.clear();
    }

    /// Makes a recovered channel known.
    pub(super) fn adopt(&mut self, channel: &Arc<Channel>) {
        let known = Known::of(&channel.view());
        let entry = Entry {
            channel: Arc::clone(channel),
            durable: Some(known),
            planned: known,
        };
        self.channels.insert(channel.uid, entry);
    }

    pub(super) fn knows(&self, channel: ChannelUid) -> bool {
        self.channels.contains_key(&channel)
    }

    /// Checks one request of the group and plans it. A refused one leaves no trace.
    pub(super) fn accept<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        group: &[WriteRequest],
        index: usize,
        first: Lsn,
    ) -> Result<(), Fault> {
        let request = &group[index];
        let uid = request.channel;
        let before = self.channels.get(&uid).map(|entry| entry.planned);
        let planned = self.plan_ops(shared, group, index);
        match (&planned, before) {
            (Ok(()), _) if !request.ops.is_empty() => {
                let channel = Arc::clone(&self.channels[&uid].channel);
                self.touched.push(uid);
                self.accepted.push(Accepted {
                    index,
                    first,
                    channel,
                });
            }
            (Err(_), Some(before)) => {
                if let Some(entry) = self.channels.get_mut(&uid) {
                    entry.planned = before;
                }
            }
            (Err(_), None) => {
                self.channels.remove(&uid);
            }
            (Ok(()), _) => {}
        }
        planned
    }

    /// The accepted requests, in order.
    pub(super) fn take_accepted(&mut self) -> Vec<Accepted> {
        std::mem::take(&mut self.accepted)
    }

    /// The group is durable.
    pub(super) fn keep(&mut self) {
        for uid in self.touched.drain(..) {
            if let Some(entry) = self.channels.get_mut(&uid) {
                entry.planned.truncated = None;
                entry.planned.begins_anew = false;
                entry.planned.begun = None;
                entry.durable = Some(entry.planned);
            }
        }
    }

    /// The group is not durable.
    pub(super) fn roll_back(&mut self) {
        self.accepted.clear();
        for uid in self.touched.drain(..) {
            match self.channels.get_mut(&uid) {
                Some(entry) if entry.durable.is_some() => {
                    if let Some(durable) = entry.durable {
                        entry.planned = durable;
                    }
                }
                _ => {
                    self.channels.remove(&uid);
                }
            }
        }
    }

    fn plan_ops<D: Disk>(
        &mut self,
        shared: &Shared<D>,
        group: &[WriteRequest],
        index: usize,
    ) -> Result<(), Fault> {
        let uid = group[index].channel;
        for (place, op) in group[index].ops.iter().enumerate() {
            if let WriteOp::Open { name, genesis } = op {
                self.open(uid, name, genesis)?;
                continue;
            }
            let entry = self.channels.get_mut(&uid).ok_or(Refusal::UnknownChannel)?;
            if entry.planned.deleted {
                return Err(Refusal::Deleted.into());
            }
            if entry.planned.is_released && !is_of_released(op) {
                return Err(Refusal::Released.into());
            }
            if let WriteOp::Truncate(at) = op {
                let before = self
                    .accepted
                    .iter()
                    .map(|accepted| &group[accepted.index])
                    .filter(|request| request.channel == uid)
                    .flat_map(|request| &request.ops)
                    .chain(&group[index].ops[..place]);
                check_position(shared, entry, before, *at)?;
            }
            let channel = Arc::clone(&entry.channel);
            entry.planned.plan(&channel, op)?;
        }
        Ok(())
    }

    fn open(
        &mut self,
        uid: ChannelUid,
        name: &str,
        genesis: &ChannelConfig,
    ) -> Result<(), Refusal> {
        if let Some(entry) = self.channels.get(&uid) {
            return Err(match entry.planned {
                Known { deleted: true, .. } => Refusal::Deleted,
                Known {
                    is_released: true, ..
                } => Refusal::Released,
                Known { .. } => Refusal::AlreadyOpen,
            });
        }
        let view = View::new(LogPosition::origin(genesis.genesis_link()));
        let known = Known::of(&view);
        let files = ChannelFiles::new(view.tail);
        let channel = Channel::new(uid, name.to_owned(), genesis.clone(), view, files);
        let entry = Entry {
            channel: Arc::new(channel),
            durable: None,
            planned: known,
        };
        self.channels.insert(uid, entry);
        Ok(())
    }
}

impl Known {
    fn of(view: &View) -> Self {
        Self {
            tail: view.tail,
            hard_state: view.hard_state,
            deleted: view.deleted,
            is_released: view.is_released,
            begins_anew: false,
            truncated: None,
            begun: None,
        }
    }

    fn plan(&mut self, channel: &Channel, op: &WriteOp) -> Result<(), Refusal> {
        match op {
            WriteOp::Append(batches) => {
                refuse_halted(channel)?;
                self.append(batches)
            }
            WriteOp::Truncate(at) => {
                refuse_halted(channel)?;
                self.truncated = Some(self.truncated.map_or(at.seq, |low| low.min(at.seq)));
                self.tail = *at;
                Ok(())
            }
            WriteOp::Begin(at) => {
                refuse_halted(channel)?;
                self.begin(channel, *at)
            }
            WriteOp::HardState(next) => {
                if regresses(&self.hard_state, next) {
                    return Err(Refusal::HardStateRegressed);
                }
                self.hard_state = *next;
                Ok(())
            }
            WriteOp::Trim { upto } => {
                if channel.is_protected() {
                    return Err(Refusal::Protected);
                }
                if *upto > self.tail.seq {
                    return Err(Refusal::TrimBeyondTail {
                        upto: *upto,
                        tail: self.tail.seq,
                    });
                }
                Ok(())
            }
            WriteOp::Release => {
                if channel.is_protected() {
                    return Err(Refusal::Protected);
                }
                self.tail = channel.origin();
                self.is_released = true;
                self.begins_anew = true;
                self.begun = None;
                Ok(())
            }
            WriteOp::TakeUp if self.is_released => {
                self.is_released = false;
                Ok(())
            }
            WriteOp::TakeUp => Err(Refusal::AlreadyOpen),
            WriteOp::Delete => {
                self.deleted = true;
                Ok(())
            }
            WriteOp::CommitHint(_) | WriteOp::Open { .. } => Ok(()),
        }
    }

    fn begin(&mut self, channel: &Channel, at: LogPosition) -> Result<(), Refusal> {
        if channel.is_protected() {
            return Err(Refusal::Protected);
        }
        let log_start = if self.begins_anew {
            channel.origin().seq
        } else {
            channel.view().log_start.seq
        };
        let log_start = self.begun.map_or(log_start, |begun| begun.max(log_start));
        if at.seq <= log_start {
            return Err(Refusal::BeginsBackwards {
                at: at.seq,
                log_start,
            });
        }
        self.begun = Some(at.seq);
        self.tail = at;
        Ok(())
    }

    fn append(&mut self, batches: &[Batch]) -> Result<(), Refusal> {
        for batch in batches {
            if !batch.follows(&self.tail) {
                return Err(Refusal::Discontinuous {
                    batch: batch.base_seq(),
                    tail: self.tail,
                });
            }
            self.tail = batch.position();
        }
        Ok(())
    }
}

/// Whether this can be done to a channel that the store has let go of. What it promised may have to be
/// doubted then, too.
const fn is_of_released(op: &WriteOp) -> bool {
    match op {
        WriteOp::TakeUp | WriteOp::Delete => true,
        WriteOp::HardState(promise) => promise.limbo.is_some(),
        WriteOp::Open { .. }
        | WriteOp::Append(_)
        | WriteOp::Truncate(_)
        | WriteOp::Begin(_)
        | WriteOp::CommitHint(_)
        | WriteOp::Trim { .. }
        | WriteOp::Release => false,
    }
}

fn refuse_halted(channel: &Channel) -> Result<(), Refusal> {
    match &channel.view().halted {
        Some(damage) => Err(Refusal::Halted(damage.clone())),
        None => Ok(()),
    }
}

/// An epoch never goes back, and a vote is given once in a term (protocol §3.3).
fn regresses(before: &HardState, next: &HardState) -> bool {
    next.epoch_seen < before.epoch_seen
        || (next.epoch_seen.n == before.epoch_seen.n
            && before.voted_for.is_some()
            && next.voted_for != before.voted_for)
}

/// A truncation must name a position that the log holds, or replay could not follow it.
fn check_position<'a, D: Disk>(
    shared: &Shared<D>,
    entry: &Entry,
    before: impl Iterator<Item = &'a WriteOp>,
    at: LogPosition,
) -> Result<(), Fault> {
    let planned = entry.planned;
    if at == planned.tail || is_planned(before, at) {
        return Ok(());
    }
    if planned.begins_anew && planned.begun.is_none() && at == entry.channel.origin() {
        return Ok(());
    }
    let is_durable = !planned.begins_anew
        && planned.begun.is_none()
        && planned.truncated.is_none_or(|low| at.seq <= low);
    if is_durable && at.seq < planned.tail.seq {
        match reader::holds(shared, &entry.channel, at) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(ReadError::Transient(error)) => return Err(Fault::Disk(error)),
            Err(ReadError::Corrupt(damage) | ReadError::Damaged(damage)) => {
                return Err(Refusal::Halted(damage).into());
            }
            Err(_) => {}
        }
    }
    Err(Refusal::UnknownPosition { at }.into())
}

/// Whether the log holds this position by what its group did `before`, and by nothing else.
fn is_planned<'a>(before: impl Iterator<Item = &'a WriteOp>, at: LogPosition) -> bool {
    let mut held = false;
    for op in before {
        match op {
            WriteOp::Append(batches) => {
                held |= batches.iter().any(|batch| batch.position() == at);
            }
            WriteOp::Truncate(to) => held &= at.seq <= to.seq,
            WriteOp::Release => held = false,
            WriteOp::Begin(to) => held = at == *to,
            _ => {}
        }
    }
    held
}
