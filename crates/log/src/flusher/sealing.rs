//! Sealing what follows a position of a channel's log into a fork, so that the log may be cut there.
//!
//! The batches are copied out of the log, wherever they are, into a new file that gets its name when it
//! is whole and durable. The log is left as it is: to truncate it is another order, and until that is
//! durable too, a power cut leaves both. As a fork is named by its content, doing it twice is doing it
//! once.

use std::sync::Arc;

use tetrarch_wire::{ChannelUid, ForkId, LogPosition, limits};

use super::Flusher;
use super::copying::Copying;
use crate::channel::Channel;
use crate::disk::Disk;
use crate::shared::Shared;
use crate::{
    FlushProgress, ForkReadError, ForkSummary, LogError, ReadError, SealError, fork, reader,
};

/// Most bytes of a fork that are looked at in one read.
const CHUNK: usize = 1024 * 1024;

/// What sealing has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// Everything of the log from the position to the end of this fork is in it, durably. Whether the
    /// log still ends there when it is cut is for the caller to see.
    Whole(ForkSummary),
    /// There is more to do: call again.
    Begun {
        /// So far it has come.
        upto: LogPosition,
        /// The end of the log, which is going to be the end of the fork.
        end: LogPosition,
    },
    /// The log ends at the position.
    Nothing,
}

/// A fork on its way.
#[derive(Debug)]
pub(super) struct Sealing {
    id: ForkId,
    base: LogPosition,
    end: LogPosition,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// There is a file of its name: it is read, up to here so far.
    Check { upto: LogPosition },
    /// It is made.
    Copy(Copying),
}

impl<D: Disk> Flusher<D> {
    /// Sees to it that everything of a channel's log after the position `after` is also in a fork,
    /// durably. About `budget` bytes are copied in one call. The log is not changed.
    ///
    /// Whoever cuts the log then must have appended nothing since: what is sealed ends where the log
    /// ended. If it ends elsewhere at a later call, that call begins anew. A fork that is there already
    /// and whole is enough; one that is damaged is made anew.
    ///
    /// # Errors
    /// If the log does not hold the position, or a batch after it cannot be read, or the channel has
    /// [`limits::MAX_FORKS`] forks already, or the disk refuses. The log must not be cut then. What was
    /// begun is removed; it can be tried again.
    pub fn seal(
        &mut self,
        channel: ChannelUid,
        after: LogPosition,
        budget: u64,
    ) -> Result<Sealed, SealError> {
        self.shared.check_poison()?;
        let begun = self.sealing.remove(&channel);
        // What was begun in a channel that is gone goes with its directory.
        let found = self.shared.channel(channel);
        let found = found.ok_or(SealError::UnknownChannel)?;
        let end = found.view().tail;
        let is_of_use = |begun: &Sealing| (begun.base, begun.end) == (after, end);
        let sealing = match begun {
            Some(begun) if is_of_use(&begun) => begun,
            other => {
                self.give_up(other)?;
                if after == end {
                    return Ok(Sealed::Nothing);
                }
                self.begin(&found, after, end)?
            }
        };
        self.go_on(&found, sealing, budget.max(1))
    }

    /// Removes a fork for good; says whether it was there.
    ///
    /// # Errors
    /// If there is no such channel, or the disk refuses.
    pub fn drop_fork(&mut self, channel: ChannelUid, fork: ForkId) -> Result<bool, LogError> {
        self.shared.check_poison()?;
        let found = self.shared.channel(channel);
        let found = found.ok_or(LogError::UnknownChannel { channel })?;
        if !found.files().is_checkpointed() {
            // It has no directory yet, or not for sure; a fork comes after that.
            return Ok(false);
        }
        let (disk, layout) = (&*self.shared.disk, &self.shared.layout);
        let path = layout.fork(channel, fork);
        let was_there = match disk.remove(&path) {
            Err(error) if error.is_missing() => false,
            removed => {
                self.synced(removed)?;
                true
            }
        };
        // A process before this one may have removed it without making that durable.
        self.synced(disk.sync_dir(&layout.channel_dir(channel)))?;
        self.shared.files.close(&path);
        let mut forks = found.forks();
        forks.remove(&fork);
        self.shared.forget_fork_damage(channel, fork);
        Ok(was_there)
    }

    fn begin(
        &mut self,
        channel: &Arc<Channel>,
        base: LogPosition,
        end: LogPosition,
    ) -> Result<Sealing, SealError> {
        if !reader::holds(&self.shared, channel, base)? {
            return Err(SealError::UnknownPosition { at: base });
        }
        let id = ForkId::derive(channel.uid, base.link, end.link);
        let is_known = channel.forks().contains_key(&id);
        let step = if is_known && self.shared.fork_damage(channel.uid, id).is_none() {
            Step::Check { upto: base }
        } else {
            Step::Copy(self.begin_copy(channel, id, base)?)
        };
        Ok(Sealing {
            id,
            base,
            end,
            step,
        })
    }

    fn begin_copy(
        &mut self,
        channel: &Arc<Channel>,
        id: ForkId,
        base: LogPosition,
    ) -> Result<Copying, SealError> {
        let known = self.shared.fork_ids(channel);
        if known.len() >= limits::MAX_FORKS && !known.contains(&id) {
            let limit = limits::MAX_FORKS;
            return Err(SealError::TooManyForks { limit });
        }
        // A fork is as durable as the name of the directory that it is in.
        if !channel.files().is_checkpointed() {
            let mut progress = FlushProgress::default();
            self.checkpoint(&[Arc::clone(channel)], &mut progress)?;
        }
        self.retire()?;
        let begun = Copying::begin(&self.shared, channel, id, base);
        Ok(begun.map_err(|error| self.shared.poison_if_fatal(error))?)
    }

    fn go_on(
        &mut self,
        channel: &Arc<Channel>,
        mut sealing: Sealing,
        budget: u64,
    ) -> Result<Sealed, SealError> {
        let worked = self.work(channel, &mut sealing, budget);
        match worked {
            Ok(None) => {
                let (upto, end) = (sealing.upto(), sealing.end);
                self.sealing.insert(channel.uid, sealing);
                Ok(Sealed::Begun { upto, end })
            }
            Ok(Some(summary)) => Ok(Sealed::Whole(summary)),
            Err(error) => {
                self.give_up(Some(sealing))?;
                Err(error)
            }
        }
    }

    /// Gives the fork once it is whole.
    fn work(
        &mut self,
        channel: &Arc<Channel>,
        sealing: &mut Sealing,
        budget: u64,
    ) -> Result<Option<ForkSummary>, SealError> {
        let (id, base, end) = (sealing.id, sealing.base, sealing.end);
        if let Step::Check { upto } = &mut sealing.step {
            match check(&self.shared, channel, id, (upto, end), budget)? {
                // Its name is durable: a start that finds a fork sees to that.
                Checked::Whole(summary) => return Ok(Some(summary)),
                Checked::Begun => {}
                Checked::Damaged => sealing.step = Step::Copy(self.begin_copy(channel, id, base)?),
            }
        }
        match &mut sealing.step {
            Step::Check { .. } => Ok(None),
            Step::Copy(copying) => copying.go_on(&self.shared, channel, end, budget),
        }
    }

    fn give_up(&self, sealing: Option<Sealing>) -> Result<(), LogError> {
        match sealing.map(|sealing| sealing.step) {
            Some(Step::Copy(copying)) => self.synced(copying.give_up(&*self.shared.disk)),
            Some(Step::Check { .. }) | None => Ok(()),
        }
    }
}

impl Sealing {
    fn upto(&self) -> LogPosition {
        match &self.step {
            Step::Check { upto } => *upto,
            Step::Copy(copying) => copying.upto(),
        }
    }
}

/// What is known of a fork that is being read.
enum Checked {
    /// All of it was read, and nothing is wrong.
    Whole(ForkSummary),
    /// Nothing is wrong so far.
    Begun,
    /// It is not what it should be, or not there any more.
    Damaged,
}

/// Reads on in a fork, for about `budget` bytes.
fn check<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    id: ForkId,
    (upto, end): (&mut LogPosition, LogPosition),
    budget: u64,
) -> Result<Checked, SealError> {
    let mut bytes = 0;
    while *upto != end && bytes < budget {
        let most = usize::try_from(budget - bytes).unwrap_or(CHUNK).min(CHUNK);
        match fork::read(shared, channel, id, upto.seq.next(), most) {
            Ok(batches) => {
                for batch in &batches {
                    bytes += batch.size() as u64;
                    *upto = batch.position();
                }
            }
            Err(
                ForkReadError::Damaged(_)
                | ForkReadError::UnknownFork
                | ForkReadError::OutOfRange { .. },
            ) => return Ok(Checked::Damaged),
            Err(ForkReadError::UnknownChannel) => return Err(SealError::UnknownChannel),
            Err(ForkReadError::Transient(error)) => {
                return Err(shared.poison_if_fatal(error).into());
            }
        }
    }
    // The reader notes what is wrong with its description.
    if shared.fork_damage(channel.uid, id).is_some() {
        return Ok(Checked::Damaged);
    }
    if *upto != end {
        return Ok(Checked::Begun);
    }
    let forks = channel.forks();
    Ok(forks.get(&id).map_or(Checked::Damaged, |fork| {
        Checked::Whole(fork.summary.clone())
    }))
}

impl From<ReadError> for SealError {
    /// `Trimmed` and `BeyondTail` mean that the log was changed meanwhile.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownChannel => Self::UnknownChannel,
            ReadError::Trimmed { .. } | ReadError::BeyondTail { .. } => Self::Changed,
            ReadError::Corrupt(damage) => Self::Halted(damage),
            ReadError::Damaged(damage) => Self::Damaged(damage),
            ReadError::Transient(error) => Self::Store(error.into()),
        }
    }
}
