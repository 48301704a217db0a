//! Forks on the disk of the machine.

use std::sync::Arc;

use tetrarch_wire::ForkId;

use super::position;
use crate::enumeration::batches::read_fork_on;
use crate::tests::{Log, channel_uid, identity, open_op, read_all, request, small};
use crate::{RealDisk, Sealed, WriteOp, format, open, verify};

#[test]
fn what_is_sealed_and_cut_is_there_after_a_start_until_it_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("store");
    format(&RealDisk, &root, &identity()).unwrap();
    let opened = || open(Arc::new(RealDisk), &root, small()).unwrap();
    let mut store = opened();
    let mut log = Log::numbered(1);
    let whole = vec![open_op("a"), WriteOp::Append(log.batches(20, 3_000))];
    store.writer.commit(&[request(1, whole)]).unwrap();
    let nothing = ForkId::from_bytes([1; 16]);
    let dropped = store.flusher.drop_fork(channel_uid(1), nothing);
    assert!(!dropped.unwrap(), "the channel has no directory yet");
    let after = position(&log, 5);
    let fork = loop {
        match store.flusher.seal(channel_uid(1), after, 9_000).unwrap() {
            Sealed::Whole(fork) => break fork,
            Sealed::Begun { .. } => {}
            Sealed::Nothing => panic!("there is something"),
        }
    };
    let cut_off = log.all[5..].to_vec();
    log.truncate(5);
    let cut = request(1, vec![WriteOp::Truncate(after)]);
    store.writer.commit(&[cut]).unwrap();
    drop(store);
    let found = verify(&RealDisk, &root).unwrap();
    assert_eq!((found.findings.len(), found.forks), (0, 1));
    let mut store = opened();
    assert_eq!(
        store.reader.forks(channel_uid(1)),
        std::slice::from_ref(&fork)
    );
    let (read, refused) = read_fork_on(&store.reader, channel_uid(1), &fork);
    assert!(refused.is_none() && read == cut_off, "{refused:?}");
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
    assert!(store.flusher.drop_fork(channel_uid(1), fork.id).unwrap());
    drop(store);
    assert_eq!(opened().reader.forks(channel_uid(1)), []);
}
