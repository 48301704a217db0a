//! Power cuts. A scripted life of a store is cut after every block, sync and change of a name;
//! of everything that was not synced then, every combination (or a sample, where there are too
//! many) of lost, kept and torn is looked at. Whatever was acknowledged must be there, whatever
//! was not may be there whole or not at all, and the store must go on from it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tetrarch_wire::{Batch, ChannelUid, Epoch, HardState, Seq, VoterId};

use super::{Log, channel_uid, identity, open_op, read_all, request};
use crate::{
    CrashDisk, GroupError, LogError, OpenedStore, StoreOptions, WriteOp, WriteRequest, format, open,
};

const DIR: &str = "/store";

/// So small that a short life fills WAL files and segments.
pub(super) fn tiny() -> StoreOptions {
    StoreOptions {
        wal_file_bytes: Some(8 * 4096),
        wal_files_max: 3,
        group_max_bytes: 16 * 1024,
        pending_max_bytes: 64 * 1024,
        flush_trigger_bytes: 6 * 1024,
        segment_bytes: 5 * 1024,
        index_interval_bytes: 1024,
        ballast_bytes: Some(32 * 4096),
        open_files_max: 2,
        segment_sync_bytes: 4 * 1024,
        ..StoreOptions::default()
    }
}

/// What a channel was promised to be.
#[derive(Clone, Debug, PartialEq)]
struct Promise {
    log: Vec<Batch>,
    hard_state: HardState,
    trimmed: Seq,
}

type Promises = BTreeMap<ChannelUid, Promise>;

/// What is acknowledged, and what the group that is on its way would make of it.
#[derive(Default)]
struct Ledger {
    acked: Promises,
    maybe: Option<Promises>,
}

fn apply(promises: &mut Promises, request: &WriteRequest) {
    for op in &request.ops {
        if let WriteOp::Delete = op {
            promises.remove(&request.channel);
            continue;
        }
        let promise = promises.entry(request.channel).or_insert(Promise {
            log: Vec::new(),
            hard_state: HardState::INITIAL,
            trimmed: Seq::ZERO,
        });
        match op {
            WriteOp::Append(batches) => promise.log.extend(batches.iter().cloned()),
            WriteOp::Truncate(at) => promise.log.retain(|batch| batch.last_seq() <= at.seq),
            WriteOp::HardState(state) => promise.hard_state = *state,
            WriteOp::Trim { upto } => promise.trimmed = *upto,
            WriteOp::Open { .. } | WriteOp::CommitHint(_) | WriteOp::Delete => {}
        }
    }
}

/// One life; ends early when the power goes.
struct Life<'a> {
    disk: &'a CrashDisk,
    store: OpenedStore<CrashDisk>,
    ledger: &'a mut Ledger,
}

impl<'a> Life<'a> {
    fn begin(disk: &'a CrashDisk, ledger: &'a mut Ledger) -> Option<Self> {
        let store = open(Arc::new(disk.clone()), Path::new(DIR), tiny()).ok()?;
        Some(Self {
            disk,
            store,
            ledger,
        })
    }

    fn commit(&mut self, group: &[WriteRequest]) -> Option<()> {
        let mut after = self.ledger.acked.clone();
        group.iter().for_each(|request| apply(&mut after, request));
        self.ledger.maybe = Some(after.clone());
        loop {
            match self.store.writer.commit(group) {
                Ok(report) => {
                    assert_eq!(report.refused, []);
                    self.ledger.acked = after;
                    self.ledger.maybe = None;
                    return Some(());
                }
                Err(GroupError::WalFull) => {
                    self.store.flusher.flush(u64::MAX).ok()?;
                }
                Err(GroupError::Fatal { .. }) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn flush(&mut self) -> Option<()> {
        self.store.flusher.flush(u64::MAX).ok().map(drop)
    }

    fn restart(self) -> Option<Self> {
        let Self {
            disk,
            store,
            ledger,
        } = self;
        drop(store);
        Self::begin(disk, ledger)
    }
}

fn vote(n: u64) -> WriteOp {
    WriteOp::HardState(HardState {
        epoch_seen: Epoch::new(n, VoterId::from_bytes([7; 16])),
        voted_for: Some(VoterId::from_bytes([7; 16])),
    })
}

/// A life with everything in it. `None` if the power went.
fn live(disk: &CrashDisk, ledger: &mut Ledger) -> Option<()> {
    let (mut a, mut b, mut c) = (Log::numbered(1), Log::numbered(2), Log::numbered(3));
    let append = |channel, batches| request(channel, vec![WriteOp::Append(batches)]);
    let mut life = Life::begin(disk, ledger)?;
    life.commit(&[
        request(1, vec![open_op("a")]),
        request(2, vec![open_op("b"), vote(1)]),
    ])?;
    life.commit(&[append(1, a.batches(3, 900)), append(2, b.batches(2, 60))])?;
    life.commit(&[
        append(1, a.batches(6, 1500)),
        request(3, vec![open_op("c")]),
    ])?;
    life.flush()?;
    life.commit(&[append(3, c.batches(4, 300)), request(1, vec![vote(2)])])?;
    life.store.flusher.flush_all().ok()?;
    // A truncation into what a checkpoint counts, and one into what memory holds.
    a.truncate(5);
    let cut = WriteOp::Truncate(a.tail());
    life.commit(&[request(1, vec![cut, WriteOp::Append(a.batches(3, 700))])])?;
    a.truncate(6);
    let cut = WriteOp::Truncate(a.tail());
    life.commit(&[request(1, vec![cut, WriteOp::Append(a.batches(2, 700))])])?;
    life.store
        .flusher
        .save_producers(channel_uid(2), Seq::new(2), b"producers")
        .ok()?;
    life.store.flusher.flush_all().ok()?;
    life = life.restart()?;
    life.commit(&[append(2, b.batches(4, 2000)), request(1, vec![vote(3)])])?;
    life.commit(&[append(2, b.batches(4, 2000))])?;
    life.flush()?;
    life.commit(&[request(2, vec![WriteOp::Trim { upto: Seq::new(5) }])])?;
    life.commit(&[request(3, vec![WriteOp::Delete])])?;
    life.flush()?;
    for _ in 0..4 {
        life.commit(&[append(1, a.batches(2, 1800)), append(2, b.batches(1, 100))])?;
    }
    life = life.restart()?;
    life.commit(&[append(1, a.batches(1, 100))])?;
    life.store.flusher.flush_all().ok()?;
    life.commit(&[append(2, b.batches(1, 100))])?;
    life.restart().map(drop)
}

fn formatted() -> CrashDisk {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    disk
}

/// Opens what a power cut left and holds it against the ledger.
fn check(disk: &CrashDisk, ledger: &Ledger, what: &str) {
    let mut store = open(Arc::new(disk.clone()), Path::new(DIR), tiny())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    compare(&store, ledger, what);
    go_on(&mut store, what);
    drop(store);
    let again = open(Arc::new(disk.clone()), Path::new(DIR), tiny())
        .unwrap_or_else(|error| panic!("{what}, once more: {error}"));
    assert!(
        again.channels.iter().all(|found| found.halted.is_none()),
        "{what}"
    );
}

fn compare(store: &OpenedStore<CrashDisk>, ledger: &Ledger, what: &str) {
    assert_eq!(store.lost, [], "{what}");
    let mut found = Promises::new();
    for channel in &store.channels {
        assert_eq!(channel.halted, None, "{what}: {}", channel.name);
        let log = read_all(&store.reader, channel.channel);
        let promise = Promise {
            log,
            hard_state: channel.hard_state,
            trimmed: channel.log_start.seq,
        };
        found.insert(channel.channel, promise);
    }
    let kept = |promises: &Promises| {
        found.keys().eq(promises.keys())
            && found
                .iter()
                .zip(promises.values())
                .all(|((_, found), promised)| fulfils(found, promised))
    };
    let maybe = ledger.maybe.as_ref().is_some_and(kept);
    assert!(
        kept(&ledger.acked) || maybe,
        "{what}:\nfound {found:#?}\nacked {:#?}\nor {:#?}",
        ledger.acked,
        ledger.maybe
    );
}

fn fulfils(found: &Promise, promised: &Promise) -> bool {
    let kept = promised
        .log
        .iter()
        .filter(|batch| batch.base_seq() > found.trimmed);
    found.trimmed <= promised.trimmed
        && found.hard_state == promised.hard_state
        && found.log.iter().eq(kept)
}

/// The store must take more after any power cut.
fn go_on(store: &mut OpenedStore<CrashDisk>, what: &str) {
    let Some(channel) = store.channels.first() else {
        return;
    };
    let mut log = Log::new();
    log.all = read_all(&store.reader, channel.channel);
    let state = HardState {
        epoch_seen: Epoch::new(1000, VoterId::NONE),
        voted_for: None,
    };
    let group = [WriteRequest {
        channel: channel.channel,
        ops: vec![WriteOp::HardState(state)],
    }];
    let report = store.writer.commit(&group);
    assert!(
        report.is_ok_and(|report| report.refused.is_empty()),
        "{what}"
    );
    store
        .flusher
        .flush(u64::MAX)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// Goes through all answers to a crash's questions, in order, up to a number of them; beyond that
/// it draws them.
struct Sweep {
    answers: Vec<(usize, usize)>,
    left: usize,
    random: u64,
    drawing: bool,
}

impl Sweep {
    fn new(images: usize, seed: u64) -> Self {
        Self {
            answers: Vec::new(),
            left: images,
            random: seed | 1,
            drawing: false,
        }
    }

    fn draw(&mut self, outcomes: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap_or(0) % outcomes
    }

    /// Every disk that `disk` can be after a power cut, up to the number of images.
    fn images(mut self, disk: &CrashDisk, mut check: impl FnMut(&CrashDisk)) -> usize {
        let total = self.left;
        let mut images = 0;
        loop {
            let mut asked = 0;
            let image = disk.crash(&mut |outcomes| {
                asked += 1;
                if self.drawing {
                    return self.draw(outcomes);
                }
                if self.answers.len() < asked {
                    self.answers.push((0, outcomes));
                }
                self.answers[asked - 1].0
            });
            check(&image);
            images += 1;
            if images == 1 {
                let combinations = self
                    .answers
                    .iter()
                    .fold(1_usize, |all, (_, outcomes)| all.saturating_mul(*outcomes));
                self.drawing = combinations > total;
            }
            self.left -= 1;
            if self.left == 0 || !(self.drawing || self.advance(asked)) {
                return images;
            }
        }
    }

    fn advance(&mut self, asked: usize) -> bool {
        self.answers.truncate(asked);
        while let Some((answer, outcomes)) = self.answers.pop() {
            if answer + 1 < outcomes {
                self.answers.push((answer + 1, outcomes));
                return true;
            }
        }
        false
    }
}

/// Images for each cut: a few by default, as many as `TETRARCH_CRASH_IMAGES` says.
fn images_per_cut() -> usize {
    std::env::var("TETRARCH_CRASH_IMAGES")
        .ok()
        .and_then(|number| number.parse().ok())
        .unwrap_or(9)
}

#[test]
fn no_power_cut_loses_or_invents_anything() {
    let whole = formatted();
    let begin = whole.steps();
    assert!(live(&whole, &mut Ledger::default()).is_some());
    let mut images = 0;
    for cut in begin..=whole.steps() {
        let disk = formatted();
        disk.cut_power_at(cut);
        let mut ledger = Ledger::default();
        live(&disk, &mut ledger);
        images += Sweep::new(images_per_cut(), cut).images(&disk, |image| {
            check(image, &ledger, &format!("cut at step {cut}"));
        });
    }
    println!("{} cuts, {images} images", whole.steps() - begin + 1);
}

#[test]
fn a_power_cut_during_recovery_changes_nothing() {
    let whole = formatted();
    let begin = whole.steps();
    live(&whole, &mut Ledger::default());
    let mut images = 0;
    for cut in (begin..=whole.steps()).step_by(17) {
        let disk = formatted();
        disk.cut_power_at(cut);
        let mut ledger = Ledger::default();
        live(&disk, &mut ledger);
        for answer in [1, 2] {
            let image = disk.crash(&mut |_| answer);
            for recovery_cut in 0.. {
                let recovering = image.crash(&mut |_| 1);
                recovering.cut_power_at(recovering.steps() + recovery_cut);
                let store = open(Arc::new(recovering.clone()), Path::new(DIR), tiny());
                let done = store.is_ok();
                drop(store);
                let seed = cut * 1000 + recovery_cut;
                images += Sweep::new(3, seed).images(&recovering, |image| {
                    check(image, &ledger, &format!("cuts at {cut} and {recovery_cut}"));
                });
                if done {
                    break;
                }
            }
        }
    }
    println!("{images} images");
}

#[test]
fn formatting_that_is_cut_short_can_be_done_again() {
    let steps = formatted().steps();
    for cut in 0..=steps {
        let disk = CrashDisk::new();
        disk.cut_power_at(cut);
        let finished = format(&disk, Path::new(DIR), &identity()).is_ok();
        Sweep::new(30, cut).images(&disk, |image| {
            let opened = open(Arc::new(image.clone()), Path::new(DIR), tiny());
            match opened.map(|store| store.identity) {
                Ok(found) => assert_eq!(found, identity()),
                Err(LogError::NotFormatted { .. }) => {
                    assert!(!finished, "cut at step {cut}");
                    format(image, Path::new(DIR), &identity()).unwrap();
                }
                Err(error) => panic!("cut at step {cut}: {error}"),
            }
        });
    }
}
