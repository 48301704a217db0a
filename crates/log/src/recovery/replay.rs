//! Committing once more what no checkpoint holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{ChannelUid, HardState};

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

/// How many channels enter limbo with one group.
const LIMBO_AT_ONCE: usize = 256;

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
    /// Channels that may lack something, and why.
    doubted: BTreeMap<ChannelUid, Damage>,
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
            doubted: BTreeMap::new(),
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
        missing: Option<u64>,
    ) -> Result<Vec<u64>, LogError> {
        let mut rotten = Vec::new();
        if let Some(incarnation) = missing {
            self.doubt_all(&Damage::WalMissing { incarnation });
        }
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
                    self.doubt_all(&damage);
                }
            }
        }
        self.commit()?;
        if let Some(incarnation) = missing {
            // Of those that were opened meanwhile it may have held more.
            self.doubt_all(&Damage::WalMissing { incarnation });
        }
        self.enter_limbo()?;
        for (uid, lsn) in std::mem::take(&mut self.deleted) {
            self.flusher.remove_deleted(uid, lsn)?;
        }
        self.keep_halts()?;
        Ok(rotten)
    }

    /// Nobody can tell which channels lost something: all that are there may have.
    fn doubt_all(&mut self, damage: &Damage) {
        for channel in self.shared.channels() {
            self.doubt(&channel, damage);
        }
    }

    fn take(&mut self, found: Salvaged, damage: &Damage) -> Result<(), LogError> {
        match found {
            Salvaged::Record(lsn, uid, op) => self.record(lsn, uid, op),
            Salvaged::Damaged(uid) => {
                self.commit()?;
                match self.shared.channel(uid) {
                    Some(channel) => self.doubt(&channel, damage),
                    None => {
                        self.lost.entry(uid).or_insert_with(|| damage.clone());
                    }
                }
                Ok(())
            }
            Salvaged::Unknown => {
                self.commit()?;
                self.doubt_all(damage);
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
            // What a trim may drop, and what is committed, was said of a log that may not be this one.
            let is_claim = matches!(op, WriteOp::Trim { .. } | WriteOp::CommitHint(_));
            let is_void =
                (grows && view.halted.is_some()) || (is_claim && self.doubted.contains_key(&uid));
            return lsn > view.last_lsn && !is_void;
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
        let refused = self.commit_group(&requests, Numbering::Kept(&lsns))?;
        for (index, refusal) in refused {
            let request = &requests[index];
            if let Some(channel) = self.shared.channel(request.channel) {
                match refusal {
                    Refusal::Discontinuous { tail, .. } => {
                        self.doubt(&channel, &Damage::Gap { after: tail.seq });
                    }
                    Refusal::UnknownPosition { at } => {
                        self.doubt(&channel, &Damage::TruncationUnknown { at: at.seq });
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
        numbering: Numbering<'_>,
    ) -> Result<Vec<(usize, Refusal)>, LogError> {
        for _ in 0..ATTEMPTS {
            match self.writer.commit_numbered(requests, numbering) {
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

    /// Something of the channel that was durable may be missing. Whatever else of it is found is taken.
    fn doubt(&mut self, channel: &Channel, damage: &Damage) {
        if channel.view().halted.is_none() {
            let damage = damage.clone();
            self.doubted.entry(channel.uid).or_insert(damage);
        }
    }

    /// What may have lost something promises to do nothing that could contradict it. If not even the
    /// bound of what it can have promised is known, it takes no part any more.
    fn enter_limbo(&mut self) -> Result<(), LogError> {
        let mut entering = Vec::new();
        for (uid, damage) in std::mem::take(&mut self.doubted) {
            if let Some(channel) = self.shared.channel(uid) {
                entering.push((channel, damage));
            }
        }
        if entering.is_empty() {
            return Ok(());
        }
        let Some(promise) = self.writer.in_limbo()? else {
            for (channel, damage) in entering {
                self.halt(&channel, &damage);
            }
            return Ok(());
        };
        let requests: Vec<WriteRequest> = entering
            .iter()
            .map(|(channel, _)| WriteRequest {
                channel: channel.uid,
                ops: vec![WriteOp::HardState(
                    if planted(Mutant::LimboRemembersEpoch) {
                        HardState::in_limbo(channel.view().hard_state.epoch_seen.n)
                    } else {
                        promise
                    },
                )],
            })
            .collect();
        let shares = requests.chunks(LIMBO_AT_ONCE);
        for (share, channels) in shares.zip(entering.chunks(LIMBO_AT_ONCE)) {
            // No promise was higher, so none is refused. A channel without it must take no part.
            for (index, _) in self.commit_group(share, Numbering::Fresh)? {
                let (channel, damage) = &channels[index];
                self.halt(channel, damage);
            }
        }
        for (channel, damage) in entering {
            channel.view().doubt = Some(damage);
        }
        Ok(())
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
