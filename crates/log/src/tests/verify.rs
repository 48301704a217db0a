//! Looking at a store from outside.

use std::path::Path;
use std::sync::Arc;

use super::{Log, channel_uid, identity, open_op, request, small};
use crate::{CrashDisk, FindingKind, LogError, VerifyReport, WriteOp, format, open, verify};

const DIR: &str = "/store";

/// A store with segments and something in the WAL.
fn sample() -> CrashDisk {
    let disk = CrashDisk::new();
    format(&disk, Path::new(DIR), &identity()).unwrap();
    let mut log = Log::new();
    let mut store = open(Arc::new(disk.clone()), Path::new(DIR), small()).unwrap();
    let group = [request(
        1,
        vec![open_op("a"), WriteOp::Append(log.batches(60, 1000))],
    )];
    store.writer.commit(&group).unwrap();
    store.flusher.flush_all().unwrap();
    for _ in 0..3 {
        let group = [request(1, vec![WriteOp::Append(log.batches(3, 1000))])];
        store.writer.commit(&group).unwrap();
    }
    disk
}

fn report(disk: &CrashDisk) -> VerifyReport {
    verify(disk, Path::new(DIR)).unwrap()
}

#[test]
fn an_intact_store_is_found_intact_and_is_left_as_it_was() {
    let disk = sample();
    let before = disk.files();
    let report = report(&disk);
    assert_eq!(report.findings, []);
    assert!(report.is_intact());
    assert_eq!((report.channels, report.batches), (1, 60));
    assert!(report.segments > 1 && report.groups >= 3, "{report:?}");
    assert_eq!(disk.files(), before);
}

#[test]
fn damage_is_found_where_it_is() {
    let chan = format!("{DIR}/chan/{}", channel_uid(1));
    let cases = [
        (format!("{chan}/seg-00000000000000000001.log"), 5000, true),
        (format!("{chan}/seg-00000000000000000001.log"), 30, false),
        (format!("{chan}/state.b"), 30, false),
        (format!("{DIR}/store.meta.a"), 30, false),
    ];
    for (path, offset, loss) in cases {
        let disk = sample();
        disk.flip(Path::new(&path), offset, 1);
        let report = report(&disk);
        let [finding] = &report.findings[..] else {
            panic!("{path}: {report:?}")
        };
        assert_eq!(finding.path, Path::new(&path));
        assert_eq!(finding.kind.is_loss(), loss, "{finding}");
        assert_eq!(report.is_intact(), !loss);
    }
}

#[test]
fn rot_in_the_wal_is_told_from_a_torn_end() {
    let disk = sample();
    let (path, bytes) = disk
        .files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("/store/wal"))
        .max_by_key(|(_, bytes)| bytes.iter().rposition(|byte| *byte != 0))
        .unwrap();
    let groups: Vec<u64> = (0..)
        .step_by(4096)
        .zip(bytes.chunks(4096))
        .filter(|(_, block)| block.starts_with(b"TTRG"))
        .map(|(offset, _)| offset)
        .collect();
    let [.., rotten, last] = groups[..] else {
        panic!("{groups:?}")
    };
    disk.flip(&path, last + 200, 1);
    let torn = report(&disk);
    assert!(torn.is_intact());
    assert_eq!(
        torn.findings[0].kind,
        FindingKind::TornTail { offset: last }
    );
    disk.flip(&path, last + 200, 1);
    disk.flip(&path, rotten + 200, 1);
    assert!(!report(&disk).is_intact());
}

#[test]
fn a_store_in_use_and_a_directory_that_is_none_are_refused() {
    let disk = sample();
    let held = open(Arc::new(disk.clone()), Path::new(DIR), small()).unwrap();
    let error = verify(&disk, Path::new(DIR)).unwrap_err();
    assert!(matches!(error, LogError::InUse { .. }));
    drop(held);
    let error = verify(&disk, Path::new("/other")).unwrap_err();
    assert!(matches!(error, LogError::NotFormatted { .. }));
}
