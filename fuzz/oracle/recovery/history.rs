//! The life of a small store, from its formatting to the stop before it is damaged.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use tetrarch_log::{
    CrashDisk, Failure, GroupError, LogError, OpenedStore, StoreIdentity, StoreOptions, format,
    open,
};
use tetrarch_wire::{
    Boot, ChannelClass, ChannelConfig, ChannelUid, ClusterId, NodeId, StoreId, Voter,
};

use super::{
    Cursor,
    ledger::Ledger,
    wal::{self, Files, Group},
};

pub(super) const DIR: &str = "/store";
const BLOCK: u64 = 4096;
/// Versions of the files that are kept, to be put back later.
const VERSIONS: usize = 4;

/// A store that has stopped.
pub(super) struct Past {
    pub(super) disk: CrashDisk,
    pub(super) files: Files,
    /// What the files were at earlier times.
    pub(super) earlier: Vec<Files>,
    pub(super) ledger: Ledger,
    /// The groups of the last start, those that it wrote while it opened first.
    pub(super) groups: Vec<Group>,
    /// How many of them those are.
    pub(super) while_opening: usize,
    /// Of each group of requests since then, which group of the log it is.
    pub(super) placed: Vec<(u64, u64)>,
    pub(super) options: StoreOptions,
}

pub(super) struct History {
    disk: CrashDisk,
    options: StoreOptions,
    store: Option<OpenedStore<CrashDisk>>,
    pub(super) ledger: Ledger,
    earlier: Vec<Files>,
    /// Numbers groups of requests over all starts.
    pub(super) group: u64,
    boot: Boot,
    while_opening: usize,
    placed: Vec<(u64, u64)>,
    pub(super) epoch: u64,
    /// Makes every payload another.
    pub(super) written: u64,
    /// Which channel is in each slot; deleted ones do not come back.
    pub(super) lives: [u8; 3],
}

/// The configuration of every channel.
pub(super) static GENESIS: LazyLock<ChannelConfig> = LazyLock::new(|| {
    let voter = Voter {
        node: NodeId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
    };
    ChannelConfig::genesis(ChannelClass::Quorum, vec![voter]).expect("one voter is a genesis")
});

/// A store that was just formatted: the same for every life.
static FORMATTED: LazyLock<CrashDisk> = LazyLock::new(|| {
    let disk = CrashDisk::new();
    let identity = StoreIdentity {
        cluster: ClusterId::from_bytes([1; 16]),
        node: NodeId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
        name: "n1".to_owned(),
        genesis: Bytes::from_static(b"genesis"),
    };
    format(&disk, Path::new(DIR), &identity).expect("an empty disk can be formatted");
    disk
});

impl History {
    pub(super) fn begin(cursor: &mut Cursor<'_>) -> Self {
        let mut history = Self {
            disk: FORMATTED.crash(&mut |_| 1),
            options: options(cursor),
            store: None,
            ledger: Ledger::default(),
            earlier: Vec::new(),
            group: 0,
            boot: Boot::new(0),
            while_opening: 0,
            placed: Vec::new(),
            epoch: 1,
            written: 0,
            lives: [0; 3],
        };
        history.start();
        history
    }

    pub(super) fn live(&mut self, cursor: &mut Cursor<'_>) {
        while !cursor.is_empty() {
            self.act(cursor);
        }
    }

    fn act(&mut self, cursor: &mut Cursor<'_>) {
        match cursor.byte() {
            0..=159 => self.commit(cursor),
            160..=184 => {
                let budget = cursor.pick(&[u64::MAX, 1, 3_000]);
                self.flush(|store| store.flusher.flush(budget).map(drop));
            }
            185..=204 => self.flush(|store| store.flusher.flush_all().map(drop)),
            205..=214 => self.save_snapshot(cursor),
            215..=219 => self.flush(|store| store.flusher.purge_deleted().map(drop)),
            220..=234 => {
                self.store = None;
                self.start();
            }
            235..=255 => self.note_files(),
        }
    }

    fn start(&mut self) {
        let opened = open(
            Arc::new(self.disk.clone()),
            Path::new(DIR),
            self.options.clone(),
        );
        let store = opened.unwrap_or_else(|error| panic!("an undamaged store: {error}"));
        self.boot = store.boot;
        self.store = Some(store);
        self.while_opening = wal::groups(&files(&self.disk), self.boot).len();
        self.placed.clear();
    }

    /// The store stops: in good order, or with its power cut before the next group is durable.
    pub(super) fn end(mut self, cursor: &mut Cursor<'_>) -> Past {
        if cursor.happens(64) {
            let steps = u64::from(cursor.byte() % 8);
            self.disk.cut_power_at(self.disk.steps() + steps);
            self.commit_unreported(cursor);
            self.store = None;
            let mut answer = usize::from(cursor.byte());
            let step = usize::from(cursor.byte()) | 1;
            self.disk = self.disk.crash(&mut |outcomes| {
                answer = answer.wrapping_add(step);
                answer % outcomes
            });
        } else {
            self.store = None;
            self.disk = self.disk.crash(&mut |_| 1);
        }
        let files = files(&self.disk);
        Past {
            groups: wal::groups(&files, self.boot),
            files,
            disk: self.disk,
            earlier: self.earlier,
            ledger: self.ledger,
            while_opening: self.while_opening,
            placed: self.placed,
            options: self.options,
        }
    }

    fn store(&mut self) -> &mut OpenedStore<CrashDisk> {
        self.store.as_mut().expect("a store runs between acts")
    }

    fn commit(&mut self, cursor: &mut Cursor<'_>) {
        let requests = self.requests(cursor);
        loop {
            match self.store().writer.commit(&requests) {
                Ok(report) => {
                    assert_eq!(report.refused, []);
                    self.ledger.gives(self.group, &requests);
                    self.ledger.reports(self.group);
                    self.placed.push((self.group, report.group));
                    return;
                }
                Err(GroupError::WalFull) => {
                    self.flush(|store| store.flusher.flush(u64::MAX).map(drop));
                }
                // Refused as a whole, before anything was written.
                Err(GroupError::TooLarge { .. }) => return,
                Err(error) => panic!("an undamaged disk with room: {error}"),
            }
        }
    }

    /// A group of which nobody is told what became of it.
    fn commit_unreported(&mut self, cursor: &mut Cursor<'_>) {
        let requests = self.requests(cursor);
        self.ledger.gives(self.group, &requests);
        match self.store().writer.commit(&requests) {
            Ok(report) => {
                self.ledger.reports(self.group);
                self.placed.push((self.group, report.group));
            }
            Err(GroupError::WalFull | GroupError::TooLarge { .. }) => {
                self.ledger.forgets_after(self.group - 1);
            }
            Err(_) => {}
        }
    }

    fn flush(&mut self, work: impl FnOnce(&mut OpenedStore<CrashDisk>) -> Result<(), LogError>) {
        if let Err(error) = work(self.store()) {
            assert_eq!(error.failure(), Failure::Retryable, "{error}");
        }
    }

    fn save_snapshot(&mut self, cursor: &mut Cursor<'_>) {
        let channels: Vec<ChannelUid> = self.ledger.steps.keys().copied().collect();
        if channels.is_empty() {
            return;
        }
        let channel = cursor.pick(&channels);
        if let Some(state) = self.ledger.now(channel).filter(|state| state.is_held) {
            let seq = state.tail().seq;
            let bytes = Bytes::from(vec![cursor.byte(); 1 + cursor.below(100)]);
            let holding = state.releases;
            let flusher = &mut self.store().flusher;
            let saved = flusher.save_snapshot(channel, holding, seq, &bytes);
            saved.unwrap_or_else(|error| panic!("{error}"));
            let snapshots = self.ledger.snapshots.entry(channel).or_default();
            snapshots.push((seq, bytes));
        }
    }

    fn note_files(&mut self) {
        if self.earlier.len() == VERSIONS {
            self.earlier.remove(0);
        }
        self.earlier.push(files(&self.disk));
    }
}

pub(super) fn files(disk: &CrashDisk) -> Files {
    disk.files().into_iter().collect()
}

/// So small that a short life fills files and rolls over.
fn options(cursor: &mut Cursor<'_>) -> StoreOptions {
    let large = cursor.happens(100);
    StoreOptions {
        wal_file_bytes: Some(if large { 12 } else { 8 } * BLOCK),
        wal_files_max: cursor.pick(&[3, 4]),
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
