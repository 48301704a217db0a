//! Committing once more what no checkpoint holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::ChannelUid;

use super::Lost;
use super::judge::Step;
use super::salvage::{self, Salvaged};
use super::wal_files::Inventory;
use crate::channel::Channel;
use crate::disk::{Disk, DiskError, DiskOperation};
use crate::flusher::Flusher;
use crate::lsn::Lsn;
use crate::shared::Shared;
use crate::wal::group::WalSeed;
use crate::wal::scan::GroupRead;
use crate::writer::{Numbering, Writer};
use crate::{Damage, FlushProgress, GroupError, LogError, Refusal, WriteOp, WriteRequest};

/// How often a group is tried while room is being made for it.
const ATTEMPTS: usize = 8;

/// Replays a WAL.
pub(super) struct Replay<'a, D: Disk> {
    shared: &'a Arc<Shared<D>>,
    writer: &'a mut Writer<D>,
    flusher: &'a mut Flusher<D>,
    lost: &'a mut Lost,
    requests: Vec<WriteRequest>,
    lsns: Vec<Lsn>,
    bytes: usize,
    /// Channels that the gathered requests open.
    opening: BTreeSet<ChannelUid>,
    /// Channels whose halt is not kept yet.
    halted: BTreeSet<ChannelUid>,
    /// Channels that are not here and were deleted, and by which record.
    deleted: BTreeMap<ChannelUid, Lsn>,
    wal_file_bytes: u64,
}

impl<'a, D: Disk> Replay<'a, D> {
    pub(super) fn new(
        shared: &'a Arc<Shared<D>>,
        writer: &'a mut Writer<D>,
        flusher: &'a mut Flusher<D>,
        lost: &'a mut Lost,
        wal_file_bytes: u64,
    ) -> Self {
        Self {
            shared,
            writer,
            flusher,
            lost,
            requests: Vec::new(),
            lsns: Vec::new(),
            bytes: 0,
            opening: BTreeSet::new(),
            halted: BTreeSet::new(),
            deleted: BTreeMap::new(),
            wal_file_bytes,
        }
    }

    /// Takes the steps, and says which files are rotten.
    pub(super) fn run(
        mut self,
        inventory: &Inventory<D::File>,
        steps: &[Step],
        seed: WalSeed,
    ) -> Result<Vec<u64>, LogError> {
        let mut rotten = Vec::new();
        for step in steps {
            let (Step::Replay {
                incarnation,
                offset,
            }
            | Step::Salvage {
                incarnation,
                offset,
            }
            | Step::Lost {
                incarnation,
                offset,
            }) = *step;
            let damage = Damage::WalRot {
                incarnation,
                offset,
            };
            let group = match inventory.scan(incarnation, seed)? {
                Some(scan) if !matches!(step, Step::Lost { .. }) => scan.read_group(offset)?,
                _ => GroupRead::Nothing,
            };
            if !matches!(group, GroupRead::Good(..)) {
                rotten.push(incarnation);
            }
            match group {
                GroupRead::Good(header, _, bytes) | GroupRead::Damaged(header, bytes) => {
                    for found in salvage::records(&header, &bytes, seed) {
                        self.take(found, &damage)?;
                    }
                }
                GroupRead::Nothing | GroupRead::Unreadable => {
                    self.commit()?;
                    self.halt_all(&damage);
                }
            }
        }
        self.commit()?;
        for (uid, lsn) in std::mem::take(&mut self.deleted) {
            self.flusher.remove_deleted(uid, lsn)?;
        }
        self.keep_halts()?;
        Ok(rotten)
    }

    /// Nobody can tell which channels lost something: all that are there may have.
    pub(super) fn halt_all(&mut self, damage: &Damage) {
        for channel in self.shared.channels() {
            self.halt(&channel, damage);
        }
    }

    fn take(&mut self, found: Salvaged, damage: &Damage) -> Result<(), LogError> {
        match found {
            Salvaged::Record(lsn, uid, op) => self.record(lsn, uid, op),
            Salvaged::Damaged(uid) => {
                self.commit()?;
                match self.shared.channel(uid) {
                    Some(channel) => self.halt(&channel, damage),
                    None => {
                        self.lost.insert(uid, damage.clone());
                    }
                }
                Ok(())
            }
            Salvaged::Unknown => {
                self.commit()?;
                self.halt_all(damage);
                Ok(())
            }
        }
    }

    fn record(&mut self, lsn: Lsn, uid: ChannelUid, op: WriteOp) -> Result<(), LogError> {
        let request = WriteRequest {
            channel: uid,
            ops: vec![op],
        };
        // Before it is judged: what opens its channel must stay with what follows it.
        let bytes = request.encoded_len();
        if self.bytes + bytes > self.writer.group_limit() {
            self.commit()?;
        }
        if self.is_needed(lsn, uid, &request.ops[0]) {
            self.bytes += bytes;
            self.requests.push(request);
            self.lsns.push(lsn);
        }
        Ok(())
    }

    fn is_needed(&mut self, lsn: Lsn, uid: ChannelUid, op: &WriteOp) -> bool {
        if self.opening.contains(&uid) {
            return true;
        }
        if let Some(channel) = self.shared.channel(uid) {
            let view = channel.view();
            if planted(Mutant::CutNotReplayed) && matches!(op, WriteOp::Truncate(_)) {
                return false;
            }
            let grows = matches!(
                op,
                WriteOp::Append(_) | WriteOp::Truncate(_) | WriteOp::Begin(_)
            );
            return lsn > view.last_lsn && !(grows && view.halted.is_some());
        }
        match op {
            WriteOp::Open { .. } if !self.writer.knows(uid) => {
                self.lost.remove(&uid);
                self.opening.insert(uid);
                true
            }
            // Its files were moved away before, or cannot be read; only the record was still here.
            WriteOp::Delete => {
                self.lost.remove(&uid);
                self.deleted.insert(uid, lsn);
                false
            }
            _ => {
                self.lost.entry(uid).or_insert(Damage::NeverOpened);
                false
            }
        }
    }

    /// Commits what was gathered.
    fn commit(&mut self) -> Result<(), LogError> {
        let requests = std::mem::take(&mut self.requests);
        let lsns = std::mem::take(&mut self.lsns);
        self.bytes = 0;
        self.opening.clear();
        if requests.is_empty() {
            return Ok(());
        }
        let refused = self.commit_group(&requests, &lsns)?;
        for (index, refusal) in refused {
            let request = &requests[index];
            if let Some(channel) = self.shared.channel(request.channel) {
                match refusal {
                    Refusal::Discontinuous { tail, .. } => {
                        self.halt(&channel, &Damage::Gap { after: tail.seq });
                    }
                    Refusal::UnknownPosition { at } => {
                        self.halt(&channel, &Damage::TruncationUnknown { at: at.seq });
                    }
                    // The segments cannot say whether they hold what a truncation names.
                    Refusal::Halted(damage) => self.halt(&channel, &damage),
                    // The others refuse what is in force already.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn commit_group(
        &mut self,
        requests: &[WriteRequest],
        lsns: &[Lsn],
    ) -> Result<Vec<(usize, Refusal)>, LogError> {
        for _ in 0..ATTEMPTS {
            match self.writer.commit_numbered(requests, Numbering::Kept(lsns)) {
                Ok(report) => return Ok(report.refused),
                Err(GroupError::WalFull | GroupError::Retryable(_)) => self.make_room()?,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Err(self.failed(GroupError::WalFull))
    }

    /// Memory goes to segments. WAL files are not recycled yet: those of the last boot still
    /// count.
    fn make_room(&mut self) -> Result<(), LogError> {
        let mut progress = FlushProgress::default();
        self.flusher.write_out_pending(u64::MAX, &mut progress)?;
        if self.shared.wal.counts().1 == 0 {
            let file = self.flusher.make_wal_file()?;
            self.flusher.add_ready(file.incarnation, file.file)?;
        }
        Ok(())
    }

    fn failed(&self, error: GroupError) -> LogError {
        match error {
            GroupError::StorageFull(error) | GroupError::Retryable(error) => LogError::Disk(error),
            GroupError::Fatal { reason } => LogError::Poisoned { reason },
            GroupError::TooLarge { bytes, .. } => LogError::TooLarge {
                what: "a record for WAL files of the size that is set now",
                size: usize::try_from(bytes).unwrap_or(usize::MAX),
                limit: usize::try_from(self.wal_file_bytes).unwrap_or(usize::MAX),
            },
            GroupError::WalFull => LogError::Disk(DiskError::new(
                DiskOperation::Write,
                &self.shared.layout.wal_dir(),
                std::io::ErrorKind::StorageFull.into(),
            )),
        }
    }

    fn halt(&mut self, channel: &Arc<Channel>, damage: &Damage) {
        let mut view = channel.view();
        if view.halted.is_none() {
            view.halted = Some(damage.clone());
            self.halted.insert(channel.uid);
        }
    }

    /// What was found now must be known to every later start: the WAL that showed it goes.
    fn keep_halts(&mut self) -> Result<(), LogError> {
        let mut progress = FlushProgress::default();
        for uid in std::mem::take(&mut self.halted) {
            if let Some(channel) = self.shared.channel(uid) {
                self.flusher.checkpoint(&[channel], &mut progress)?;
            }
        }
        self.flusher.retire()
    }
}
