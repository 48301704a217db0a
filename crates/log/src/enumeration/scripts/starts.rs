//! Scripts about starts: with little and much to do, with other sizes, after rot; and about groups
//! that are committed while the flusher is at work.

use super::filled;
use crate::enumeration::life::{Life, Lived};
use crate::enumeration::sizes::{bare, other_wal};

/// Starts that have nothing to do, something, and so much that they must make room for it.
pub(super) fn restart(life: &mut Life) -> Lived {
    life.restart()?;
    life.commit(|group| group.append(1, 1, 40).vote(1, 2))?;
    life.restart()?;
    life.restart()?;
    life.flush_all()?;
    life.restart()?;
    life.commit(|group| group.append(2, 1, 5200).append(1, 1, 5200))?;
    // Segments are sealed, but no checkpoint follows: the next start forgets it, and they are once
    // more.
    life.flush()?;
    life.restart()?;
    life.flush_all()?;
    for _ in 0..3 {
        life.commit(|group| group.append(2, 1, 5200).append(1, 1, 5200))?;
    }
    life.restart()
}

/// Starts with WAL files of another size than those that are there.
pub(super) fn resize(life: &mut Life) -> Lived {
    life.options = other_wal();
    life.restart()?;
    life.commit(|group| group.append(1, 2, 3000).vote(1, 2))?;
    life.options = bare();
    life.restart()?;
    life.commit(|group| group.append(2, 1, 5000))?;
    life.flush()?;
    life.options = other_wal();
    life.restart()
}

/// Groups that are committed while the flusher is at work.
pub(super) fn meanwhile(life: &mut Life) -> Lived {
    for after in [2, 5, 9, 14] {
        life.flush()?;
        life.commit(|group| group.append(1, 3, 1500).append(2, 1, 200))?;
        life.meanwhile(after, after > 4, |group| {
            group.append(2, 1, 300).append(1, 1, 900).vote(1, 2 + after)
        })?;
    }
    life.flush()?;
    life.meanwhile(3, true, |group| {
        group.truncate(1, 12).append(1, 1, 70).trim(1, 5)
    })?;
    life.flush()?;
    life.restart()
}

/// A store of which an acknowledged group of one channel has rotted.
pub(super) fn rotten(life: &mut Life) -> Lived {
    filled(life)?;
    life.rot(
        400,
        |group| group.append(2, 1, 500),
        |group| group.append(1, 1, 500).vote(1, 2),
    )?;
    life.damage(2);
    Some(())
}

/// A store of which a group has rotted so that nobody can tell whose it was: it held the beginning of
/// a channel.
pub(super) fn rotten_beyond_telling(life: &mut Life) -> Lived {
    filled(life)?;
    life.rot(
        20,
        |group| group.open(3).vote(3, 2).append(3, 1, 100),
        |group| group.append(3, 1, 50).append(1, 1, 500),
    )?;
    life.damage(1);
    life.damage(2);
    life.lose(3);
    Some(())
}

/// A channel that was found damaged stays in limbo, whatever happens to the start that finds it; and one
/// that was found lost stays lost.
pub(super) fn live_with_rot(life: &mut Life) -> Lived {
    life.start()?;
    life.commit(|group| group.learn_in_limbo(1, 500_000).learn_in_limbo(2, 500_000))?;
    life.flush()?;
    life.restart()?;
    life.flush_all()?;
    life.restart()
}
