//! Scripts about what becomes of it: checkpoints, WAL files that are used again, channels that end,
//! room that is set aside.

use rustix::io::Errno;

use super::started;
use crate::enumeration::life::{Life, Lived, ROOMY};

/// Checkpoints of several channels at once, one of them with a state of more than a block; segments
/// that are filled and sealed.
pub(super) fn checkpoint(life: &mut Life) -> Lived {
    life.commit(|group| group.open(1).append(1, 2, 900).open(201).vote(201, 1))?;
    life.flush_all()?;
    life.commit(|group| {
        group
            .append(1, 4, 1500)
            .append(201, 3, 1900)
            .vote(201, 2)
            .open(2)
            .append(2, 1, 100)
    })?;
    life.flush()?;
    life.flush_all()?;
    life.commit(|group| group.append(2, 3, 1200).append(201, 1, 100).vote(1, 3))?;
    life.flush_all()?;
    life.restart()?;
    life.commit(|group| group.append(201, 1, 2200))?;
    life.flush_all()
}

/// WAL files are filled one after the other, made ready, used again, and run out.
pub(super) fn recycle(life: &mut Life) -> Lived {
    life.commit(|group| group.open(1).open(2).vote(2, 1))?;
    for round in 0..9 {
        life.commit(|group| group.append(1, 1, 5900).append(2, 1, 60))?;
        if round == 3 {
            life.flush()?;
        }
    }
    life.restart()?;
    for _ in 0..3 {
        life.commit(|group| group.append(1, 1, 9000))?;
    }
    life.flush()
}

/// Channels that end: with files, without any, and with a beginning that the WAL holds no more.
pub(super) fn delete(life: &mut Life) -> Lived {
    life.commit(|group| group.open(3).append(3, 1, 900).delete(3).delete(2))?;
    life.flush()?;
    life.purge()?;
    life.commit(|group| group.open(4).append(4, 2, 1000))?;
    life.save_snapshot(4, 1, 100)?;
    for _ in 0..6 {
        life.commit(|group| group.append(1, 1, 3000))?;
    }
    life.commit(|group| group.delete(4))?;
    life.restart()?;
    life.commit(|group| group.delete(1))?;
    life.flush_all()?;
    life.restart()?;
    life.purge()
}

/// Channels that the store lets go of and that come back: with files and a snapshot, from memory only,
/// in one group, trimmed, and after a start.
pub(super) fn come_back(life: &mut Life) -> Lived {
    life.save_snapshot(1, 5, 100)?;
    life.commit(|group| group.trim(1, 5))?;
    life.flush()?;
    life.commit(|group| group.vote(1, 4).release(1))?;
    life.flush()?;
    life.commit(|group| group.come_back(1).append(1, 2, 900).vote(1, 5))?;
    life.save_snapshot(1, 1, 60)?;
    life.restart()?;
    life.commit(|group| group.append(1, 3, 1200).release(2).release(1))?;
    life.commit(|group| group.come_back(1).append(1, 1, 300).come_back(2))?;
    life.commit(|group| group.append(2, 1, 200).release(2).come_back(2))?;
    life.restart()?;
    life.commit(|group| group.append(2, 3, 1300).append(1, 1, 200))?;
    life.flush_all()?;
    life.meanwhile(2, true, |group| group.release(2))?;
    life.restart()?;
    life.commit(|group| group.release(1).delete(2))?;
    life.flush()?;
    life.restart()
}

/// A WAL that is nearly full, most of it of a channel that comes to its end.
pub(super) fn full_with_one_to_delete(life: &mut Life) -> Lived {
    started(life)?;
    life.flush()?;
    life.commit(|group| group.open(1).open(2))?;
    for round in 0..11 {
        life.commit(|group| group.append(1, 2, 1500))?;
        if round == 3 {
            life.flush()?;
        }
    }
    life.commit(|group| group.append(2, 1, 900).delete(1))
}

/// A channel is moved away, its record stays because there is no room for the checkpoint of another,
/// and the next start has to write a part of it once more before it finds that record.
pub(super) fn delete_again(life: &mut Life) -> Lived {
    life.disk
        .fail_next_write("seg-", 0, Errno::NOSPC.raw_os_error());
    life.flush()?;
    life.restart()?;
    life.flush()?;
    life.restart()
}

/// Room is set aside, the disk fills up, and a start needs what was set aside.
pub(super) fn ballast(life: &mut Life) -> Lived {
    life.flush()?;
    for _ in 0..5 {
        life.commit(|group| group.append(2, 1, 5000))?;
    }
    life.disk.set_room(0);
    life.restart()?;
    life.commit(|group| group.vote(1, 2))?;
    life.disk.set_capacity(ROOMY);
    life.flush()?;
    life.restart()
}
