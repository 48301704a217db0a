//! The channels that are open on this node, and which of them share their series.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    cells::Cells,
    summary::{Summary, Totals},
};
use crate::telemetry::limit::{OTHER, SeriesLimit};

/// Names one opening of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpenId(u64);

/// The open channels.
#[derive(Debug)]
pub(in crate::telemetry) struct ChannelSet {
    limit: SeriesLimit,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    opened: u64,
    open: BTreeMap<OpenId, Arc<Cells>>,
    /// How many of them have series of their own.
    own: usize,
    /// What channels without series of their own had counted when they were closed: the counters
    /// that they share must not fall.
    closed: Totals,
    /// Whether there ever was a channel without series of its own.
    any_folded: bool,
}

impl ChannelSet {
    pub(in crate::telemetry) fn new(limit: SeriesLimit) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    /// Opens a channel. Whether it has series of its own is settled here, until it is closed.
    pub(super) fn open(&self, name: &str) -> (OpenId, Arc<Cells>) {
        let mut state = self.lock();
        let own = self.limit.admits(name, state.own);
        let cells = Arc::new(Cells::new(name.to_owned(), own));
        let id = OpenId(state.opened);
        state.opened += 1;
        if own {
            state.own += 1;
        } else {
            state.any_folded = true;
        }
        state.open.insert(id, Arc::clone(&cells));
        (id, cells)
    }

    pub(super) fn close(&self, id: OpenId) {
        let mut state = self.lock();
        let Some(cells) = state.open.remove(&id) else {
            return;
        };
        if cells.own {
            state.own -= 1;
        } else {
            state.closed.add(&cells);
        }
    }

    /// What is shown, by the value of the label `channel`.
    pub(super) fn summaries(&self) -> (Counted, Shown) {
        let mut shown = BTreeMap::new();
        let state = self.lock();
        if state.any_folded {
            shown.insert(OTHER.to_owned(), Summary::of_closed(state.closed));
        }
        let open: Vec<Arc<Cells>> = state.open.values().map(Arc::clone).collect();
        drop(state);
        for cells in &open {
            let label = if cells.own {
                cells.name.as_str()
            } else {
                OTHER
            };
            shown.entry(label.to_owned()).or_default().add(cells);
        }
        let folded = open.iter().filter(|cells| !cells.own).count() as u64;
        let open = open.len() as u64;
        (Counted { open, folded }, shown)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many channels are open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) open: u64,
    pub(super) folded: u64,
}

/// What is shown, by the value of the label `channel`.
pub(super) type Shown = BTreeMap<String, Summary>;
