//! Reading forks, and what is wrong with them.

use tetrarch_wire::{ForkId, Seq};

use super::{fork_file, opened, read, sample, seal};
use crate::tests::{channel_uid, read_all};
use crate::{ForkDamage, ForkReadError};

#[test]
fn a_fork_is_read_from_anywhere_in_pieces() {
    let (_, mut store, log) = sample();
    let fork = seal(&mut store, &log, 12);
    let read = |from, max| {
        let from = Seq::new(from);
        store.reader.read_fork(channel_uid(1), fork.id, from, max)
    };
    for from in 13..=30 {
        let at = usize::try_from(from).unwrap() - 1;
        assert_eq!(read(from, 1).unwrap(), log.all[at..=at]);
        assert_eq!(read(from, usize::MAX).unwrap(), log.all[at..]);
    }
    let (first, last) = (Seq::new(13), Seq::new(30));
    for outside in [0, 12, 31] {
        let error = read(outside, 1).unwrap_err();
        let ForkReadError::OutOfRange {
            first: from,
            last: to,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!((from, to), (first, last));
    }
    let other = ForkId::from_bytes([9; 16]);
    let unknown = store.reader.read_fork(channel_uid(1), other, first, 1);
    assert!(matches!(unknown, Err(ForkReadError::UnknownFork)));
    let unknown = store.reader.read_fork(channel_uid(2), fork.id, first, 1);
    assert!(matches!(unknown, Err(ForkReadError::UnknownChannel)));
}

#[test]
fn a_rotten_batch_is_never_given_and_those_before_it_are() {
    let (disk, mut store, log) = sample();
    let fork = seal(&mut store, &log, 12);
    let intact: usize = log.all[12..17].iter().map(tetrarch_wire::Batch::size).sum();
    disk.flip(&fork_file(&fork), 192 + intact as u64 + 3, 1);
    let from = Seq::new(13);
    let all = store
        .reader
        .read_fork(channel_uid(1), fork.id, from, intact);
    assert_eq!(all.unwrap(), log.all[12..17]);
    assert_eq!(store.reader.damaged_forks(), []);
    let error = store
        .reader
        .read_fork(channel_uid(1), fork.id, Seq::new(18), 1);
    let error = error.unwrap_err();
    assert!(matches!(
        error,
        ForkReadError::Damaged(ForkDamage::Batches { .. })
    ));
    let [(uid, id, damage)] = &store.reader.damaged_forks()[..] else {
        panic!("one fork is damaged");
    };
    assert_eq!((*uid, *id), (channel_uid(1), fork.id));
    assert!(matches!(damage, ForkDamage::Batches { after, .. } if *after == Seq::new(17)));
    assert_eq!(read_all(&store.reader, channel_uid(1)), log.all);
}

#[test]
fn a_fork_that_does_not_say_what_it_is_is_damaged_and_nothing_else_is() {
    let (disk, mut store, log) = sample();
    let first = seal(&mut store, &log, 12);
    let second = seal(&mut store, &log, 15);
    disk.flip(&fork_file(&first), 100, 1);
    // An open store knows what it was; the next start does not.
    assert_eq!(read(&store, &first), log.all[12..]);
    let known = [(channel_uid(1), first.id, ForkDamage::Description)];
    assert_eq!(store.reader.damaged_forks(), known);
    drop(store);
    let store = opened(&disk);
    assert_eq!(store.channels[0].halted, None);
    assert_eq!(store.reader.damaged_forks(), known);
    assert_eq!(
        store.reader.forks(channel_uid(1)),
        std::slice::from_ref(&second)
    );
    assert_eq!(read(&store, &second), log.all[15..]);
    let refused = store
        .reader
        .read_fork(channel_uid(1), first.id, Seq::new(13), 1);
    assert!(matches!(
        refused,
        Err(ForkReadError::Damaged(ForkDamage::Description))
    ));
}

#[test]
fn a_file_of_another_fork_is_not_taken_for_it() {
    let (disk, mut store, log) = sample();
    let first = seal(&mut store, &log, 12);
    let second = seal(&mut store, &log, 15);
    drop(store);
    crate::Disk::rename(&disk, &fork_file(&first), &fork_file(&second)).unwrap();
    let store = opened(&disk);
    assert_eq!(store.reader.forks(channel_uid(1)), []);
    let damaged = [(channel_uid(1), second.id, ForkDamage::Description)];
    assert_eq!(store.reader.damaged_forks(), damaged);
}
