//! The hearing side: what peers say in beats, acknowledgements and tables. A frame counts only if
//! it comes from the peer's current start over a connection that is up (I23).

use tetrarch_wire::{
    ChannelUid, Frame, NodeId, ReplicaRole,
    frame::{BeatAck, ChannelBeat, NodeBeat, TablePage, TableRequest},
    limits,
};

use super::{
    BeatEffects, BeatHub, BeatWay, ChannelFact, PeerFact, Repeat, Roll, follow, heard::Admission,
    paging::FRAME_OVERHEAD, peer::Peer,
};
use crate::Moment;

impl BeatHub {
    /// A page of a beat came. With the last page, if the copy of the peer's table is proven whole
    /// by the hash, every channel in it was heard; else only those that the page names, and the
    /// whole table is asked for. A whole beat is acknowledged the way it came.
    pub fn on_beat(
        &mut self,
        from: NodeId,
        beat: &NodeBeat,
        way: BeatWay,
        now: Moment,
        effects: &mut BeatEffects,
    ) {
        let peer = self.peers.get_mut(&from);
        let Some(peer) = peer.filter(|peer| peer.up && peer.boot == beat.boot) else {
            return;
        };
        let admission = peer.heard.admit(beat);
        if admission == Admission::Outdated {
            return;
        }
        for row in &beat.rows {
            if let Some((channel, epoch)) = peer.heard.apply(row, peer.voter) {
                follow::withdrew(&self.channels, channel, epoch, effects);
            }
        }
        let complete = admission == Admission::Complete;
        let whole = complete && peer.heard.settle(beat);
        if complete && !whole {
            peer.ask_for_table(self.speaker.settings.interval, now, effects);
        }
        let roll = self.hear(from, &beat.rows, whole, now, effects);
        if complete {
            self.note_peer(from, beat, now, effects);
            self.acknowledge(from, (beat, way), roll, now, effects);
        }
    }

    /// The peer leads the channels of these rows now, and if its table is `whole` and the list of
    /// channels that hear it is still the same, all of that list; else all of its table. Gives that
    /// list, unless it was not heard completely or the rows may have changed it.
    fn hear(
        &mut self,
        from: NodeId,
        rows: &[ChannelBeat],
        whole: bool,
        now: Moment,
        effects: &mut BeatEffects,
    ) -> Option<Roll> {
        let peer = self.peers.get_mut(&from)?;
        if !rows.is_empty() {
            peer.unrefused_roll = None;
        }
        let peer = self.peers.get(&from)?;
        let roll = peer.heard_roll;
        match roll.filter(|(_, standing)| *standing == self.standing) {
            Some((roll, _)) => {
                let leader = peer.voter;
                self.tell_heard(peer, rows.iter(), (roll, now), effects);
                if whole {
                    let at = now;
                    effects.repeats.push(Repeat::Heard { leader, roll, at });
                }
                (whole && rows.is_empty()).then_some(roll)
            }
            None if whole => {
                self.hear_table(from, now, effects);
                None
            }
            None => {
                self.tell_heard(peer, rows.iter(), (Roll::NONE, now), effects);
                None
            }
        }
    }

    /// Every channel of the peer's table is heard, and makes a new roll.
    fn hear_table(&mut self, from: NodeId, now: Moment, effects: &mut BeatEffects) {
        let (roll, standing) = (self.new_roll(), self.standing);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.heard_roll = Some((roll, standing));
        }
        if let Some(peer) = self.peers.get(&from) {
            self.tell_heard(peer, peer.heard.rows(), (roll, now), effects);
        }
    }

    fn tell_heard<'a>(
        &self,
        peer: &Peer,
        rows: impl Iterator<Item = &'a ChannelBeat>,
        (roll, at): (Roll, Moment),
        effects: &mut BeatEffects,
    ) {
        for row in rows {
            let local = self.channels.get(&row.channel);
            let leads = row.role == ReplicaRole::Leader;
            if leads && local.is_some_and(|known| follow::hears(&known.local, row, peer.voter)) {
                effects.channels.push(ChannelFact::LeaderHeard {
                    channel: row.channel,
                    epoch: row.epoch,
                    commit: row.commit,
                    roll,
                    at,
                });
            }
        }
    }

    fn note_peer(&mut self, from: NodeId, beat: &NodeBeat, now: Moment, effects: &mut BeatEffects) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        peer.measure_echo(beat, now);
        let fact = PeerFact {
            peer: from,
            heard_at: now,
            rtt: peer.rtt(),
            disk_level: beat.disk_level,
            free_bytes: beat.free_bytes,
            wal_stall_ms: beat.wal_stall_ms,
        };
        peer.fact = Some(fact);
        effects.peers.push(fact);
    }

    /// Answers a whole beat, and names the rows of the peer's table that are refused.
    fn acknowledge(
        &mut self,
        from: NodeId,
        (beat, way): (&NodeBeat, BeatWay),
        roll: Option<Roll>,
        now: Moment,
        effects: &mut BeatEffects,
    ) {
        let all_stamped = self.all_stamped(now);
        let Some(peer) = self.peers.get(&from) else {
            return;
        };
        let is_known = roll.is_some() && roll == peer.unrefused_roll && all_stamped;
        let mut refused = if is_known {
            Vec::new()
        } else {
            self.refused_of(peer, now)
        };
        let is_unrefused = refused.is_empty();
        let mut table_generation_seen = peer.heard.generation();
        if refused.len() > limits::MAX_BEAT_ROWS {
            // A frame cannot name them all, and an unnamed one would count. So none counts.
            refused.clear();
            table_generation_seen = 0;
        }
        let fits = FRAME_OVERHEAD + refused.len() * 32 <= self.speaker.settings.datagram_budget;
        let way = if fits { way } else { BeatWay::Control };
        let ack = BeatAck {
            boot: beat.boot,
            number: beat.number,
            table_generation_seen,
            rows: Vec::new(),
            refused,
        };
        effects.send(from, way, Frame::BeatAck(ack));
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.unrefused_roll = roll.filter(|_| is_unrefused);
        }
    }

    /// The rows of the peer's table that are refused.
    fn refused_of(&self, peer: &Peer, now: Moment) -> Vec<ChannelUid> {
        let patience = self.speaker.settings.patience();
        let rows = peer.heard.rows().filter(|row| {
            let stamped = self.channels.get(&row.channel);
            let stamped = stamped.filter(|known| !self.keepers.is_silent(known, now, patience));
            follow::refuses(stamped.map(|known| &known.local), row, peer.voter)
        });
        rows.map(|row| row.channel).collect()
    }

    /// A peer acknowledged a beat. It counts for a channel only if the peer holds the table that
    /// brought the channel's epoch, as the beat did, and does not refuse it (protocol §5).
    pub fn on_ack(&mut self, from: NodeId, ack: &BeatAck, now: Moment, effects: &mut BeatEffects) {
        let peer = self.peers.get_mut(&from);
        let Some(peer) = peer.filter(|peer| peer.up && ack.boot == self.speaker.boot) else {
            return;
        };
        let Some(sent) = peer.take_acknowledged(ack.number) else {
            return;
        };
        peer.measure(now.since(sent.at));
        peer.led.acknowledged(ack.number);
        peer.confirm_table(ack.table_generation_seen);
        let seen = ack.table_generation_seen.min(sent.generation);
        let voter = peer.voter;
        let counts_for_all = ack.refused.is_empty() && seen == peer.led.generation();
        if let Some((roll, generation)) = peer.acked_roll
            && counts_for_all
            && generation == seen
        {
            let sent_at = sent.at;
            effects.repeats.push(Repeat::Acked {
                voter,
                roll,
                sent_at,
            });
            return;
        }
        let roll = self.new_roll();
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        peer.acked_roll = counts_for_all.then_some((roll, seen));
        let mut refused = ack.refused.clone();
        refused.sort_unstable();
        let counts = peer.led.rows().filter(|row| {
            row.generation <= seen && refused.binary_search(&row.beat.channel).is_err()
        });
        let facts = counts.map(|row| ChannelFact::BeatAcked {
            channel: row.beat.channel,
            voter,
            epoch: row.beat.epoch,
            roll,
            sent_at: sent.at,
        });
        effects.channels.extend(facts);
    }

    /// A peer asks for the whole table.
    pub fn on_table_request(
        &mut self,
        from: NodeId,
        request: TableRequest,
        now: Moment,
        effects: &mut BeatEffects,
    ) {
        self.sweep_if_late(now);
        if let Some(peer) = self.peers.get_mut(&from).filter(|peer| peer.up) {
            peer.send_table(request, &self.speaker, now, effects);
        }
    }

    /// A page of a whole table came. With the last one, every channel in it was heard, and those
    /// that are not in it any more were withdrawn.
    pub fn on_table_page(
        &mut self,
        from: NodeId,
        page: TablePage,
        now: Moment,
        effects: &mut BeatEffects,
    ) {
        let peer = self.peers.get_mut(&from);
        let Some(peer) = peer.filter(|peer| peer.up && peer.boot == page.boot) else {
            return;
        };
        let Some(withdrawn) = peer.heard.take_page(page, peer.voter) else {
            return;
        };
        for (channel, epoch) in withdrawn {
            follow::withdrew(&self.channels, channel, epoch, effects);
        }
        self.hear_table(from, now, effects);
    }
}
