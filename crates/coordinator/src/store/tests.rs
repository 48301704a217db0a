//! The threads over a real store in a temporary directory.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use tetrarch_log::{OpenedStore, RealDisk, StoreIdentity, StoreOptions, WriteOp};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, ClusterId, NodeId, Seq, StoreId, Voter,
};

use super::{AfterSnapshot, FlushHandle, FlushOrder, StoreFailed, WriteHandle};
use crate::telemetry::{NodeInfo, Pattern, SeriesLimit, Telemetry};

/// How long is waited for what must happen: long, because machines are shared.
const PATIENCE: Duration = Duration::from_secs(30);

fn opened(dir: &Path) -> OpenedStore<RealDisk> {
    let identity = StoreIdentity {
        cluster: ClusterId::from_bytes([7; 16]),
        node: NodeId::from_bytes([1; 16]),
        store: StoreId::from_bytes([2; 16]),
        name: "n1".into(),
        genesis: Bytes::new(),
    };
    tetrarch_log::format(&RealDisk, dir, &identity).unwrap();
    let options = StoreOptions {
        wal_file_bytes: Some(1024 * 1024),
        ballast_bytes: Some(64 * 1024),
        ..StoreOptions::default()
    };
    tetrarch_log::open(Arc::new(RealDisk), dir, options).unwrap()
}

fn telemetry() -> Arc<Telemetry> {
    let info = NodeInfo {
        node: "n1".into(),
        cluster: "c".into(),
        started: SystemTime::UNIX_EPOCH,
    };
    let limit = SeriesLimit {
        pattern: Pattern::new("*"),
        max_channels: 1,
    };
    Arc::new(Telemetry::new(info, limit))
}

/// Whether the snapshot was saved.
fn save(flush: &FlushHandle, channel: ChannelUid, seq: u64) -> bool {
    let (sender, saved) = mpsc::channel();
    let taken = flush.order(FlushOrder::SaveSnapshot {
        channel,
        holding: 0,
        seq: Seq::new(seq),
        bytes: Bytes::from_static(b"snapshot"),
        then: AfterSnapshot::Tell(Box::new(move |worked| sender.send(worked).unwrap())),
    });
    assert!(taken, "there is room for an order");
    saved.recv_timeout(PATIENCE).unwrap()
}

/// Nothing is written after it that would fail, too.
#[test]
fn a_store_that_fails_when_a_snapshot_is_saved_is_known_to_have_failed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let store = opened(&dir);
    let failed = StoreFailed::default();
    let (writes, wal) = WriteHandle::start(
        store.writer,
        1024 * 1024,
        Vec::new(),
        telemetry(),
        Arc::clone(&failed),
    )
    .unwrap();
    let (flush, flusher) = FlushHandle::start(
        store.flusher,
        writes.clone(),
        telemetry(),
        Arc::clone(&failed),
    )
    .unwrap();
    let channel = ChannelUid::derive("a", &[0; 16]);
    let voter = Voter {
        node: NodeId::from_bytes([1; 16]),
        store: StoreId::from_bytes([2; 16]),
    };
    let genesis = ChannelConfig::genesis(ChannelClass::Quorum, vec![voter]).unwrap();
    let name = "a".to_owned();
    writes.order(channel, WriteOp::Open { name, genesis });
    writes.stop();
    wal.join().unwrap();
    assert!(save(&flush, channel, 0));
    assert!(!*failed.borrow(), "nothing has failed yet");
    // It cannot be removed as a file, and so no file of its name can be made.
    let in_the_way = dir
        .join("chan")
        .join(channel.to_string())
        .join("snapshot.tmp");
    std::fs::create_dir(in_the_way).unwrap();
    assert!(!save(&flush, channel, 0));
    assert!(*failed.borrow(), "nobody would end the process");
    flush.stop();
    flusher.join().unwrap();
}
