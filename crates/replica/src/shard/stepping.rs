//! One step of one channel: first what beats have repeated, then the input, then what the beats are
//! to be told, and only then what comes of it.

use tetrarch_wire::{ChannelUid, VoterId};

use super::{Shard, ShardEffect, Turn};
use crate::{
    Context, Effect, Input,
    beat::{ChannelFact, Repeat},
    membership::ReplicaSet,
};

impl<A> Shard<A> {
    /// Gives one input to a channel. Nothing happens if it is not here.
    pub fn step(&mut self, channel: ChannelUid, input: Input, turn: &mut Turn<'_>) {
        if self.advance(channel, Some(input), turn).is_some() {
            self.touch(channel);
        }
    }

    /// The catalog says who is to hold the channel. Of those that come the replica learns at once whether
    /// they are there: no peer is found or lost for that.
    pub fn placed(
        &mut self,
        channel: ChannelUid,
        set: ReplicaSet,
        is_connected: impl Fn(VoterId) -> bool,
        turn: &mut Turn<'_>,
    ) {
        let peers = |shard: &Self| shard.get(channel).map(|(replica, _)| replica.peers());
        let before = peers(self);
        self.step(channel, Input::Placed(set), turn);
        let (Some(before), Some(after)) = (before, peers(self)) else {
            return;
        };
        for peer in after.iter().filter(|peer| !before.contains(peer)) {
            let peer = peer.voter;
            let input = if is_connected(peer) {
                Input::PeerFound { peer }
            } else {
                Input::PeerLost { peer }
            };
            self.step(channel, input, turn);
        }
    }

    /// A peer is connected.
    pub fn peer_found(&mut self, peer: VoterId, turn: &mut Turn<'_>) {
        let shared: Vec<ChannelUid> = self.held_with(peer).collect();
        for channel in shared {
            self.step(channel, Input::PeerFound { peer }, turn);
        }
    }

    /// A peer is not connected any more.
    pub fn peer_lost(&mut self, peer: VoterId, turn: &mut Turn<'_>) {
        let shared: Vec<ChannelUid> = self.held_with(peer).collect();
        for channel in shared {
            self.step(channel, Input::PeerLost { peer }, turn);
        }
    }

    /// What beats say of channels here.
    pub fn on_beat(&mut self, facts: Vec<ChannelFact>, repeats: &[Repeat], turn: &mut Turn<'_>) {
        for fact in facts {
            let channel = fact.channel();
            self.hear(channel, Some(fact), turn);
            // A leader that withdrew is waited for no longer.
            self.arm(channel);
        }
        for repeat in repeats {
            self.repeats.note(*repeat);
        }
        // Readers wait for an acknowledgement, and not for when the channel is looked at next.
        for channel in std::mem::take(&mut self.awaiting_acks) {
            self.hear(channel, None, turn);
            if self.awaits_acknowledgement(channel) {
                self.awaiting_acks.insert(channel);
            }
        }
    }

    /// Looks at the channels whose timers have gone off, or are about to: if beats have been heard
    /// since a timer was set, as in most cases, it need not wake anybody again.
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        for channel in self.take_due(now.plus(self.look_ahead)) {
            self.hear(channel, None, turn);
            if self.arm(channel).is_some_and(|deadline| deadline <= now) {
                self.step(channel, Input::Tick, turn);
            }
        }
    }

    /// Ends a turn: batches are formed of what has arrived, and timers set. Gives the channels to
    /// which something has happened since the last turn.
    pub fn settle(&mut self, turn: &mut Turn<'_>) -> Vec<ChannelUid> {
        let touched = std::mem::take(&mut self.touched);
        for channel in &touched {
            let member = self.members.get(channel);
            if member.is_some_and(|member| member.replica.wants_flush()) {
                self.step(*channel, Input::Flush, turn);
            }
            if let Some(member) = self.members.get_mut(channel) {
                member.is_touched = false;
            }
            self.arm(*channel);
        }
        touched
    }

    fn awaits_acknowledgement(&self, channel: ChannelUid) -> bool {
        let member = self.members.get(&channel);
        member.is_some_and(|member| member.replica.awaits_acknowledgement())
    }

    /// Gives a channel what a beat says, or only what beats have repeated since it was looked at.
    /// Most of it is nothing new; then there is nothing to settle, and the channel's timer is for the
    /// caller to set.
    pub(super) fn hear(
        &mut self,
        channel: ChannelUid,
        fact: Option<ChannelFact>,
        turn: &mut Turn<'_>,
    ) {
        if let (Some(member), Some(fact)) = (self.members.get_mut(&channel), &fact) {
            member.told.note(fact);
        }
        let input = fact.map(|fact| fact.into_input().1);
        if self.advance(channel, input, turn) == Some(true) {
            self.touch(channel);
        }
    }

    /// Steps a channel that is here with what beats have repeated and then with `input`. Says whether
    /// anything came of it.
    fn advance(
        &mut self,
        channel: ChannelUid,
        input: Option<Input>,
        turn: &mut Turn<'_>,
    ) -> Option<bool> {
        let member = self.members.get_mut(&channel)?;
        let mut context = Context {
            now: turn.now,
            chance: &mut *turn.chance,
            effects: &mut self.effects,
        };
        let (_, epoch_seen, _) = member.replica.standing();
        let repeated = member.told.due(&self.repeats, epoch_seen);
        member.replica.step_repeated(repeated, &mut context);
        if let Some(input) = input {
            member.replica.step(input, &mut context);
        }
        let news = member.news_for_beats();
        let is_something = news.is_some() || !self.effects.is_empty();
        turn.effects.extend(news.map(ShardEffect::Stamp));
        for effect in self.effects.drain(..) {
            if matches!(effect, Effect::BeatNow) {
                self.awaiting_acks.insert(channel);
            }
            turn.effects.push(ShardEffect::Replica(channel, effect));
        }
        Some(is_something)
    }

    /// Notes that the channel is to be settled, and stamped.
    fn touch(&mut self, channel: ChannelUid) {
        let Some(member) = self.members.get_mut(&channel) else {
            return;
        };
        if !std::mem::replace(&mut member.is_touched, true) {
            self.touched.push(channel);
        }
        if !std::mem::replace(&mut member.is_restless, true) {
            self.restless.push(channel);
        }
    }
}
