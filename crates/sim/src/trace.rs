//! What a run tells: a fingerprint always, and every step as a line of JSON if somebody wants to
//! read it.

use std::{io::Write, rc::Rc};

use tetrarch_replica::Effect;

use crate::timeline::{self, Mark};

/// Where a run is told.
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Box<dyn Write>>,
    timeline: Option<timeline::Shared>,
}

impl Trace {
    /// Only the fingerprint.
    pub(crate) const fn silent() -> Self {
        Self {
            hash: 0,
            lines: None,
            timeline: None,
        }
    }

    /// Every step, too.
    pub(crate) fn to(lines: impl Write + 'static) -> Self {
        Self {
            hash: 0,
            lines: Some(Box::new(lines)),
            timeline: None,
        }
    }

    /// Everything that a timeline shows, too.
    pub(crate) fn with(mut self, timeline: &timeline::Shared) -> Self {
        self.timeline = Some(Rc::clone(timeline));
        self
    }

    /// Marks something in the timeline.
    pub(crate) fn mark(&mut self, now: u64, node: usize, mark: impl FnOnce() -> Mark) {
        if let Some(timeline) = &self.timeline {
            timeline.borrow_mut().note(now, node, mark());
        }
    }

    /// The fingerprint of everything so far (I29).
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// Tells something in words.
    pub(crate) fn say(&mut self, now: u64, node: usize, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let line = serde_json::json!({ "ns": now, "node": node, "what": what() });
            writeln!(lines, "{line}").expect("the trace can be written");
        }
    }

    /// Takes an effect into the fingerprint.
    pub(crate) fn mix(&mut self, now: u64, node: usize, channel: usize, effect: &Effect) {
        const OF_FORKS: u64 = 1 << 60;
        let code = match effect {
            Effect::Persist { token, .. } => token.get() << 4 | 1,
            Effect::Send { epoch, .. } => epoch.n << 4 | 2,
            Effect::Reply { ticket, .. } => ticket.0 << 4 | 3,
            Effect::ReadIndexReady { ticket, .. } => ticket.0 << 4 | 4,
            Effect::AdminDone { ticket, .. } => ticket.0 << 4 | 5,
            Effect::ReadLog { from, .. } => from.get() << 4 | 6,
            Effect::RoleChanged(change) => change.epoch.n << 4 | 7,
            Effect::TransitionRejected(_) => 8,
            Effect::Committed { commit } => commit.get() << 4 | 9,
            Effect::Trim { upto } => upto.get() << 4 | 10,
            Effect::Deleted => 11,
            Effect::BeatNow => 12,
            Effect::Halted(_) => 13,
            Effect::Mend { segment, .. } => segment.get() << 4 | 14,
            Effect::Placed { version } => version << 4 | 15,
            Effect::SaveSnapshot { seq, .. } => seq.get() << 4,
            Effect::Seal { after } => OF_FORKS | after.seq.get() << 4 | 1,
            Effect::ReadFork { from, .. } => OF_FORKS | from.get() << 4 | 2,
            Effect::DropFork { .. } => OF_FORKS | 3,
            Effect::ForkCollected { republished, .. } => OF_FORKS | republished << 4 | 4,
            Effect::Diverged { point } => OF_FORKS | point.seq.get() << 4 | 5,
        };
        let place = (node as u64) << 56 | (channel as u64) << 48;
        let mixed = self.hash.rotate_left(7) ^ code ^ place ^ now.rotate_left(20);
        self.hash = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
