//! What is left of a rotten group: records that are still intact, and whose records are not.

use bytes::Bytes;
use tetrarch_wire::{Batch, ChannelUid};

use crate::WriteOp;
use crate::disk::BLOCK;
use crate::lsn::Lsn;
use crate::wal::group::{GroupHeader, WalSeed};
use crate::wal::record::{self, RecordHeader, RecordKind};
use crate::wal::summary;

/// One record of a group, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Salvaged {
    /// An intact record.
    Record(Lsn, ChannelUid, WriteOp),
    /// A record of this channel is damaged.
    Damaged(ChannelUid),
    /// There were more records, and nobody can tell whose.
    Unknown,
}

/// The records of a group, whose bytes begin with its header.
pub(crate) fn records(header: &GroupHeader, group: &Bytes, seed: WalSeed) -> Vec<Salvaged> {
    let group_seed = seed.of_group(header.group);
    let end = GroupHeader::LEN + header.len as usize;
    let mut rest = group.slice(GroupHeader::LEN..end.min(group.len()));
    let mut found = Vec::new();
    let mut walked = 0;
    while walked < header.records {
        let Ok(head) = record::decode_header(&rest, group_seed) else {
            break;
        };
        let body = rest.slice(record::HEADER..record::HEADER + head.len);
        rest = rest.slice(record::HEADER + head.len..);
        decode(&head, body, group_seed, &mut found);
        walked += 1;
    }
    if walked < header.records {
        found.extend(from_summary(header, group, seed, walked as usize));
    }
    found
}

fn decode(head: &RecordHeader, body: Bytes, seed: u32, found: &mut Vec<Salvaged>) {
    match record::decode_body(head, body.clone(), seed) {
        Ok(op) => found.push(Salvaged::Record(head.lsn, head.channel, op)),
        Err(_) => {
            if head.kind == RecordKind::Append {
                found.extend(intact_prefix(head, body));
            }
            found.push(Salvaged::Damaged(head.channel));
        }
    }
}

/// The batches before the damaged one.
fn intact_prefix(head: &RecordHeader, mut body: Bytes) -> Option<Salvaged> {
    let mut batches = Vec::new();
    while let Ok(batch) = Batch::decode(&mut body) {
        batches.push(batch);
    }
    (!batches.is_empty())
        .then(|| Salvaged::Record(head.lsn, head.channel, WriteOp::Append(batches)))
}

/// Records that cannot be reached any more may be listed in the summary; hard states are there
/// once more.
fn from_summary(
    header: &GroupHeader,
    group: &Bytes,
    seed: WalSeed,
    walked: usize,
) -> Vec<Salvaged> {
    let at = header.summary_at();
    let summary = group
        .get(at..at + (header.summary_len as usize).next_multiple_of(BLOCK))
        .and_then(|bytes| summary::decode(bytes, seed, header.incarnation, header.group));
    let Some(entries) = summary else {
        return vec![Salvaged::Unknown];
    };
    entries
        .into_iter()
        .skip(walked)
        .map(|entry| match entry.hard_state {
            Some(state) => Salvaged::Record(entry.lsn, entry.channel, WriteOp::HardState(state)),
            None => Salvaged::Damaged(entry.channel),
        })
        .collect()
}
