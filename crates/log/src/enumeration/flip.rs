//! Bytes that change after they were durable. Whatever byte of a data directory it is: nothing wrong
//! is ever read, nothing panics, no older vote comes back and nothing that was deleted; and what was
//! acknowledged is there, or the store says that it is not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tetrarch_wire::{ChannelUid, Seq};

use super::batches::read_on;
use super::life::DIR;
use super::promise::{Promise, Promises, holding};
use super::said;
use super::sample::{Condition, Sample};
use super::tally::Violation;
use crate::channel::lock;
use crate::wal::group::GroupHeader;
use crate::{
    CrashDisk, Finding, FindingKind, LogError, OpenedStore, RecoveredChannel, VerifyReport, open,
    verify,
};

/// What came of one flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Everything is there: the byte is no part of anything, or there is another copy of it.
    Harmless,
    /// `verify` names it, and the store says so: a channel is halted or lost, a read is refused, or
    /// the directory is not opened.
    Noticed,
    /// The last group was taken for one that a power cut has torn.
    Torn,
}

/// What the flips have come to.
#[derive(Clone, Debug, Default)]
pub struct Flips {
    /// Bytes of the data directory.
    pub bytes: u64,
    /// Flips tried.
    pub flips: u64,
    /// After so many everything was there.
    pub harmless: u64,
    /// So many were noticed.
    pub noticed: u64,
    /// So many made the last group look torn.
    pub torn: u64,
    /// What was wrong.
    pub violations: Vec<Violation>,
}

/// Which bits of a byte are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// One of them.
    One,
    /// Each by itself, and all of them together.
    Each,
}

impl Bits {
    pub(crate) fn masks(self, offset: usize) -> Vec<u8> {
        match self {
            Self::One => vec![1 << (offset % 8)],
            Self::Each => (0..8).map(|bit| 1 << bit).chain([0xff]).collect(),
        }
    }
}

/// Flips every byte of a sample directory, `size` times as large as the smallest.
#[must_use]
pub fn flips(condition: Condition, size: usize, bits: Bits, threads: usize) -> Flips {
    let sample = Sample::make(condition, size);
    let files = sample.disk.files();
    let places: Vec<(&PathBuf, usize)> = files
        .iter()
        .flat_map(|(path, bytes)| (0..bytes.len()).map(move |offset| (path, offset)))
        .collect();
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Flips {
        bytes: places.len() as u64,
        ..Flips::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let sample = Sample {
                    disk: sample.disk.killed(),
                    options: sample.options.clone(),
                    ledger: sample.ledger.clone(),
                    before: sample.before.clone(),
                    last: sample.last.clone(),
                };
                while let Some((path, offset)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for mask in bits.masks(*offset) {
                        let effect = sample.flip(path, *offset as u64, mask);
                        lock(&total).add(effect);
                    }
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Flips {
    pub(crate) fn add(&mut self, effect: Result<Effect, Violation>) {
        self.flips += 1;
        match effect {
            Ok(Effect::Harmless) => self.harmless += 1,
            Ok(Effect::Noticed) => self.noticed += 1,
            Ok(Effect::Torn) => self.torn += 1,
            Err(violation) => self.violations.push(violation),
        }
    }
}

impl Sample {
    fn flip(&self, path: &Path, offset: u64, mask: u8) -> Result<Effect, Violation> {
        let disk = self.disk.killed();
        disk.flip(path, offset, mask);
        let last = self.last.as_ref();
        let last = last.filter(|(last, range)| last == path && range.contains(&offset));
        let in_last = last.map(|(_, range)| offset - range.start);
        watched((path, offset, mask), || self.judge(&disk, in_last))
    }

    /// `in_last` is the place of the byte in the last group, if it is there.
    fn judge(&self, disk: &CrashDisk, in_last: Option<u64>) -> Effect {
        let report = verify(disk, Path::new(DIR));
        let store = match self.open(disk) {
            Ok(store) => store,
            Err(error) => {
                assert!(!is_intact(&report), "verify does not see: {error}");
                return Effect::Noticed;
            }
        };
        let promised = &self.ledger.acked;
        if let Some(place) = in_last
            && self.holds(&store, &self.before)
            && !self.holds(&store, promised)
        {
            let is_header = place < GroupHeader::LEN as u64;
            assert!(is_header || is_called_torn(&report), "verify is silent");
            return Effect::Torn;
        }
        let known = store.channels.iter().map(|found| found.channel);
        for uid in known.chain(store.lost.iter().map(|(uid, _)| *uid)) {
            assert!(promised.contains_key(&uid), "{uid} came back");
        }
        if self.holds(&store, promised) {
            return Effect::Harmless;
        }
        assert!(!is_intact(&report), "verify does not see it");
        self.check_damaged(&store);
        drop(store);
        // What was found once is not forgotten, though the bytes that showed it are gone.
        let later = self.open(disk);
        let later = later.unwrap_or_else(|error| panic!("not opened again: {error}"));
        assert!(!self.holds(&later, promised), "the damage is forgotten");
        self.check_damaged(&later);
        Effect::Noticed
    }

    fn check_damaged(&self, store: &OpenedStore<CrashDisk>) {
        for (uid, promise) in &self.ledger.acked {
            self.check_channel(store, *uid, promise);
            if store.channels.iter().any(|found| found.channel == *uid) {
                self.ledger.forks.check_damaged(&store.reader, *uid);
            }
        }
    }

    /// Everything is as it was promised.
    fn holds(&self, store: &OpenedStore<CrashDisk>, promises: &Promises) -> bool {
        holds(store, promises) && self.ledger.forks.are_whole(&store.reader)
    }

    pub(crate) fn open(&self, disk: &CrashDisk) -> Result<OpenedStore<CrashDisk>, LogError> {
        open(Arc::new(disk.clone()), Path::new(DIR), self.options.clone())
    }

    /// A channel of which something is missing says so; what it gives is right.
    fn check_channel(&self, store: &OpenedStore<CrashDisk>, uid: ChannelUid, promise: &Promise) {
        let Some(found) = store.channels.iter().find(|found| found.channel == uid) else {
            let is_lost = store.lost.iter().any(|(lost, _)| *lost == uid);
            assert!(is_lost, "{uid} is gone");
            return;
        };
        let (read, refused) = read_on(&store.reader, uid);
        let right = promise.channel.readable(found.log_start.seq);
        assert!(right.starts_with(&read), "{uid}: wrong batches");
        let is_in_limbo = found.hard_state.limbo.is_some();
        let says_so = found.halted.is_some() || is_in_limbo || refused.is_some();
        let is_whole = read.len() == right.len() && is_known(found, promise);
        assert!(is_whole || says_so, "{uid}: a loss is hidden");
        let promised = promise.channel.hard_state.epoch_seen;
        if found.halted.is_none() && !is_in_limbo {
            assert!(is_known(found, promise), "{uid}: {found:?}");
        }
        if is_in_limbo {
            assert!(
                found.hard_state.epoch_seen.n > promised.n,
                "{uid}: a vote that may be forgotten"
            );
        } else {
            assert!(
                found.hard_state.epoch_seen <= promised,
                "{uid}: a vote that was never promised"
            );
        }
        let holding = holding(&self.ledger.acked, uid);
        let known = self.ledger.snapshots.get(&holding);
        let is_promised = known.is_some_and(|known| known.contains(&found.snapshot));
        assert!(
            found.snapshot.is_none() || is_promised,
            "{uid}: wrong snapshot"
        );
    }
}

/// A panic, of the store or of the judge, is a violation.
pub(crate) fn watched(
    (path, offset, mask): (&Path, u64, u8),
    judge: impl FnOnce() -> Effect,
) -> Result<Effect, Violation> {
    catch_unwind(AssertUnwindSafe(judge)).map_err(|panic| Violation {
        place: format!("{}:{offset}:{mask:02x}", path.display()),
        before: "a start".to_owned(),
        why: said(&*panic),
    })
}

/// The channels are as they were promised.
fn holds(store: &OpenedStore<CrashDisk>, promises: &Promises) -> bool {
    store.lost.is_empty()
        && store.channels.len() == promises.len()
        && store.channels.iter().all(|found| {
            let promise = promises.get(&found.channel);
            promise.is_some_and(|promise| {
                let (read, refused) = read_on(&store.reader, found.channel);
                found.halted.is_none()
                    && refused.is_none()
                    && is_known(found, promise)
                    && read == promise.channel.readable(found.log_start.seq)
            })
        })
}

/// All but the events.
fn is_known(found: &RecoveredChannel, promise: &Promise) -> bool {
    found.hard_state == promise.channel.hard_state
        && found.is_held == promise.channel.is_held
        && found.reached == promise.channel.reached
        && found.releases == promise.channel.releases
        && found.commit_hint == promise.channel.hint
        && found.log_start.seq <= promise.channel.trim
        && found.tail == promise.channel.tail()
        && (found.snapshot.is_some() || found.log_start.seq == Seq::ZERO)
}

fn is_intact(report: &Result<VerifyReport, LogError>) -> bool {
    report.as_ref().is_ok_and(VerifyReport::is_intact)
}

fn is_called_torn(report: &Result<VerifyReport, LogError>) -> bool {
    let is_torn = |found: &Finding| matches!(found.kind, FindingKind::TornTail { .. });
    report
        .as_ref()
        .is_ok_and(|report| report.findings.iter().any(is_torn))
}
