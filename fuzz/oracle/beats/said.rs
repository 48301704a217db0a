//! What liars say in beats: rows, acknowledgements and tables that are right, nearly right, or wild.

use std::collections::BTreeMap;

use tetrarch_wire::{
    Boot, ChannelUid, Epoch, Frame, Link, NodeId, ReplicaRole, Seq,
    frame::{BeatAck, ChannelBeat, DiskLevel, NodeBeat, TablePage, TableRequest},
};

use super::{CHANNELS, Cursor, channel, voter};

/// What the liars remember of what they and the honest node have said.
#[derive(Default)]
pub(super) struct Said {
    /// Of each peer, the number and generation of its latest beat.
    own: BTreeMap<u8, (u64, u64)>,
    /// What each peer leads as far as it says.
    tables: BTreeMap<u8, BTreeMap<ChannelUid, Epoch>>,
    /// The latest beat that the honest node sent to each.
    heard: BTreeMap<NodeId, (Boot, u64, u64)>,
}

impl Said {
    pub(super) fn overhear(&mut self, to: NodeId, beat: &NodeBeat) {
        let latest = (beat.boot, beat.number, beat.table_generation);
        self.heard.insert(to, latest);
    }

    /// Something that `from` says.
    pub(super) fn frame(&mut self, from: u8, cursor: &mut Cursor<'_>) -> Frame {
        match cursor.byte() {
            0..=119 => Frame::NodeBeat(self.beat(from, cursor)),
            120..=199 => Frame::BeatAck(self.ack(from, cursor)),
            200..=214 => Frame::TableRequest(TableRequest {
                generation_seen: cursor.number(),
            }),
            215..=255 => Frame::TablePage(self.page(from, cursor)),
        }
    }

    fn beat(&mut self, from: u8, cursor: &mut Cursor<'_>) -> NodeBeat {
        let (number, generation) = self.own.entry(from).or_default();
        match cursor.byte() {
            0..=199 => *number += 1,
            200..=239 => {}
            240..=255 => *number = cursor.number() >> 1,
        }
        match cursor.byte() {
            0..=119 => {}
            120..=239 => *generation += 1,
            240..=255 => *generation = cursor.number() >> 1,
        }
        let (number, generation) = (*number, *generation);
        let rows = rows(from, cursor);
        let table = self.tables.entry(from).or_default();
        note(table, &rows);
        let pages = cursor.pick(&[1, 1, 1, 1, 1, 1, 2, 3, 128, 129]);
        NodeBeat {
            boot: boot(cursor),
            number,
            page: u16::from(cursor.byte()) % pages,
            pages,
            mono_ns: cursor.number(),
            echo: cursor.happens(128).then(|| (cursor.number(), u32::MAX)),
            disk_level: DiskLevel::Green,
            free_bytes: cursor.number(),
            wal_stall_ms: 0,
            table_generation: generation,
            table_count: if cursor.happens(24) {
                u32::from(cursor.byte())
            } else {
                u32::try_from(table.len()).unwrap_or(u32::MAX)
            },
            table_hash: if cursor.happens(24) {
                cursor.number()
            } else {
                hash(table)
            },
            rows,
        }
    }

    fn ack(&mut self, from: u8, cursor: &mut Cursor<'_>) -> BeatAck {
        let known = self.heard.get(&super::node(from)).copied();
        let (boot, number, generation) = known.unwrap_or((Boot::new(7), 0, 0));
        BeatAck {
            boot: if cursor.happens(16) {
                Boot::new(cursor.number())
            } else {
                boot
            },
            number: match cursor.byte() {
                0..=199 => number,
                200..=239 => number.saturating_sub(1),
                240..=255 => cursor.number(),
            },
            table_generation_seen: match cursor.byte() {
                0..=199 => generation,
                200..=255 => cursor.number(),
            },
            rows: Vec::new(),
            refused: (0..cursor.below(3))
                .map(|_| channel(cursor.byte() % CHANNELS))
                .collect(),
        }
    }

    fn page(&mut self, from: u8, cursor: &mut Cursor<'_>) -> TablePage {
        let (_, generation) = self.own.entry(from).or_default();
        if cursor.happens(64) {
            *generation = cursor.number() >> 1;
        }
        let pages = cursor.pick(&[1, 1, 2, 3, 200]);
        let rows = rows(from, cursor);
        if pages == 1 {
            let table = self.tables.entry(from).or_default();
            table.clear();
            note(table, &rows);
        }
        TablePage {
            boot: boot(cursor),
            generation: *generation,
            page: u32::from(cursor.byte()) % pages,
            pages,
            rows,
        }
    }
}

/// Peers are most often in their first start.
pub(super) fn boot(cursor: &mut Cursor<'_>) -> Boot {
    Boot::new(cursor.pick(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0]))
}

fn note(table: &mut BTreeMap<ChannelUid, Epoch>, rows: &[ChannelBeat]) {
    for row in rows {
        if row.role == ReplicaRole::Leader {
            table.insert(row.channel, row.epoch);
        } else {
            table.remove(&row.channel);
        }
    }
}

/// The hash of a table (protocol §6), as an honest node counts it.
fn hash(table: &BTreeMap<ChannelUid, Epoch>) -> u64 {
    let share = |(channel, epoch): (&ChannelUid, &Epoch)| {
        let parts = [
            &channel.as_bytes()[..],
            &epoch.n.to_le_bytes(),
            epoch.leader.as_bytes(),
        ];
        let link = Link::genesis(&parts.concat());
        let head = link.as_bytes().first_chunk();
        u64::from_be_bytes(*head.expect("a link has 16 bytes"))
    };
    table.iter().map(share).fold(0, u64::wrapping_add)
}

fn rows(from: u8, cursor: &mut Cursor<'_>) -> Vec<ChannelBeat> {
    let count = cursor.pick(&[1, 0, 2, 3]);
    (0..count).map(|_| row(from, cursor)).collect()
}

fn row(from: u8, cursor: &mut Cursor<'_>) -> ChannelBeat {
    let leader = match cursor.byte() {
        0..=199 => voter(from),
        other => voter(other % 4),
    };
    let n = match cursor.byte() {
        0..=239 => 1 + u64::from(cursor.byte() % 5),
        240..=255 => cursor.number(),
    };
    let at = Seq::new(cursor.number());
    ChannelBeat {
        channel: channel(cursor.byte() % (CHANNELS + 1)),
        role: cursor.pick(&[
            ReplicaRole::Leader,
            ReplicaRole::Leader,
            ReplicaRole::Replica,
            ReplicaRole::Idle,
            ReplicaRole::Candidate,
        ]),
        epoch: Epoch::new(n, leader),
        durable: at,
        tail: at,
        commit: at,
    }
}
