//! Looking at what a power cut or a kill has left. Everything that was reported durable must be
//! there, and besides it at most what was under way, whole; what a start has shown must stay,
//! although the power goes again right after it; and the store must go on from there.

use std::path::Path;
use std::sync::Arc;

use tetrarch_wire::{Batch, Boot, ChannelUid, Epoch, Seq, VoterId};

use super::batches::{channel_uid, draft, identity, open_op};
use super::choice::decided;
use super::life::{DIR, ROOMY};
use super::promise::{Found, Ledger, Promises, apply};
use crate::{
    CrashDisk, Disk, Failure, Finding, FindingKind, GroupError, LogError, OpenedStore,
    RecoveredChannel, StoreOptions, WriteOp, WriteRequest, format, open, verify,
};

/// The channel that is opened after every power cut.
const NEW_CHANNEL: u8 = 250;
/// An epoch above all that scripts use.
const LATE: u64 = 1_000_000;

/// What an image turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What was under way is there.
    pub(crate) is_more: bool,
    /// The directory was not a store yet.
    pub(crate) is_unformatted: bool,
    /// A start was refused for want of room.
    pub(crate) is_refused: bool,
}

/// Judges an image.
pub(crate) struct Judge<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) options: &'a StoreOptions,
}

impl Judge<'_> {
    /// Panics if something is wrong. `how` chooses one of several ways to go on.
    pub(crate) fn look(&self, image: &CrashDisk, how: u64) -> Outcome {
        let mut outcome = Outcome::default();
        check_from_outside(image, self.ledger);
        let store = self.opened(image, &mut outcome);
        let found = self.ledger.explain(&store);
        outcome.is_more = found.is_more;
        let mut shown = self.ledger.clone();
        shown.settle(&store);
        shown.is_formatted = true;
        drop(store);
        let again = decided(image, &[]);
        let store = self.started(&again);
        let same = shown.explain(&store);
        assert!(
            lasting(&same) == lasting(&found),
            "the second start shows another store"
        );
        again.set_capacity(ROOMY);
        let after = go_on(store, &found, how);
        shown.boot = shown.boot.map(Boot::next);
        shown.acked = after;
        check_from_outside(&again, &shown);
        let last = decided(&again, &[]);
        shown.explain(&self.started(&last));
        outcome
    }

    /// Opens the image. It may refuse only if it was never formatted, or the disk is full and
    /// nothing was set aside.
    fn opened(&self, image: &CrashDisk, outcome: &mut Outcome) -> OpenedStore<CrashDisk> {
        match self.open(image) {
            Ok(store) => return checked(store),
            Err(LogError::NotFormatted { .. }) if !self.ledger.is_formatted => {
                outcome.is_unformatted = true;
                format(image, Path::new(DIR), &identity())
                    .unwrap_or_else(|error| panic!("not formatted once more: {error}"));
            }
            Err(error) if error.failure() == Failure::StorageFull => {
                let ballast = Path::new(DIR).join("ballast");
                let has_ballast = image.exists(&ballast).unwrap_or(false);
                assert!(!has_ballast, "no room in spite of the ballast: {error}");
                outcome.is_refused = true;
                image.set_capacity(ROOMY);
            }
            Err(error) => panic!("not opened: {error}"),
        }
        self.started(image)
    }

    fn started(&self, image: &CrashDisk) -> OpenedStore<CrashDisk> {
        let opened = self.open(image);
        checked(opened.unwrap_or_else(|error| panic!("not opened: {error}")))
    }

    pub(crate) fn open(&self, image: &CrashDisk) -> Result<OpenedStore<CrashDisk>, LogError> {
        let disk = Arc::new(image.clone());
        open(disk, Path::new(DIR), self.options.clone())
    }
}

/// What a start has shown and every later one must show. A snapshot may be followed by
/// the one before: the log that was trimmed does not depend on it yet. What is missing from the write-ahead
/// log one start notices, and limbo is what stays of it.
fn lasting(found: &Found) -> Vec<(RecoveredChannel, &[Batch])> {
    let channels = found.channels.iter().map(|(channel, read)| {
        let channel = RecoveredChannel {
            snapshot: None,
            doubt: None,
            ..channel.clone()
        };
        (channel, &read[..])
    });
    channels.collect()
}

fn checked(store: OpenedStore<CrashDisk>) -> OpenedStore<CrashDisk> {
    assert_eq!(store.identity, identity());
    store
}

/// `verify` finds nothing but what a power cut may leave, and what was damaged before.
fn check_from_outside(image: &CrashDisk, ledger: &Ledger) {
    let report = match verify(image, Path::new(DIR)) {
        Err(LogError::NotFormatted { .. }) if !ledger.is_formatted => return,
        report => report.unwrap_or_else(|error| panic!("not verified: {error}")),
    };
    for finding in &report.findings {
        assert!(is_allowed(finding, ledger), "verify: {finding}");
    }
}

fn is_allowed(finding: &Finding, ledger: &Ledger) -> bool {
    let damaged = |uid: ChannelUid| {
        let promise = ledger.acked.get(&uid);
        ledger.lost.contains(&uid) || promise.is_some_and(|one| one.is_damaged)
    };
    match &finding.kind {
        FindingKind::CopyLost | FindingKind::TornTail { .. } => true,
        FindingKind::Damage(_) | FindingKind::Halted(_) => match finding.channel {
            Some(uid) => damaged(uid),
            None => ledger.acked.keys().copied().any(damaged),
        },
        FindingKind::SegmentHeader | FindingKind::Snapshot | FindingKind::Fork(_) => false,
    }
}

/// Writes to every channel and to a new one, and lets the flusher do nothing, what is due, or all.
/// Gives what the store has promised then.
fn go_on(mut store: OpenedStore<CrashDisk>, found: &Found, how: u64) -> Promises {
    let mut promises = found.promises.clone();
    let mut group: Vec<WriteRequest> = promises
        .iter()
        .map(|(uid, promise)| {
            let tail = promise.channel.tail();
            let epoch = Epoch::new(LATE, VoterId::NONE);
            let batch = draft(&uid.as_bytes()[..8]).seal(&tail, epoch, LATE);
            let state = WriteOp::HardState(tetrarch_wire::HardState {
                epoch_seen: epoch,
                voted_for: None,
                limbo: promise.channel.hard_state.limbo,
            });
            let mut ops = match promise.is_damaged {
                true => vec![state],
                false => vec![state, WriteOp::Append(vec![batch])],
            };
            if !promise.channel.is_held {
                ops.insert(0, WriteOp::TakeUp);
            }
            WriteRequest { channel: *uid, ops }
        })
        .collect();
    group.push(WriteRequest {
        channel: channel_uid(NEW_CHANNEL),
        ops: vec![open_op("new"), WriteOp::Trim { upto: Seq::ZERO }],
    });
    loop {
        match store.writer.commit(&group) {
            Ok(report) => break assert_eq!(report.refused, []),
            Err(GroupError::WalFull) => flushed(store.flusher.flush(u64::MAX)),
            Err(error) => panic!("the store does not go on: {error}"),
        }
    }
    match how % 3 {
        0 => {}
        1 => flushed(store.flusher.flush(u64::MAX)),
        _ => flushed(store.flusher.flush_all()),
    }
    group
        .iter()
        .for_each(|request| apply(&mut promises, request));
    promises
}

fn flushed<T>(flushed: Result<T, LogError>) {
    if let Err(error) = flushed {
        panic!("the store does not go on: {error}");
    }
}
