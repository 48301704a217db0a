//! Scripts about forks: what is cut off a log stays, whenever the power goes.

use crate::enumeration::life::{Life, Lived};

/// A suffix is sealed and cut: of segments and memory, of memory only, of a whole log, of a channel
/// that has no files yet, in pieces, and once more after a start.
pub(super) fn seal(life: &mut Life) -> Lived {
    life.lose_nothing_of(1);
    life.seal(1, 7)?;
    life.commit(|group| group.truncate(1, 7).append(1, 2, 700))?;
    life.seal(1, 8)?;
    life.commit(|group| group.truncate(1, 8))?;
    life.commit(|group| group.append(1, 1, 80).open(3).append(3, 3, 500))?;
    life.seal(3, 1)?;
    life.seal_some(1, 5, 1)?;
    life.restart()?;
    life.seal(3, 1)?;
    life.seal(1, 5)?;
    life.commit(|group| group.truncate(3, 1).truncate(1, 5).append(1, 1, 90))?;
    life.flush_all()?;
    life.restart()
}

/// Forks that are dropped, and that go with their channel.
pub(super) fn drop(life: &mut Life) -> Lived {
    life.lose_nothing_of(1);
    life.seal(1, 9)?;
    let fork = life.seal_some(2, 1, u64::MAX)??;
    life.commit(|group| group.truncate(2, 1).truncate(1, 9))?;
    life.drop_fork(2, fork)?;
    life.commit(|group| group.append(2, 2, 100))?;
    life.seal(2, 2)?;
    life.commit(|group| group.truncate(2, 2).delete(2))?;
    life.flush_all()?;
    life.restart()?;
    life.purge()
}
