//! Plays a life on a disk that can lose power, and looks at the store after every stop.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tetrarch_wire::{ChannelUid, Epoch, HardState, Link, LogPosition, Seq, VoterId};

use super::act::{Act, Change, End, Life, Op};
use crate::enumeration::promise::{Ledger, Promise, Promises, apply, holding};
use crate::tests::{channel_uid, draft, identity, open_op, read_all};
use crate::{
    CrashDisk, Failure, Finding, FindingKind, Flusher, GroupError, GroupReport, LogError,
    ReadError, Reader, StoreOptions, VerifyReport, WriteOp, WriteRequest, Writer, format, open,
    verify,
};

const DIR: &str = "/store";
const BLOCK: u64 = 4096;
const ROOMY: u64 = 1 << 40;
/// How often a start is tried while the disk refuses.
const STARTS: usize = 6;

type Committed = Result<GroupReport, GroupError>;

/// A store that runs. The writer is shared with what happens in the middle of a flush.
struct Running {
    writer: Arc<Mutex<Writer<CrashDisk>>>,
    flusher: Flusher<CrashDisk>,
    reader: Reader<CrashDisk>,
}

struct Player {
    disk: CrashDisk,
    options: StoreOptions,
    running: Option<Running>,
    ledger: Ledger,
    /// When the power goes or the process is killed, and which of it.
    armed: Option<(u64, End)>,
    /// How the process ends if the disk fails for good.
    fatal: Option<End>,
    /// Which channel is in each slot; deleted ones do not come back.
    lives: [u8; 3],
    starts: u64,
    epoch: u64,
    /// Makes every payload another.
    written: u64,
}

/// Plays a life to its end.
pub(super) fn play(life: &Life) {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut player = Player {
        disk,
        options: sizes(life.sizes),
        running: None,
        ledger: Ledger::default(),
        armed: None,
        fatal: None,
        lives: [0; 3],
        starts: 0,
        epoch: 1,
        written: 0,
    };
    player.start();
    for act in &life.acts {
        player.act(act);
    }
    player.disk.set_capacity(ROOMY);
    player.end(End::Power(1));
    player.look();
}

/// So small that a short life fills WAL files and segments.
fn sizes(which: u8) -> StoreOptions {
    let few = which & 1 == 0;
    let large = which & 2 != 0;
    StoreOptions {
        wal_file_bytes: Some(if few { 8 } else { 12 } * BLOCK),
        wal_files_max: if few { 3 } else { 4 },
        group_max_bytes: 16 * 1024,
        pending_max_bytes: 64 * 1024,
        flush_trigger_bytes: if large { 24 } else { 6 } * 1024,
        segment_bytes: if large { 11 } else { 4 } * 1024,
        index_interval_bytes: 1024,
        ballast_bytes: Some(32 * BLOCK),
        open_files_max: 2,
        segment_sync_bytes: 4 * 1024,
        ..StoreOptions::default()
    }
}

impl Player {
    fn act(&mut self, act: &Act) {
        match act {
            Act::Commit(changes) => self.commit(changes),
            Act::Flush { budget } => self.flush(|flusher| flusher.flush(*budget).map(drop)),
            Act::FlushAll => self.flush(|flusher| flusher.flush_all().map(drop)),
            Act::Meanwhile { after, all, group } => self.meanwhile(*after, *all, group),
            Act::Snapshot { slot, size } => self.save_snapshot(*slot, *size),
            Act::Purge => self.flush(|flusher| flusher.purge_deleted().map(drop)),
            Act::Read { slot, from, bytes } => self.read(*slot, *from, *bytes),
            Act::FailWrites {
                name,
                count,
                bytes,
                errno,
                end,
            } => {
                self.disk.fail_next_writes(name, *count, *bytes, *errno);
                self.fatal = Some(*end);
            }
            Act::FailSync { name, end } => {
                self.disk.fail_next_sync(name);
                self.fatal = Some(*end);
            }
            Act::Capacity(blocks) => self.disk.set_capacity(match blocks {
                Some(blocks) => self.used() + blocks * BLOCK,
                None => ROOMY,
            }),
            Act::Rest => self.rest(),
            Act::Stop { after: None, end } => {
                self.end(*end);
                self.start();
            }
            Act::Stop {
                after: Some(after),
                end,
            } => {
                let step = self.disk.steps() + after;
                self.disk.cut_power_at(step);
                self.armed = Some((step, *end));
            }
        }
    }

    fn used(&self) -> u64 {
        let files = self.disk.files();
        let sizes = files.iter().map(|(_, bytes)| bytes.len() as u64);
        sizes.map(|len| len.next_multiple_of(BLOCK)).sum()
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("a store runs between acts")
    }

    fn uid(&self, slot: u8) -> ChannelUid {
        channel_uid(slot + 3 * self.lives[usize::from(slot)])
    }

    // Requests.

    fn request(&mut self, change: &Change, promises: &mut Promises) -> WriteRequest {
        let channel = self.uid(change.slot);
        let mut request = WriteRequest {
            channel,
            ops: Vec::new(),
        };
        if !promises.contains_key(&channel) {
            // The state of a channel with a long name takes more than a sector and can be torn.
            let long = if change.slot == 0 { 0 } else { 480 };
            let name = format!("{:x<long$}", &channel.to_string()[..6]);
            self.push(&mut request, promises, open_op(&name));
        }
        for op in &change.ops {
            if !promises[&channel].channel.is_held && !matches!(op, Op::Delete) {
                // It comes back.
                self.push(&mut request, promises, WriteOp::TakeUp);
            }
            let op = self.op(op, channel, promises);
            let is_delete = op == WriteOp::Delete;
            self.push(&mut request, promises, op);
            if is_delete {
                self.lives[usize::from(change.slot)] += 1;
                break;
            }
        }
        request
    }

    fn push(&mut self, request: &mut WriteRequest, promises: &mut Promises, op: WriteOp) {
        let only = WriteRequest {
            channel: request.channel,
            ops: vec![op],
        };
        apply(promises, &only);
        request.ops.extend(only.ops);
    }

    fn op(&mut self, op: &Op, channel: ChannelUid, promises: &Promises) -> WriteOp {
        let promised = &promises[&channel].channel;
        let batches = promised.log.len();
        match op {
            Op::Append { count, size } => {
                let mut tail = promised.tail();
                let mut made = Vec::new();
                for _ in 0..*count {
                    self.written += 1;
                    let mut payload = vec![self.written.to_le_bytes()[0]; *size];
                    payload[..8].copy_from_slice(&self.written.to_le_bytes());
                    let epoch = Epoch::new(self.epoch, VoterId::from_bytes([7; 16]));
                    let batch = draft(&payload).seal(&tail, epoch, self.written);
                    tail = batch.position();
                    made.push(batch);
                }
                WriteOp::Append(made)
            }
            Op::Truncate { to } => {
                self.epoch += 1;
                let gone = promised
                    .log
                    .partition_point(|batch| batch.last_seq() <= promised.trim);
                WriteOp::Truncate(promised.position(part(*to, gone, batches)))
            }
            // Behind the tail or in the middle of the log: what a leader says of itself need not fit.
            Op::Begin { further } => {
                self.epoch += 1;
                let begun = promised.beginning().seq.max(promised.trim);
                let seq = begun.plus(u64::from(*further));
                WriteOp::Begin(LogPosition {
                    seq,
                    epoch: Epoch::new(self.epoch, VoterId::from_bytes([7; 16])),
                    link: Link::genesis(&seq.get().to_le_bytes()),
                })
            }
            Op::Vote => {
                self.epoch += 1;
                WriteOp::HardState(HardState {
                    epoch_seen: Epoch::new(self.epoch, VoterId::from_bytes([7; 16])),
                    voted_for: (self.epoch & 1 == 0).then_some(VoterId::from_bytes([8; 16])),
                    limbo: None,
                })
            }
            Op::Hint { at } => WriteOp::CommitHint(Seq::new(part(*at, 0, batches) as u64)),
            Op::Trim { upto } => WriteOp::Trim {
                upto: promised.position(part(*upto, 0, batches)).seq,
            },
            Op::Release => WriteOp::Release,
            Op::Delete => WriteOp::Delete,
        }
    }

    /// A group, and what it makes of what was promised.
    fn group(&mut self, changes: &[Change]) -> (Vec<WriteRequest>, Promises) {
        let mut after = self.ledger.acked.clone();
        let group = changes
            .iter()
            .map(|change| self.request(change, &mut after))
            .filter(|request| !request.ops.is_empty())
            .collect();
        (group, after)
    }

    fn commit(&mut self, changes: &[Change]) {
        let (group, after) = self.group(changes);
        self.ledger.maybe = Some(after);
        let mut result = self.running().writer.lock().unwrap().commit(&group);
        if matches!(result, Err(GroupError::WalFull)) {
            let before = self.starts;
            self.flush(|flusher| flusher.flush(u64::MAX).map(drop));
            if self.starts != before {
                // The process died of it.
                return;
            }
            result = self.running().writer.lock().unwrap().commit(&group);
        }
        self.committed(result);
    }

    fn committed(&mut self, result: Committed) {
        match result {
            Ok(report) => {
                assert_eq!(report.refused, []);
                if let Some(after) = self.ledger.maybe.take() {
                    self.ledger.acked = after;
                }
            }
            Err(GroupError::Fatal { reason }) => self.died(&reason),
            Err(_) => self.ledger.maybe = None,
        }
    }

    // The flusher.

    fn flush(&mut self, work: impl FnOnce(&mut Flusher<CrashDisk>) -> Result<(), LogError>) {
        let result = work(&mut self.running().flusher);
        self.see_starts();
        self.flushed(result);
    }

    /// What readers were told about the beginnings of logs must stay true.
    fn see_starts(&mut self) {
        let Some(running) = &self.running else { return };
        for uid in self.ledger.acked.keys() {
            if let Some(start) = running.reader.log_start(*uid) {
                let holding = holding(&self.ledger.acked, *uid);
                self.ledger.starts.insert(holding, start.seq);
            }
        }
    }

    fn flushed(&mut self, result: Result<(), LogError>) {
        match result {
            Ok(()) => {}
            Err(error) if error.failure() == Failure::Fatal => self.died(&error.to_string()),
            Err(error) => assert!(
                matches!(error.failure(), Failure::StorageFull | Failure::Retryable),
                "{error}"
            ),
        }
    }

    /// Flushes, and commits in the middle of it.
    fn meanwhile(&mut self, after: u64, all: bool, changes: &[Change]) {
        let (group, promised) = self.group(changes);
        let committed = Arc::new(Mutex::new(None));
        let writer = Arc::clone(&self.running().writer);
        let result = Arc::clone(&committed);
        self.disk.interrupt_at(self.disk.steps() + after, move || {
            let outcome = writer.lock().unwrap().commit(&group);
            *result.lock().unwrap() = Some(outcome);
        });
        let running = self.running();
        let flushed = if all {
            running.flusher.flush_all()
        } else {
            running.flusher.flush(u64::MAX)
        };
        self.disk.never_mind();
        self.see_starts();
        let outcome = committed.lock().unwrap().take();
        // A process that died in the commit died in the flush around it.
        match outcome {
            Some(Err(GroupError::Fatal { .. })) => self.ledger.maybe = Some(promised),
            Some(outcome) => {
                self.ledger.maybe = Some(promised);
                self.committed(outcome);
            }
            None => {}
        }
        match self.running().reader.stats().poisoned {
            Some(reason) => self.died(&reason),
            None => self.flushed(flushed.map(drop)),
        }
    }

    fn save_snapshot(&mut self, slot: u8, size: usize) {
        let uid = self.uid(slot);
        let Some(Promise {
            channel: promised, ..
        }) = self.ledger.acked.get(&uid)
        else {
            return;
        };
        self.written += 1;
        let mut bytes = vec![self.written.to_le_bytes()[0]; size.max(8)];
        bytes[..8].copy_from_slice(&self.written.to_le_bytes());
        let seq = promised.tail().seq;
        let snapshot = Some((seq, bytes.clone().into()));
        let holding = holding(&self.ledger.acked, uid);
        let possible = self.ledger.snapshots.entry(holding).or_insert(vec![None]);
        possible.push(snapshot.clone());
        let flusher = &mut self.running().flusher;
        let saved = flusher.save_snapshot(uid, holding.1, seq, &bytes);
        if saved.is_ok() {
            self.ledger.snapshots.insert(holding, vec![snapshot]);
        }
        self.flushed(saved);
    }

    // Reading.

    fn read(&mut self, slot: u8, from: u16, bytes: usize) {
        let uid = self.uid(slot);
        let Some(Promise {
            channel: promised, ..
        }) = self.ledger.acked.get(&uid)
        else {
            return;
        };
        let from = part(from, 0, promised.log.len());
        let seq = promised.position(from).seq.next();
        let Some(running) = &self.running else { return };
        match running.reader.read(uid, seq, bytes) {
            Ok(out) => {
                assert!(!out.batches.is_empty(), "nothing at {seq}");
                assert!(promised.log[from..].starts_with(&out.batches), "from {seq}");
            }
            Err(ReadError::BeyondTail { tail }) => {
                assert_eq!(tail, promised.tail());
                assert_eq!(from, promised.log.len());
            }
            Err(ReadError::Trimmed { log_start }) => {
                assert!(seq <= log_start.seq && log_start.seq <= promised.trim);
            }
            Err(error) => assert!(self.is_off(), "{error}"),
        }
    }

    /// Everything that is promised can be read from a store that runs.
    fn look(&mut self) {
        self.start();
        let Some(running) = &self.running else { return };
        for (
            uid,
            Promise {
                channel: promised, ..
            },
        ) in &self.ledger.acked
        {
            let stats = running.reader.channel_stats(*uid).unwrap();
            assert_eq!(stats.halted, None);
            assert_eq!(stats.tail, promised.tail());
            let read = read_all(&running.reader, *uid);
            assert_eq!(read, promised.readable(stats.log_start.seq));
        }
    }

    // Stops and starts.

    /// An orderly stop leaves nothing that a start would have to repair.
    fn rest(&mut self) {
        let before = self.starts;
        let flushed = self.running().flusher.flush_all();
        let is_clean = flushed.is_ok();
        self.see_starts();
        self.flushed(flushed.map(drop));
        if self.starts != before {
            return;
        }
        self.running = None;
        if is_clean && let Some(report) = self.report() {
            let untidy = |found: &&Finding| !matches!(found.kind, FindingKind::TornTail { .. });
            let meta = |found: &&Finding| found.path.to_string_lossy().contains("store.meta");
            let found = report.findings.iter().filter(untidy);
            assert_eq!(found.filter(|found| !meta(found)).count(), 0, "{report:?}");
        }
        self.start();
    }

    fn is_off(&self) -> bool {
        self.armed
            .is_some_and(|(step, _)| self.disk.steps() >= step)
    }

    /// The process cannot go on.
    fn died(&mut self, reason: &str) {
        let how = match (self.armed, self.fatal) {
            (Some((_, end)), _) if self.is_off() => end,
            (_, Some(end)) => end,
            _ => panic!("the store died for no reason: {reason}"),
        };
        self.end(how);
        self.start();
    }

    fn end(&mut self, how: End) {
        self.running = None;
        self.armed = None;
        match how {
            End::Kill => self.disk.cut_power_at(u64::MAX),
            End::Power(seed) => {
                self.fatal = None;
                let mut random = seed | 1;
                self.disk = self.disk.crash(&mut |outcomes| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    usize::try_from(random >> 33).unwrap_or(0) % outcomes
                });
            }
        }
    }

    /// Looks at what is there, then opens it. What refuses is tried again.
    fn start(&mut self) {
        for _ in 0..STARTS {
            self.verify();
            let opened = open(
                Arc::new(self.disk.clone()),
                Path::new(DIR),
                self.options.clone(),
            );
            match opened {
                Ok(store) => {
                    self.ledger.settle(&store);
                    self.starts += 1;
                    self.running = Some(Running {
                        writer: Arc::new(Mutex::new(store.writer)),
                        flusher: store.flusher,
                        reader: store.reader,
                    });
                    return;
                }
                Err(error) if error.failure() == Failure::Fatal => {
                    let how = match (self.armed, self.fatal) {
                        (Some((_, end)), _) if self.is_off() => end,
                        (_, Some(end)) => end,
                        _ => panic!("not opened: {error}"),
                    };
                    self.end(how);
                }
                Err(error) => {
                    assert_ne!(error.failure(), Failure::Corrupt, "{error}");
                    self.disk.set_capacity(ROOMY);
                }
            }
        }
        panic!("the store does not start");
    }

    /// What `verify` says, if the power is on.
    fn report(&self) -> Option<VerifyReport> {
        match verify(&self.disk, Path::new(DIR)) {
            Err(_) if self.is_off() => None,
            report => Some(report.unwrap()),
        }
    }

    /// From outside nothing is wrong but what was torn.
    fn verify(&self) {
        let Some(report) = self.report() else { return };
        for finding in &report.findings {
            assert!(
                matches!(
                    finding.kind,
                    FindingKind::CopyLost | FindingKind::TornTail { .. }
                ),
                "verify: {finding}"
            );
        }
    }
}

/// A number from `low` to `high`, by a part of 65,536.
fn part(of: u16, low: usize, high: usize) -> usize {
    low + usize::from(of) * (high + 1 - low) / 65_536
}
