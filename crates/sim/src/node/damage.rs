//! Damage: bytes that were durable are not what they were. It strikes a minority of the holders of
//! each channel, so that everything keeps an intact copy. What is damaged must be noticed before it
//! is used and is never served. Segments are mended; whatever else it is halts the channel here, and the
//! others go on.

use tetrarch_replica::HaltReason;

use crate::world::{ChannelIndex, World};

impl World {
    /// Whether the disk of this node may be damaged, which it counts as from now on.
    pub(crate) fn may_be_damaged(&mut self, node: usize) -> bool {
        let bears_it = self.channels.iter().all(|channel| {
            let others = channel.holders.iter().filter(|holder| **holder != node);
            let damaged = others.filter(|holder| self.damaged.contains(holder));
            let minority = (channel.holders.len() - 1) / 2;
            !channel.holders.contains(&node) || damaged.count() < minority
        });
        // A minority stays one as long as nobody else leaves.
        let bears_it = bears_it && !self.swarm.may_move();
        if bears_it {
            self.damaged.insert(node);
        }
        bears_it
    }

    pub(crate) fn is_damaged(&self, node: usize) -> bool {
        self.damaged.contains(&node)
    }

    /// Something happens to one file. Not to the write-ahead log: of its last group nobody can tell
    /// whether it was durable, and the store's own tests damage every byte of the others.
    pub(crate) fn damage(&mut self, node: usize) {
        if !self.may_be_damaged(node) {
            return;
        }
        let disk = self.nodes[node].disk.clone();
        let files = disk.files().into_iter().filter(|(path, bytes)| {
            let name = path.to_string_lossy();
            let is_spared = ["/wal/", "lock", "ballast"]
                .iter()
                .any(|part| name.contains(part));
            !is_spared && !bytes.is_empty()
        });
        let files: Vec<_> = files.collect();
        if files.is_empty() {
            return;
        }
        self.note_fault("damage", node);
        let (path, bytes) = &files[self.dice.index(files.len())];
        let offset = self.dice.below(bytes.len() as u64);
        let what = self.dice.index(4);
        self.trace.say(self.now, node, || {
            format!("damage {what} to {path:?} at {offset}")
        });
        match what {
            // That no snapshot is there says nothing: perhaps none was made yet.
            0 if path.ends_with("snapshot") => {}
            0 => disk.lose(path),
            1 => disk.shorten(path, offset),
            _ => disk.flip(path, offset, 1 << self.dice.index(8)),
        }
    }

    /// A channel takes no part on this node any more.
    pub(crate) fn halted(&mut self, node: usize, channel: ChannelIndex, reason: &HaltReason) {
        let is_of_damage = match reason {
            HaltReason::Corrupt | HaltReason::LogRefused => self.is_damaged(node),
            // Its process ends.
            HaltReason::StoreFailed => return,
            HaltReason::MissingRange { .. } | HaltReason::WouldTruncateCommitted { .. } => false,
        };
        assert!(is_of_damage, "n{node} halted channel {channel}: {reason:?}");
        let uid = self.channels[channel].uid;
        let process = self.nodes[node].process.as_ref();
        let stats = process.and_then(|process| process.reader.channel_stats(uid));
        if stats.is_some_and(|stats| stats.halted.is_some()) {
            self.gives_up(node, channel);
        }
    }

    /// What this node holds of a channel counts no more.
    pub(crate) fn gives_up(&mut self, node: usize, channel: ChannelIndex) {
        self.tally.count("damage that was noticed");
        self.nodes[node].expected[channel] = None;
        self.channels[channel].given_up_by.insert(node);
    }
}
