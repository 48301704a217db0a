//! The writer: one commit group after the other, each with one write and one sync.

mod plan;

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Boot, ChannelUid, HardState};

use crate::channel::Channel;
use crate::disk::{Disk, DiskError, DiskFile, Failure};
use crate::lsn::Lsn;
use crate::shared::Shared;
use crate::store::epochs::EpochBound;
use crate::wal::buffer::{GroupBuffer, GroupLink};
use crate::wal::files::WalFile;
use crate::wal::group::{GroupHeader, WalSeed};
use crate::{GroupError, Refusal, WriteOp, WriteRequest};
use plan::{Fault, Plan};

/// Writes commit groups. Belongs to one thread, the store thread.
#[derive(Debug)]
pub struct Writer<D: Disk> {
    shared: Arc<Shared<D>>,
    boot: Boot,
    plan: Plan,
    epochs: EpochBound,
    buffer: GroupBuffer,
    current: WalFile<D::File>,
    /// Where in the current file the next group goes.
    offset: u64,
    /// A write failed at `offset`, and what it may have left there is not removed yet.
    torn: bool,
    last: GroupLink,
    next_group: u64,
    next_lsn: Lsn,
    last_lsn: Lsn,
}

/// What became of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// Its number; 0 if there was nothing to write.
    pub group: u64,
    /// Bytes written, padding included.
    pub bytes: u64,
    /// Requests that were left out, by their place in the group. All others are durable.
    pub refused: Vec<(usize, Refusal)>,
}

/// Where the records of a group get their numbers.
#[derive(Clone, Copy)]
pub(crate) enum Numbering<'a> {
    /// They are new.
    Fresh,
    /// They keep those they had in another WAL file; one operation and one number a request.
    Kept(&'a [Lsn]),
}

impl<D: Disk> Writer<D> {
    pub(crate) fn new(
        shared: Arc<Shared<D>>,
        seed: WalSeed,
        (boot, epochs): (Boot, EpochBound),
        current: WalFile<D::File>,
    ) -> Self {
        let start = Lsn::start_of(boot);
        Self {
            plan: Plan::default(),
            epochs,
            buffer: GroupBuffer::new(seed),
            current,
            offset: 0,
            torn: false,
            last: GroupLink::NONE,
            next_group: start.get() + 1,
            next_lsn: start.next(),
            last_lsn: Lsn::ZERO,
            boot,
            shared,
        }
    }

    /// Makes the requests of a group durable, with one write and one sync. When it returns, all
    /// of them but the refused ones are durable and readable.
    ///
    /// # Errors
    /// If nothing was kept: the log is full for now, the disk refused, or the store is lost to
    /// this process, after which every call says so.
    pub fn commit(&mut self, group: &[WriteRequest]) -> Result<GroupReport, GroupError> {
        self.commit_numbered(group, Numbering::Fresh)
    }

    /// Most bytes of requests that a group should gather: a group, with its summary of the hard states
    /// in it, must fit into one file.
    #[must_use]
    pub fn group_limit(&self) -> usize {
        self.shared
            .options
            .group_max_bytes
            .min(self.part_of_a_file(2))
    }

    /// Bytes of batches after which one request should end. A file of the least size that a node is
    /// given (2 MiB) takes that and one batch of the largest size more.
    #[must_use]
    pub fn request_limit(&self) -> usize {
        self.part_of_a_file(4)
    }

    fn part_of_a_file(&self, part: u64) -> usize {
        usize::try_from(self.current.len / part).unwrap_or(usize::MAX)
    }

    /// Waits until a group that found the log full may be tried again, for at most `timeout`. For
    /// use where the flusher runs on another thread.
    #[must_use]
    pub fn wait_for_room(&self, timeout: Duration) -> bool {
        let shared = &self.shared;
        shared.wait(timeout, || {
            shared.poisoned().is_some()
                || (shared.wal.counts().1 > 0
                    && shared.pending_bytes() < shared.options.pending_max_bytes / 2)
        })
    }

    pub(crate) fn commit_numbered(
        &mut self,
        group: &[WriteRequest],
        numbering: Numbering<'_>,
    ) -> Result<GroupReport, GroupError> {
        if let Some(reason) = self.shared.poisoned() {
            return Err(GroupError::Fatal { reason });
        }
        self.mend()?;
        self.check_backlog(group)?;
        let covered = self
            .epochs
            .cover(&*self.shared.disk, &self.shared.layout, group);
        covered.map_err(|error| self.given_up(error))?;
        let number = self.next_group;
        self.next_group += 1;
        let refused = match self.encode(number, group, numbering) {
            Ok(refused) => refused,
            Err(error) => {
                self.plan.roll_back();
                return Err(self.given_up(error));
            }
        };
        if self.buffer.is_empty() {
            return Ok(GroupReport {
                refused,
                ..GroupReport::default()
            });
        }
        match self.write() {
            Ok(bytes) => {
                let opened = self.apply(group);
                match numbering {
                    Numbering::Fresh => {
                        let left = self.leave_traces(&opened);
                        left.map_err(|error| self.fatal(&error))?;
                    }
                    // A start is not done, and nobody is told, before its boot counts.
                    Numbering::Kept(_) => {}
                }
                Ok(GroupReport {
                    group: number,
                    bytes,
                    refused,
                })
            }
            Err(error) => {
                self.plan.roll_back();
                Err(error)
            }
        }
    }

    /// Lets the writer know a channel that was recovered.
    pub(crate) fn adopt(&mut self, channel: &Arc<Channel>) {
        self.plan.adopt(channel);
    }

    /// Memory must stay bounded even if the flusher cannot keep up. Below what triggers the flusher
    /// there is nothing to wait for: even a group larger than the bound is taken then.
    fn check_backlog(&self, group: &[WriteRequest]) -> Result<(), GroupError> {
        let options = &self.shared.options;
        let pending = self.shared.pending_bytes();
        let added: usize = group.iter().map(WriteRequest::encoded_len).sum();
        let is_over = pending + added as u64 > options.pending_max_bytes;
        if pending >= options.flush_trigger_bytes.max(1) && is_over {
            self.shared.announce();
            return Err(GroupError::WalFull);
        }
        Ok(())
    }

    /// Checks every request and puts what passes into the buffer.
    fn encode(
        &mut self,
        number: u64,
        group: &[WriteRequest],
        numbering: Numbering<'_>,
    ) -> Result<Vec<(usize, Refusal)>, DiskError> {
        let mut refused = Vec::new();
        self.buffer.begin(number);
        self.plan.begin();
        for (index, request) in group.iter().enumerate() {
            let first = match numbering {
                Numbering::Fresh => self.next_lsn,
                Numbering::Kept(lsns) => lsns[index],
            };
            let mark = self.buffer.mark();
            match self.plan.accept(&self.shared, group, index, first) {
                Ok(()) => {
                    let mut lsn = first;
                    for op in &request.ops {
                        self.buffer.push(lsn, request.channel, op);
                        lsn = lsn.next();
                    }
                    if matches!(numbering, Numbering::Fresh) {
                        self.next_lsn = lsn;
                    }
                }
                Err(Fault::Refused(refusal)) => {
                    self.buffer.rewind(mark);
                    refused.push((index, refusal));
                }
                Err(Fault::Disk(error)) => return Err(error),
            }
        }
        Ok(refused)
    }

    /// One write, one sync.
    fn write(&mut self) -> Result<u64, GroupError> {
        let size = self.buffer.size_bound();
        if size > self.current.len {
            return Err(GroupError::TooLarge {
                bytes: size,
                limit: self.current.len,
            });
        }
        if self.offset + size > self.current.len {
            self.roll_over()?;
        }
        let link = self
            .buffer
            .seal(self.current.incarnation, self.boot, self.last);
        let bytes = self.buffer.bytes();
        let len = bytes.len() as u64;
        let written = self
            .current
            .file
            .write_at(&[IoSlice::new(bytes)], self.offset);
        if let Err(error) = written {
            return Err(self.cut_back(error));
        }
        if !planted(Mutant::LogNotSynced)
            && let Err(error) = self.current.file.sync_data()
        {
            return Err(self.fatal(&error));
        }
        self.offset += len;
        self.last = link;
        Ok(len)
    }

    fn roll_over(&mut self) -> Result<(), GroupError> {
        let rolled = self.shared.wal.roll_over(&mut self.current, self.last_lsn);
        self.shared.announce();
        match rolled {
            Ok(()) => {
                self.offset = 0;
                Ok(())
            }
            Err(Some(shortage)) => Err(GroupError::StorageFull(shortage)),
            Err(None) => Err(GroupError::WalFull),
        }
    }

    /// A write failed or was short. What it left must not be taken for a group.
    fn cut_back(&mut self, error: DiskError) -> GroupError {
        if error.failure == Failure::Fatal || error.failure == Failure::Corrupt {
            return self.fatal(&error);
        }
        if planted(Mutant::FailedWriteStays) {
            return self.given_up(error);
        }
        self.torn = true;
        let is_whole = self.is_whole();
        match self.mend() {
            Err(fatal @ GroupError::Fatal { .. }) => fatal,
            // What is reported as not kept must not come back after a power cut.
            Err(_) if is_whole => self.fatal(&error),
            // Mending is tried again before the next group; this one failed either way.
            _ => self.given_up(error),
        }
    }

    /// Whether the write that failed has left an intact group all the same: what it did not write
    /// may have been padding, or bytes that stood there already.
    fn is_whole(&self) -> bool {
        let essential = self.buffer.essential_bytes();
        let mut found = vec![0; essential.len()];
        match self.current.file.read_at(&mut found, self.offset) {
            Ok(_) => found == essential,
            Err(_) => true,
        }
    }

    /// Removes what a failed write left, before anything else is written.
    fn mend(&mut self) -> Result<(), GroupError> {
        if !self.torn {
            return Ok(());
        }
        let zeros = [0; GroupHeader::LEN];
        if let Err(error) = self
            .current
            .file
            .write_at(&[IoSlice::new(&zeros)], self.offset)
        {
            return Err(self.given_up(error));
        }
        if let Err(error) = self.current.file.sync_data() {
            return Err(self.fatal(&error));
        }
        self.torn = false;
        Ok(())
    }

    /// What an error that left the log as it was means for the group.
    fn given_up(&self, error: DiskError) -> GroupError {
        match error.failure {
            Failure::StorageFull => GroupError::StorageFull(error),
            Failure::Retryable => GroupError::Retryable(error),
            Failure::Corrupt | Failure::Fatal => self.fatal(&error),
        }
    }

    fn fatal(&self, error: &DiskError) -> GroupError {
        self.shared.poison(error);
        GroupError::Fatal {
            reason: error.to_string(),
        }
    }

    /// The group is durable: everybody may see it. Gives the channels that it opens.
    fn apply(&mut self, group: &[WriteRequest]) -> Vec<Arc<Channel>> {
        let mut opened = Vec::new();
        for accepted in self.plan.take_accepted() {
            let request = &group[accepted.index];
            let last = accepted.first.get() + request.ops.len() as u64 - 1;
            self.last_lsn = Lsn::new(last);
            self.apply_request(&accepted.channel, accepted.first, &request.ops);
            let opens = |op: &WriteOp| matches!(op, WriteOp::Open { .. });
            if request.ops.iter().any(opens) {
                opened.push(accepted.channel);
            }
        }
        self.plan.keep();
        if self.shared.pending_bytes() >= self.shared.options.flush_trigger_bytes
            || self.shared.has_urgent()
        {
            self.shared.announce();
        }
        opened
    }

    /// Gives new channels their directories before anybody is told that they are open. If the WAL
    /// rots, a channel whose beginning it held is then known to be lost, and not taken for one that
    /// never was: it may have voted. A disk without room does not matter here: the flusher makes the
    /// directories with the first checkpoints.
    pub(crate) fn leave_traces(&self, opened: &[Arc<Channel>]) -> Result<(), DiskError> {
        let mut left = false;
        for channel in opened.iter().filter(|channel| !channel.view().deleted) {
            match channel.files().create_directory(&self.shared, channel) {
                Ok(is_new) => left |= is_new,
                Err(error) => match error.failure {
                    Failure::Fatal => return Err(error),
                    Failure::StorageFull | Failure::Retryable | Failure::Corrupt => {}
                },
            }
        }
        if left {
            let dir = self.shared.layout.channels_dir();
            self.shared.disk.sync_dir(&dir)?;
        }
        Ok(())
    }

    fn apply_request(&self, channel: &Arc<Channel>, first: Lsn, ops: &[WriteOp]) {
        let mut urgent = false;
        let mut lsn = first;
        let mut view = channel.view();
        let before = view.pending_bytes();
        for op in ops {
            match op {
                WriteOp::Open { .. } => self.shared.add_channel(Arc::clone(channel)),
                WriteOp::Append(batches) => view.append(batches),
                WriteOp::Truncate(at) => view.truncate(*at, lsn),
                WriteOp::Begin(at) => view.begin(*at, lsn),
                WriteOp::HardState(hard_state) => view.hard_state = *hard_state,
                WriteOp::CommitHint(seq) => view.commit_hint = view.commit_hint.max(*seq),
                WriteOp::Trim { upto } => {
                    view.trim_upto = view.trim_upto.max(*upto);
                    urgent = true;
                }
                WriteOp::TakeUp => view.is_released = false,
                WriteOp::Release => {
                    view.release(channel.origin(), lsn);
                    urgent = true;
                }
                WriteOp::Delete => {
                    view.delete();
                    urgent = true;
                    self.shared.remove_channel(channel.uid);
                }
            }
            view.last_lsn = lsn;
            lsn = lsn.next();
        }
        if view.dirty_since.is_none() {
            view.dirty_since = Some(first);
            self.shared.mark_dirty(first, channel);
        }
        let after = view.pending_bytes();
        drop(view);
        self.shared.add_pending(after.saturating_sub(before));
        self.shared.sub_pending(before.saturating_sub(after));
        if urgent {
            self.shared.hurry(channel);
        }
    }

    /// What a channel promises that may have forgotten any promise; `None` if nobody knows which those
    /// can have been. For recovery.
    pub(crate) fn in_limbo(&mut self) -> Result<Option<HardState>, DiskError> {
        self.epochs
            .in_limbo(&*self.shared.disk, &self.shared.layout)
    }

    /// What the channels that are here have promised is covered from here on. For recovery.
    pub(crate) fn settle_epochs(&mut self, others_are_lost: bool) -> Result<(), DiskError> {
        let channels = self.shared.channels();
        let promised = channels
            .iter()
            .map(|channel| channel.view().hard_state.epoch_seen.n);
        let highest = promised.max().unwrap_or(0);
        self.epochs.settle(
            &*self.shared.disk,
            &self.shared.layout,
            (highest, others_are_lost),
        )
    }

    /// Whether the channel is known here. For recovery.
    pub(crate) fn knows(&self, channel: ChannelUid) -> bool {
        self.plan.knows(channel)
    }
}
