//! The leader's sending side: pipelined appends within a window, and probes: empty appends that
//! ask a replica where it stands or tell it what is committed (protocol §8, §9.1).

use tetrarch_wire::{
    LogPosition, VoterId,
    frame::{Append, ChannelMessage},
    limits,
};

use super::{Flow, follower::Follower};
use crate::{Context, Replica};

impl Replica {
    /// Sends every follower what its window has room for, and what is committed.
    pub(crate) fn push_to_all(&mut self, ctx: &mut Context<'_>) {
        for voter in self.follower_ids() {
            self.push_to(voter, ctx);
        }
    }

    /// Asks every follower where it stands.
    pub(crate) fn probe_all(&mut self, ctx: &mut Context<'_>) {
        let tail = self.log.tail();
        for voter in self.follower_ids() {
            self.probe(voter, tail, ctx);
        }
    }

    fn follower_ids(&self) -> Vec<VoterId> {
        self.leadership
            .as_ref()
            .map(|leadership| leadership.followers.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Sends one follower what its window has room for.
    pub(crate) fn push_to(&mut self, voter: VoterId, ctx: &mut Context<'_>) {
        while let Some(append) = self.next_append(voter, ctx) {
            self.send_append(voter, append, ctx);
        }
        self.tell_commit(voter, ctx);
    }

    fn send_append(&mut self, to: VoterId, append: Append, ctx: &mut Context<'_>) {
        let epoch = self.epoch_seen();
        self.send(to, epoch, ChannelMessage::Append(append), ctx);
    }

    /// The next append for a follower, if it has room and there is something to send.
    fn next_append(&mut self, voter: VoterId, ctx: &mut Context<'_>) -> Option<Append> {
        let tail = self.log.tail();
        let config_seq = self.config().seq;
        let settings = &self.settings;
        let leadership = self.leadership.as_deref_mut()?;
        let follower = leadership.followers.get_mut(&voter)?;
        let room = follower.has_room(settings.window_bytes, settings.window_batches);
        if follower.flow != Flow::Push || !room || follower.next.seq >= tail.seq {
            return None;
        }
        let Some(index) = self.log.recent().index_after(follower.next.seq) else {
            // It fell behind what is in memory: the probe makes it pull.
            follower.search(ctx.now.mono);
            self.probe(voter, tail, ctx);
            return None;
        };
        let batches = self.log.recent().take_from(
            index,
            settings.frame_bytes,
            settings.window_batches.min(limits::MAX_FRAME_BATCHES),
        );
        let previous = follower.next;
        follower.told_commit = self.commit;
        leadership.note_sent(voter, &batches, ctx.now.mono);
        Some(Append {
            previous,
            commit: self.commit,
            config_seq,
            batches,
        })
    }

    /// Asks a follower whether it holds `previous`, and tells it what is committed.
    pub(crate) fn probe(&mut self, voter: VoterId, previous: LogPosition, ctx: &mut Context<'_>) {
        let commit = self.commit;
        let Some(follower) = self.follower_mut(voter) else {
            return;
        };
        follower.asked(commit, ctx.now.mono);
        let append = Append {
            previous,
            commit,
            config_seq: self.config().seq,
            batches: Vec::new(),
        };
        self.send_append(voter, append, ctx);
    }

    /// Tells an idle follower a new commit position at once; at most one probe is on its way.
    fn tell_commit(&mut self, voter: VoterId, ctx: &mut Context<'_>) {
        let commit = self.commit;
        let Some(follower) = self.follower_mut(voter) else {
            return;
        };
        let idle = !follower.has_in_flight() && follower.probe.is_none();
        if idle && follower.flow == Flow::Push && follower.told_commit < commit {
            let previous = follower.next;
            self.probe(voter, previous, ctx);
        }
    }

    /// Probes each follower that owes an answer for an interval: a lost message or connection is
    /// noticed by its refusal, and nothing is sent twice without one.
    pub(crate) fn probe_silent_followers(&mut self, ctx: &mut Context<'_>) {
        let (tail, commit, now) = (self.log.tail(), self.commit, ctx.now.mono);
        let Some(leadership) = &self.leadership else {
            return;
        };
        let due: Vec<(VoterId, LogPosition)> = leadership
            .followers
            .iter()
            .filter(|(_, follower)| follower.connected && follower.owes_answer(commit))
            .filter(|(_, follower)| now.since(follower.waiting_since()) >= self.settings.heartbeat)
            .map(|(voter, follower)| match follower.flow {
                Flow::Push => (*voter, follower.next),
                Flow::Search => (*voter, tail),
            })
            .collect();
        for (voter, previous) in due {
            self.probe(voter, previous, ctx);
        }
    }

    pub(crate) fn follower_mut(&mut self, voter: VoterId) -> Option<&mut Follower> {
        self.leadership.as_mut()?.followers.get_mut(&voter)
    }
}
