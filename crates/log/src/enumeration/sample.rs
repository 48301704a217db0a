//! A data directory of which every byte is changed: groups in the WAL that no checkpoint holds,
//! segments, indexes, states, votes, snapshots, a deleted channel.

use std::ops::Range;
use std::path::PathBuf;

use super::life::{Life, Lived, first_change, wal_files};
use super::promise::{Ledger, Promises};
use super::sizes::with_wal_of;
use crate::disk::BLOCK;
use crate::{CrashDisk, StoreOptions};

/// In which condition the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The process was killed between two groups.
    Killed,
    /// The process has stopped in good order.
    Stopped,
    /// The process was killed, started again, and killed again.
    Recovered,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Killed, Self::Stopped, Self::Recovered];
}

/// A data directory, and what it has promised.
pub(crate) struct Sample {
    pub(crate) disk: CrashDisk,
    pub(crate) options: StoreOptions,
    pub(crate) ledger: Ledger,
    /// What was promised before the last group.
    pub(crate) before: Promises,
    /// The last group: no later one says that it was durable, so rot in it looks like a write that
    /// a power cut has torn.
    pub(crate) last: Option<(PathBuf, Range<u64>)>,
}

impl Sample {
    /// Makes one; `size` times as large as the smallest.
    pub(crate) fn make(condition: Condition, size: usize) -> Self {
        let mut life = Life::new(with_wal_of(4 * size as u64));
        let lived = live(&mut life, size);
        assert!(lived.is_some(), "nothing cuts the power");
        let (before, last) = match condition {
            Condition::Stopped => {
                life.flush_all();
                (life.ledger.acked.clone(), None)
            }
            Condition::Recovered => {
                life.restart();
                last_group(&mut life)
            }
            Condition::Killed => last_group(&mut life),
        };
        life.stop();
        Self {
            disk: life.disk.killed(),
            options: life.options,
            ledger: life.ledger,
            before,
            last,
        }
    }
}

/// Commits one more group, and sees where it went.
fn last_group(life: &mut Life) -> (Promises, Option<(PathBuf, Range<u64>)>) {
    // There is a file ready then, and nothing but the group is written.
    life.flush();
    let promised = life.ledger.acked.clone();
    let before = wal_files(&life.disk);
    life.commit(|group| group.append(1, 1, 60).vote(2, 9));
    let (path, first) = first_change(&before, &wal_files(&life.disk));
    // Its header begins with what stood there before; its last block is that of the votes.
    let group = first - first % BLOCK as u64;
    (promised, Some((path, group..group + 2 * BLOCK as u64)))
}

fn live(life: &mut Life, size: usize) -> Lived {
    life.format()?;
    life.start()?;
    life.commit(|group| group.open(1).vote(1, 1).append(1, 3, 300).open(2).open(3))?;
    for round in 0..7 * size {
        life.commit(|group| group.append(1, 2, 400).append(2, 1, 100))?;
        if round % 3 == 2 {
            life.flush_all()?;
        }
    }
    life.commit(|group| group.append(3, 1, 50).hint(1, 5))?;
    life.save_snapshot(1, 9, 120)?;
    life.save_snapshot(2, 2, 80)?;
    life.seal(2, 4)?;
    life.commit(|group| group.trim(1, 8).truncate(2, 4).append(2, 2, 200))?;
    life.flush_all()?;
    life.commit(|group| group.delete(3))?;
    life.flush()?;
    life.commit(|group| group.append(1, 2, 700).vote(1, 4).append(2, 1, 90))?;
    life.commit(|group| group.append(2, 3, 150).vote(2, 3).hint(2, 4))?;
    // A channel of which nothing but this group knows, and one of which a later group knows too.
    life.commit(|group| group.open(5).vote(5, 2).append(5, 1, 80))?;
    life.commit(|group| group.open(6).append(6, 1, 70))?;
    life.commit(|group| group.append(6, 1, 30))
}
