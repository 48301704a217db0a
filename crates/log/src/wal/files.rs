//! The files of the WAL: the one that is written, the full ones that wait for the flusher, and
//! the ones that are ready to be written next.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::channel::lock;
use crate::disk::DiskError;
use crate::lsn::Lsn;

/// A file to write groups to.
#[derive(Debug)]
pub(crate) struct WalFile<F> {
    pub(crate) incarnation: u64,
    pub(crate) file: F,
    pub(crate) len: u64,
}

/// A file that no more groups go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FullFile {
    pub(crate) incarnation: u64,
    /// The last record in it.
    pub(crate) last_lsn: Lsn,
}

/// All files of the WAL but the one that is written.
#[derive(Debug)]
pub(crate) struct WalFiles<F> {
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    full: VecDeque<FullFile>,
    ready: VecDeque<WalFile<F>>,
    /// Why there is no ready file, if the disk is the reason.
    shortage: Option<DiskError>,
}

impl<F> WalFiles<F> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                full: VecDeque::new(),
                ready: VecDeque::new(),
                shortage: None,
            }),
        }
    }

    /// Exchanges the file that is written for a ready one.
    pub(crate) fn roll_over(
        &self,
        current: &mut WalFile<F>,
        last_lsn: Lsn,
    ) -> Result<(), Option<DiskError>> {
        let mut state = lock(&self.state);
        let Some(next) = state.ready.pop_front() else {
            return Err(state.shortage.as_ref().map(DiskError::duplicate));
        };
        state.full.push_back(FullFile {
            incarnation: current.incarnation,
            last_lsn,
        });
        *current = next;
        Ok(())
    }

    /// The full file that has waited longest.
    pub(crate) fn oldest_full(&self) -> Option<FullFile> {
        lock(&self.state).full.front().copied()
    }

    /// The oldest file that will count once `oldest_full` is gone; `None` if it is the one that is
    /// written.
    pub(crate) fn second_full(&self) -> Option<FullFile> {
        lock(&self.state).full.get(1).copied()
    }

    /// The oldest full file is not needed any more.
    pub(crate) fn forget_oldest_full(&self) {
        lock(&self.state).full.pop_front();
    }

    /// A file can be written next.
    pub(crate) fn add_ready(&self, file: WalFile<F>) {
        let mut state = lock(&self.state);
        state.ready.push_back(file);
        state.shortage = None;
    }

    /// The disk has no room for another file.
    pub(crate) fn set_shortage(&self, error: DiskError) {
        lock(&self.state).shortage = Some(error);
    }

    /// How many files are full and how many ready.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.full.len(), state.ready.len())
    }
}
