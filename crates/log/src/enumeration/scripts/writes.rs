//! Scripts about what is written: events, votes, cuts, trims, snapshots.

use crate::enumeration::life::{Life, Lived};

/// Groups of one block and of several, of one channel and of three.
pub(super) fn append(life: &mut Life) -> Lived {
    life.commit(|group| group.open(1).open(2))?;
    life.commit(|group| group.append(1, 1, 40))?;
    life.commit(|group| group.append(1, 3, 3900))?;
    life.commit(|group| {
        group
            .append(1, 1, 1500)
            .open(3)
            .append(3, 2, 2000)
            .append(2, 1, 3000)
            .append(1, 1, 10)
    })?;
    life.commit(|group| group.append(2, 1, 4100))?;
    life.flush()?;
    life.commit(|group| group.append(1, 1, 6000).hint(1, 3).append(3, 1, 20))?;
    life.restart()?;
    life.commit(|group| group.append(3, 1, 5000))
}

/// Groups that found no room and were reported as not kept, after nothing, some and most of them was
/// written.
pub(super) fn mend(life: &mut Life) -> Lived {
    life.commit(|group| group.open(1).open(2).vote(2, 1))?;
    for bytes in [0, 100, 4096, 9000] {
        life.refused(bytes, |group| group.append(1, 2, 5000).vote(2, 9))?;
        life.commit(|group| group.append(1, 1, 200))?;
        life.refused(bytes, |group| group.append(2, 1, 6000))?;
        life.flush()?;
    }
    life.refused(5000, |group| group.append(1, 3, 3000))?;
    life.restart()?;
    life.commit(|group| group.append(2, 1, 6000).vote(2, 2))
}

/// Promises of votes, alone, together and beside events, before and after they are checkpointed.
pub(super) fn votes(life: &mut Life) -> Lived {
    life.commit(|group| group.open(1).vote(1, 1).open(2).vote(2, 1).open(3))?;
    life.commit(|group| group.vote(1, 2))?;
    life.commit(|group| group.vote(2, 3).append(2, 2, 2500).vote(1, 3).vote(3, 5))?;
    life.flush_all()?;
    life.commit(|group| group.vote(1, 4))?;
    life.commit(|group| group.vote(1, 6).vote(1, 7).vote(2, 8))?;
    life.restart()?;
    life.commit(|group| group.vote(3, 9))?;
    life.flush_all()?;
    life.commit(|group| group.vote(1, 10))?;
    life.restart()
}

/// Logs that begin at a position that they were given: an empty one, one whose batches are partly in
/// segments, one that is being cut, and once more while the files have not followed.
pub(super) fn begin(life: &mut Life) -> Lived {
    life.save_snapshot(1, 35, 90)?;
    life.commit(|group| group.begin(1, 30).hint(1, 35))?;
    life.commit(|group| group.append(1, 4, 900))?;
    life.flush()?;
    life.commit(|group| group.truncate(1, 2).append(1, 1, 80).open(3))?;
    life.save_snapshot(3, 9, 60)?;
    life.commit(|group| group.begin(3, 9).truncate(2, 1).begin(2, 60))?;
    life.flush_all()?;
    life.commit(|group| group.append(3, 2, 500).truncate(1, 0).append(1, 3, 1600))?;
    life.save_snapshot(1, 90, 70)?;
    life.commit(|group| {
        group
            .begin(1, 80)
            .append(1, 2, 300)
            .begin(1, 90)
            .append(1, 1, 30)
    })?;
    life.flush()?;
    life.restart()?;
    life.commit(|group| group.append(1, 4, 1500).trim(1, 92))?;
    life.flush_all()?;
    life.restart()
}

/// Cuts of what memory holds, of what a segment holds, of several segments, and of a cut.
pub(super) fn truncate(life: &mut Life) -> Lived {
    life.commit(|group| group.truncate(1, 9).append(1, 2, 300))?;
    life.commit(|group| group.truncate(1, 7).append(1, 1, 400))?;
    life.flush_all()?;
    life.commit(|group| {
        group
            .truncate(1, 3)
            .append(1, 2, 800)
            .truncate(1, 4)
            .truncate(2, 1)
    })?;
    life.flush()?;
    life.commit(|group| group.append(1, 4, 1700))?;
    life.flush()?;
    life.restart()?;
    life.commit(|group| group.truncate(1, 5))?;
    life.flush_all()?;
    life.commit(|group| group.truncate(1, 0).append(1, 1, 60))?;
    life.flush_all()?;
    life.restart()
}

/// Trims that remove one segment and several, before and after what they concern is checkpointed.
pub(super) fn trim(life: &mut Life) -> Lived {
    life.commit(|group| group.trim(1, 4))?;
    life.flush()?;
    life.commit(|group| group.append(1, 4, 1800).trim(1, 12))?;
    life.flush()?;
    life.flush_all()?;
    life.commit(|group| group.trim(1, 13))?;
    life.restart()?;
    life.flush()?;
    life.commit(|group| group.truncate(1, 13).append(1, 1, 90).trim(1, 14))?;
    life.flush_all()?;
    life.restart()
}

/// Snapshots: the first, another, one of several blocks, one of a channel without
/// files, and a trim that relies on one.
pub(super) fn snapshots(life: &mut Life) -> Lived {
    life.save_snapshot(1, 3, 100)?;
    life.save_snapshot(1, 9, 9000)?;
    life.commit(|group| group.open(3).append(3, 2, 100).trim(1, 9))?;
    life.save_snapshot(3, 2, 50)?;
    life.flush()?;
    life.save_snapshot(1, 10, 500)?;
    life.restart()?;
    life.save_snapshot(2, 4, 5000)
}
