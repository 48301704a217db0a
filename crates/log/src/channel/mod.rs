//! One channel in memory: what the writer, the flusher and the readers share about it.
//!
//! Three threads meet here. The writer changes a [`View`] after its group is durable, readers look
//! at it, and the flusher takes [`Work`] out of it, does its file operations without holding
//! anything, and reports back what the files hold now.

pub(crate) mod state;
mod view;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tetrarch_wire::{ChannelConfig, ChannelUid, LogPosition};

use crate::flusher::ChannelFiles;
use crate::fork::Forks;
pub(crate) use view::{Cut, View, Work};

/// A channel of this store.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) uid: ChannelUid,
    pub(crate) name: String,
    pub(crate) genesis: ChannelConfig,
    view: Mutex<View>,
    files: Mutex<ChannelFiles>,
    forks: Mutex<Forks>,
}

impl Channel {
    pub(crate) fn new(
        uid: ChannelUid,
        name: String,
        genesis: ChannelConfig,
        view: View,
        files: ChannelFiles,
    ) -> Self {
        Self {
            uid,
            name,
            genesis,
            view: Mutex::new(view),
            files: Mutex::new(files),
            forks: Mutex::new(Forks::new()),
        }
    }

    /// What is shared. Never held during a file operation.
    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.view)
    }

    /// What belongs to the flusher; held while it works on the channel.
    pub(crate) fn files(&self) -> MutexGuard<'_, ChannelFiles> {
        lock(&self.files)
    }

    /// Where the log begins if nothing of it was trimmed.
    pub(crate) fn origin(&self) -> LogPosition {
        LogPosition::origin(self.genesis.genesis_link())
    }

    /// The forks that were cut off its log. Never held during a file operation.
    pub(crate) fn forks(&self) -> MutexGuard<'_, Forks> {
        lock(&self.forks)
    }

    /// Whether the channel belongs to the mesh itself, which never drops what is in it.
    pub(crate) fn is_protected(&self) -> bool {
        self.name.starts_with("__")
    }
}

/// A panic elsewhere does not make plain data unreadable: every critical section leaves it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
