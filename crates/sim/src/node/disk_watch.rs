//! A node looks at its disk once a second and tells its channels, as the shipped one does.

use crate::world::{Event, MS, World};

/// How many channels that have withdrawn come back at once.
const COME_BACK_AT_ONCE: usize = 64;

impl World {
    /// How full is it?
    pub(crate) fn look_at_disk(&mut self, node: usize) {
        let known = &mut self.nodes[node];
        let (start, now) = (known.starts, known.clock.read(self.now).mono);
        let Some(process) = &mut known.process else {
            return;
        };
        if std::mem::take(&mut process.found_no_room) {
            process.gauge.refused();
        }
        if let Ok(space) = process.reader.free_space() {
            process.gauge.look(space.available, space.total, now);
        }
        let level = process.gauge.level();
        self.turn(node, |shard, turn| {
            shard.disk_level(level, COME_BACK_AT_ONCE, turn);
        });
        self.settle_soon(node);
        self.at(1_000 * MS, Event::LookAtDisk { node, start });
    }
}
