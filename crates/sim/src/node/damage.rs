//! Damage: bytes that were durable are not what they were. It strikes a minority of the holders of
//! each channel, so that everything keeps an intact copy. What is damaged must be noticed before it
//! is used and is never served. Segments are mended; what the write-ahead log has lost, the channel is
//! given again by the others, and takes part meanwhile without a vote; whatever else it is halts the
//! channel here, and the others go on.

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

    /// The process ends, and before it starts again a file of the write-ahead log is gone or cut short.
    /// Nothing else happens to that log: of its last group nobody can tell whether it was durable, and
    /// the store's own tests damage every byte of the others.
    fn damage_wal(&mut self, node: usize) {
        self.note_fault("damage to the write-ahead log", node);
        if self.dice.permille(500) {
            self.cut_power(node);
        } else {
            self.kill(node);
        }
        let disk = self.nodes[node].disk.clone();
        let files = disk.files().into_iter();
        let files = files.filter(|(path, bytes)| {
            path.to_string_lossy().ends_with(".wal")
                && path.to_string_lossy().contains("/wal/")
                && !bytes.is_empty()
        });
        let files: Vec<_> = files.collect();
        if files.is_empty() {
            return;
        }
        let (path, bytes) = &files[self.dice.index(files.len())];
        // Groups stand at the beginning.
        let offset = match self.dice.index(3) {
            0 => self.dice.below(bytes.len() as u64),
            _ => self.dice.below((bytes.len() as u64).min(1 << 16)),
        };
        let is_lost = self.dice.permille(300);
        self.trace.say(self.now, node, || {
            format!("{path:?} is lost: {is_lost}, or cut at {offset}")
        });
        if is_lost {
            disk.lose(path);
        } else {
            disk.shorten(path, offset);
        }
    }

    /// Something happens to one file.
    pub(crate) fn damage(&mut self, node: usize) {
        if !self.may_be_damaged(node) {
            return;
        }
        if self.dice.permille(400) {
            return self.damage_wal(node);
        }
        let disk = self.nodes[node].disk.clone();
        let files = disk.files().into_iter().filter(|(path, bytes)| {
            let name = path.to_string_lossy();
            // One copy of two is enough, as long as no start has made the other one anew.
            let is_spared = ["/wal/", "lock", "ballast", "epochs.b"]
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
            // What it has lost may be trimmed by now.
            HaltReason::MissingRange { .. } => self.is_damaged(node),
            HaltReason::WouldTruncateCommitted { .. } => false,
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
        self.forget(node, channel);
        self.channels[channel].given_up_by.insert(node);
    }

    /// Nothing is expected any more of what this node holds of a channel.
    pub(super) fn forget(&mut self, node: usize, channel: ChannelIndex) {
        let before = self.nodes[node].expected[channel].take();
        if before.is_some_and(|before| before.hard_state.limbo.is_some()) {
            self.tally.count("channels that ended in limbo");
        }
    }

    /// At the end only what is halted is in limbo still. Whether it may be halted I9 says.
    pub(crate) fn i21_only_what_is_halted_is_in_limbo(&mut self) {
        for node in 0..self.nodes.len() {
            for channel in 0..self.channels.len() {
                let expected = self.nodes[node].expected[channel].as_ref();
                if expected.is_none_or(|expected| expected.hard_state.limbo.is_none()) {
                    continue;
                }
                let member = self.member(node, channel);
                let goes_on = member.is_some_and(|(replica, _)| replica.view().halted.is_none());
                assert!(
                    !goes_on,
                    "I21: n{node} is in limbo in channel {channel} for good"
                );
                self.tally.count("channels that ended in limbo");
            }
        }
    }
}
