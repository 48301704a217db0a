//! The leadership table that this node keeps for one peer: the channels that it leads and the peer
//! replicates, and what of it the peer may not know yet.

use std::collections::BTreeMap;

use tetrarch_wire::{ChannelUid, ReplicaRole, frame::ChannelBeat};

use super::table_hash_share;

/// After how many beats a row that went over the control stream is said again if no
/// acknowledgement came: the stream delivers it unless the connection ends, which says it anew.
const REPEAT_AFTER: u64 = 32;

/// A row and the generation of the table that brought its epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct LedRow {
    pub(super) beat: ChannelBeat,
    pub(super) generation: u64,
}

/// A row, or the removal of one, that the peer has not acknowledged.
#[derive(Clone, Copy, Debug)]
struct News {
    beat: ChannelBeat,
    /// The first beat that can carry it.
    since: u64,
    /// The last beat that carried it over the control stream.
    carried: Option<u64>,
}

/// The table for one peer. Its generation grows with each change of (channel, epoch) and never
/// repeats within a boot of this node, so that a generation names one content.
#[derive(Clone, Debug, Default)]
pub(super) struct LedTable {
    rows: BTreeMap<ChannelUid, LedRow>,
    news: BTreeMap<ChannelUid, News>,
    generation: u64,
    hash: u64,
}

impl LedTable {
    /// The channel is led here as `beat` says; `next` is the number of the next beat.
    pub(super) fn lead(&mut self, beat: &ChannelBeat, next: u64) {
        match self.rows.get_mut(&beat.channel) {
            Some(row) if row.beat == *beat => return,
            Some(row) if row.beat.epoch == beat.epoch => row.beat = *beat,
            known => {
                let before = known.map(|row| row.beat.epoch);
                self.generation += 1;
                self.hash = before.map_or(self.hash, |epoch| {
                    self.hash
                        .wrapping_sub(table_hash_share(beat.channel, epoch))
                });
                self.hash = self
                    .hash
                    .wrapping_add(table_hash_share(beat.channel, beat.epoch));
                let row = LedRow {
                    beat: *beat,
                    generation: self.generation,
                };
                self.rows.insert(beat.channel, row);
            }
        }
        self.tell(*beat, next);
    }

    /// The channel is not led here any more, but in `role`.
    pub(super) fn withdraw(&mut self, channel: ChannelUid, role: ReplicaRole, next: u64) {
        let Some(row) = self.rows.remove(&channel) else {
            return;
        };
        self.generation += 1;
        self.hash = self
            .hash
            .wrapping_sub(table_hash_share(channel, row.beat.epoch));
        // A wedged leader still calls itself one; a row with that role would bring it back.
        let role = match role {
            ReplicaRole::Leader => ReplicaRole::Idle,
            ReplicaRole::Replica | ReplicaRole::Candidate | ReplicaRole::Idle => role,
        };
        self.tell(ChannelBeat { role, ..row.beat }, next);
    }

    fn tell(&mut self, beat: ChannelBeat, next: u64) {
        let news = News {
            beat,
            since: next,
            carried: None,
        };
        self.news.insert(beat.channel, news);
    }

    /// The rows that beat `number` must say.
    pub(super) fn news_for(&self, number: u64) -> Vec<ChannelBeat> {
        let due = |carried: u64| number.saturating_sub(carried) >= REPEAT_AFTER;
        self.news
            .values()
            .filter(|news| news.carried.is_none_or(due))
            .map(|news| news.beat)
            .collect()
    }

    /// `rows` go over the control stream with beat `number`.
    pub(super) fn carried(&mut self, rows: &[ChannelBeat], number: u64) {
        for row in rows {
            if let Some(news) = self.news.get_mut(&row.channel) {
                news.carried = Some(number);
            }
        }
    }

    /// The peer has taken in everything up to and including beat `number`.
    pub(super) fn acknowledged(&mut self, number: u64) {
        self.news.retain(|_, news| news.since > number);
    }

    /// There is a new connection to the same start of the peer: what its predecessor's control
    /// stream carried may be lost.
    pub(super) fn reconnected(&mut self) {
        for news in self.news.values_mut() {
            news.carried = None;
        }
    }

    /// The peer was restarted: it knows nothing, and there is nothing to take back.
    pub(super) fn peer_restarted(&mut self, next: u64) {
        self.news.clear();
        let beats: Vec<ChannelBeat> = self.rows.values().map(|row| row.beat).collect();
        for beat in beats {
            self.tell(beat, next);
        }
    }

    /// The peer is another voter now: nothing in the table was for it.
    pub(super) fn clear(&mut self) {
        if !self.rows.is_empty() {
            self.generation += 1;
        }
        self.rows.clear();
        self.news.clear();
        self.hash = 0;
    }

    /// Whether the table holds the channel or has news about it.
    pub(super) fn concerns(&self, channel: ChannelUid) -> bool {
        self.rows.contains_key(&channel) || self.news.contains_key(&channel)
    }

    /// The rows, in the order of the channels.
    pub(super) fn rows(&self) -> impl Iterator<Item = &LedRow> {
        self.rows.values()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }
}
