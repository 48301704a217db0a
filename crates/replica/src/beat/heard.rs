//! This node's copy of one peer's leadership table, and which generation of it is complete.

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_wire::{
    ChannelUid, Epoch, ReplicaRole, VoterId,
    frame::{ChannelBeat, NodeBeat, TablePage},
};

use super::{paging::MAX_PAGES, table_hash_share};
use crate::catalog::MAX_CHANNELS;

/// Most rows of one peer's table: one for each channel that a mesh can have, and `__meta`.
pub(super) const MAX_ROWS: usize = MAX_CHANNELS + 1;

/// A channel that its leader took out of its table, and the epoch it led.
pub(super) type Withdrawn = (ChannelUid, Epoch);

/// What became of a page of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Older than what is known, or a repetition.
    Outdated,
    /// News; other pages of the beat are missing.
    Partial,
    /// News, and the last page of its beat.
    Complete,
}

/// The copy for one peer. Starts empty, which is what generation 0 means.
#[derive(Clone, Debug, Default)]
pub(super) struct HeardTable {
    rows: BTreeMap<ChannelUid, ChannelBeat>,
    hash: u64,
    /// The generation that is held completely.
    generation: u64,
    /// The highest generation that any beat named.
    named: u64,
    /// The beat that is being or was put together last, and its pages so far.
    number: u64,
    pages: BTreeSet<u16>,
    resync: Option<Resync>,
}

/// A whole table on its way, page by page.
#[derive(Clone, Debug)]
struct Resync {
    generation: u64,
    count: u32,
    pages: BTreeMap<u32, Vec<ChannelBeat>>,
}

impl HeardTable {
    /// Whether the rows of this page are to be taken in. A beat that was overtaken is outdated, and
    /// so is one from before the table that is held: its rows could undo newer ones.
    pub(super) fn admit(&mut self, beat: &NodeBeat) -> Admission {
        let stale = beat.number < self.number || beat.table_generation < self.generation;
        if stale || usize::from(beat.pages) > MAX_PAGES {
            return Admission::Outdated;
        }
        if beat.number > self.number {
            self.number = beat.number;
            self.pages.clear();
        }
        if !self.pages.insert(beat.page) {
            return Admission::Outdated;
        }
        self.named = self.named.max(beat.table_generation);
        if self.pages.len() == usize::from(beat.pages) {
            Admission::Complete
        } else {
            Admission::Partial
        }
    }

    /// Takes one row of `speaker` in. Rows are absolute, so that repeating one changes nothing; the
    /// epoch of a row that it took out is returned.
    pub(super) fn apply(&mut self, row: &ChannelBeat, speaker: VoterId) -> Option<Withdrawn> {
        match row.role {
            ReplicaRole::Leader => {
                self.put(*row, speaker);
                None
            }
            ReplicaRole::Replica | ReplicaRole::Candidate | ReplicaRole::Idle => {
                let gone = self.rows.remove(&row.channel)?;
                self.hash = self
                    .hash
                    .wrapping_sub(table_hash_share(gone.channel, gone.epoch));
                Some((gone.channel, gone.epoch))
            }
        }
    }

    /// A row that is not about an epoch of the speaker's own is not taken in: with it the speaker
    /// could also take it out again, and withdraw another's leadership. Nor is one beyond the most
    /// that a table can have. Such a table is never whole.
    fn put(&mut self, mut row: ChannelBeat, speaker: VoterId) {
        if row.epoch.leader != speaker {
            return;
        }
        if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&row.channel) {
            return;
        }
        if let Some(known) = self.rows.get_mut(&row.channel) {
            if known.epoch == row.epoch {
                // Within an epoch a leader's log only grows: whatever says less is older.
                row.durable = row.durable.max(known.durable);
                row.tail = row.tail.max(known.tail);
                row.commit = row.commit.max(known.commit);
                *known = row;
                return;
            }
            self.hash = self
                .hash
                .wrapping_sub(table_hash_share(known.channel, known.epoch));
        }
        self.hash = self
            .hash
            .wrapping_add(table_hash_share(row.channel, row.epoch));
        self.rows.insert(row.channel, row);
    }

    /// After the last page of a beat: whether the copy is what the peer says its table is.
    pub(super) fn settle(&mut self, beat: &NodeBeat) -> bool {
        let same_count = u32::try_from(self.rows.len()) == Ok(beat.table_count);
        let whole = same_count && self.hash == beat.table_hash;
        if whole {
            self.generation = beat.table_generation;
        } else if self.generation == beat.table_generation {
            // It was complete and is not: whatever happened, only a whole table can be believed.
            self.generation = 0;
        }
        whole
    }

    /// Takes in one page of a whole table. With the last one the table is replaced, and the rows
    /// that were taken out by that are returned.
    pub(super) fn take_page(
        &mut self,
        page: TablePage,
        speaker: VoterId,
    ) -> Option<Vec<Withdrawn>> {
        let outdated = page.generation < self.named.max(self.generation);
        if outdated || usize::try_from(page.pages).is_ok_and(|pages| pages > MAX_PAGES) {
            return None;
        }
        let TablePage {
            generation, pages, ..
        } = page;
        let resync = match &mut self.resync {
            Some(resync) if (resync.generation, resync.count) == (generation, pages) => resync,
            other => other.insert(Resync {
                generation,
                count: pages,
                pages: BTreeMap::new(),
            }),
        };
        resync.pages.insert(page.page, page.rows);
        if u32::try_from(resync.pages.len()) != Ok(pages) {
            return None;
        }
        let resync = self.resync.take()?;
        Some(self.install(resync, speaker))
    }

    fn install(&mut self, resync: Resync, speaker: VoterId) -> Vec<Withdrawn> {
        let before = std::mem::take(&mut self.rows);
        self.hash = 0;
        for row in resync.pages.into_values().flatten() {
            if row.role == ReplicaRole::Leader {
                self.put(row, speaker);
            }
        }
        self.generation = resync.generation;
        self.named = self.named.max(resync.generation);
        before
            .into_values()
            .filter(|row| !self.rows.contains_key(&row.channel))
            .map(|row| (row.channel, row.epoch))
            .collect()
    }

    /// The peer was restarted: it leads nothing of this, and counts anew.
    pub(super) fn restart(&mut self) -> Vec<Withdrawn> {
        std::mem::take(self)
            .rows
            .into_values()
            .map(|row| (row.channel, row.epoch))
            .collect()
    }

    /// A new connection: half-received pages of the old one will not be completed.
    pub(super) fn reconnected(&mut self) {
        self.resync = None;
    }

    /// The rows, in the order of the channels.
    pub(super) fn rows(&self) -> impl Iterator<Item = &ChannelBeat> {
        self.rows.values()
    }

    /// How many rows are held, those of a table on its way included.
    pub(super) fn held(&self) -> usize {
        let underway = self.resync.iter().flat_map(|resync| resync.pages.values());
        self.rows.len() + underway.map(Vec::len).sum::<usize>()
    }

    /// The generation that is held completely.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of the beat that was heard last; 0 if none was.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}
