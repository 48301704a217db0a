//! One record of the write-ahead log: what is read can be written, takes no more room than was
//! counted for it, and reads back as itself.

use bytes::Bytes;
use tetrarch_wire::batch::{BatchDraft, Control};
use tetrarch_wire::checksum::crc32c_append;
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, Link, LogPosition, NodeId, StoreId, Voter,
};

use super::{byte, take};
use crate::WriteOp;
use crate::lsn::Lsn;
use crate::wal::record::{HEADER, RecordKind, decode_body, decode_header, encode, encoded_len};

const SEED: u32 = 7;
/// Kinds are numbered from 1 up to this one.
const KINDS: u8 = RecordKind::Begin as u8;

/// The first byte says the kind, and whether the rest is a record as it is or the body of one that
/// is sealed here.
pub fn record(bytes: &[u8]) {
    let mut rest = bytes;
    let kind = byte(&mut rest);
    match kind >> 4 {
        0..=5 => read(rest),
        6..=10 => read(&sealed(kind & 0x0f, rest)),
        _ => {
            let kind = 1 + kind % KINDS;
            let body = likely(kind, &mut rest);
            read(&sealed(kind, &body));
        }
    }
}

/// A body that is likely to be one of this kind: for the two that nobody guesses.
fn likely(kind: u8, rest: &mut &[u8]) -> Vec<u8> {
    match kind {
        1 => {
            let name: String = take::<9>(rest).map(char::from).iter().collect();
            let voters = (1..=1 + byte(rest) % 9).map(|number| Voter {
                node: NodeId::from_bytes([number; 16]),
                store: StoreId::from_bytes([number; 16]),
            });
            let genesis = ChannelConfig::genesis(ChannelClass::Quorum, voters.collect());
            let genesis = genesis.expect("at most nine different voters are a genesis");
            postcard::to_allocvec(&(name, genesis)).expect("a name and a genesis serialise")
        }
        2 => {
            let mut end = LogPosition::origin(Link::genesis(&[]));
            let mut body = Vec::new();
            for _ in 0..=byte(rest) % 3 {
                let count = 1 + u32::from(byte(rest));
                let batch = BatchDraft::control(&Control::Noop { count });
                let batch = batch.seal(&end, end.epoch, 0);
                end = batch.position();
                body.extend(batch.chunks().into_iter().flatten());
            }
            let cut = usize::from(byte(rest));
            if cut < 32 {
                body.truncate(body.len() - cut);
            }
            body
        }
        _ => {
            let len = usize::from(byte(rest)) % 64;
            let (body, left) = rest.split_at(len.min(rest.len()));
            *rest = left;
            body.to_vec()
        }
    }
}

/// A record of this kind with this body, all checksums right.
fn sealed(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let body_crc = if kind == 2 {
        0
    } else {
        crc32c_append(SEED, body)
    };
    let mut record = len.to_le_bytes().to_vec();
    record.extend([kind, 0, 0, 0]);
    record.extend(9_u64.to_le_bytes());
    record.extend([5; ChannelUid::LEN]);
    record.extend(body_crc.to_le_bytes());
    record.extend(crc32c_append(SEED, &record).to_le_bytes());
    record.extend(body);
    record
}

fn read(bytes: &[u8]) {
    let Ok(header) = decode_header(bytes, SEED) else {
        return;
    };
    let body = &bytes[HEADER..HEADER + header.len];
    if let Ok(op) = decode_body(&header, Bytes::copy_from_slice(body), SEED) {
        is_faithful(header.lsn, header.channel, &op, SEED);
    }
}

/// An operation that was read is written and read again.
pub(super) fn is_faithful(lsn: Lsn, channel: ChannelUid, op: &WriteOp, seed: u32) {
    let mut again = Vec::new();
    encode(&mut again, seed, channel, lsn, op);
    assert!(
        again.len() <= encoded_len(op),
        "{op:?} takes {}",
        again.len()
    );
    let header = decode_header(&again, seed).expect("what was written can be read");
    assert_eq!((header.lsn, header.channel), (lsn, channel));
    let body = Bytes::copy_from_slice(&again[HEADER..]);
    let read = decode_body(&header, body, seed).expect("what was written can be read");
    assert_eq!(&read, op);
}

/// An operation that a group may hold.
pub(super) fn op(bytes: &mut &[u8]) -> Option<WriteOp> {
    let kind = 1 + byte(bytes) % KINDS;
    let body = likely(kind, bytes);
    let record = sealed(kind, &body);
    let header = decode_header(&record, SEED).ok()?;
    decode_body(&header, body.into(), SEED).ok()
}

/// Any record number.
pub(super) fn lsn(bytes: &mut &[u8]) -> Lsn {
    Lsn::new(u64::from_le_bytes(take(bytes)))
}
