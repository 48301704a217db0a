//! What a life begins with: a log of a few epochs that is durable already.

use tetrarch_wire::{
    Epoch, HardState, LogPosition, Seq,
    batch::{BatchDraft, Control},
};

use super::{Cursor, cast::Cast, disk::Disk};

/// What was durable before: nothing, or a log of a few epochs.
pub(crate) fn past(cast: &Cast, cursor: &mut Cursor<'_>) -> Disk {
    let mut disk = Disk::new(LogPosition::origin(cast.genesis.genesis_link()));
    for n in 1..=cursor.below(5) as u64 {
        let leader = cast.peer(cursor.below(4));
        let epoch = Epoch::new(n, leader);
        let count = 1 + cursor.below(3);
        for number in 0..count {
            let control = if number == 0 {
                let observed_prev_high = disk.log.tail().seq;
                Control::EpochStart { observed_prev_high }
            } else {
                Control::Noop { count: 2 }
            };
            let batch = BatchDraft::control(&control).seal(&disk.log.tail(), epoch, 0);
            disk.log.append(&[batch]);
        }
        disk.hard_state = HardState {
            epoch_seen: epoch,
            voted_for: None,
            limbo: None,
        };
    }
    if cursor.happens(64) {
        disk.hint = Seq::new(cursor.below(8) as u64).min(disk.log.tail().seq);
    }
    disk
}
