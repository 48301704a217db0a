//! The invariants of protocol §18 that channels of class `quorum` must keep, each under its number,
//! and the record of what has happened that they are checked against.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use tetrarch_replica::Replica;
use tetrarch_wire::{
    Batch, Epoch, HardState, Link, LogPosition, ProducerId, ReplicaRole, Seq, VoterId,
    frame::{ChannelMessage, VoteKind},
};

use super::{Expected, available};
use crate::{
    client::{Asked, payload, sender_of},
    node::{Member, Node},
    world::{Channel, ChannelIndex},
};

/// How many snapshots of a channel are remembered, the latest ones.
const KEPT_SNAPSHOTS: usize = 64;

/// What an omniscient observer has seen.
#[derive(Debug)]
pub(crate) struct Chronicle {
    channels: Vec<History>,
    /// Channels that a node led when it was suspended for longer than an election timeout: it may
    /// acknowledge nothing in them before it has won again.
    suspended: BTreeSet<(usize, ChannelIndex)>,
}

/// The history of one channel.
#[derive(Debug)]
struct History {
    is_available: bool,
    leaders: BTreeMap<u64, usize>,
    promises: Vec<HardState>,
    votes: BTreeMap<(usize, u64), VoterId>,
    links: BTreeMap<(Seq, Epoch), Link>,
    /// Everything that is committed, from the first seq on.
    committed: Vec<Rc<Batch>>,
    /// In which epoch each of it was: that of the batch up to which it was counted (protocol §8).
    committed_in: Vec<u64>,
    /// Who voted when each of it was.
    committed_by: Vec<Rc<[usize]>>,
    /// Where each event of an idempotent producer is in it.
    events: BTreeMap<(ProducerId, u64), Seq>,
    acknowledged: BTreeMap<(usize, u64), Seq>,
    highest_acknowledged: Seq,
    /// What a snapshot says that stands at a seq.
    snapshots: BTreeMap<Seq, Bytes>,
}

impl History {
    fn new(nodes: usize) -> Self {
        Self {
            is_available: false,
            leaders: BTreeMap::new(),
            promises: vec![HardState::INITIAL; nodes],
            votes: BTreeMap::new(),
            links: BTreeMap::new(),
            committed: Vec::new(),
            committed_in: Vec::new(),
            committed_by: Vec::new(),
            events: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            highest_acknowledged: Seq::ZERO,
            snapshots: BTreeMap::new(),
        }
    }

    fn committed_tail(&self) -> Seq {
        self.committed
            .last()
            .map_or(Seq::ZERO, |last| last.last_seq())
    }

    fn index_of(&self, seq: Seq) -> usize {
        self.committed
            .partition_point(|batch| batch.last_seq() < seq)
    }

    fn committed_at(&self, seq: Seq) -> Option<&Batch> {
        self.committed.get(self.index_of(seq)).map(|batch| &**batch)
    }
}

impl Chronicle {
    pub(crate) fn new(nodes: usize, channels: &[Channel]) -> Self {
        let histories = channels.iter();
        Self {
            channels: histories
                .map(|channel| History {
                    is_available: channel.is_available(),
                    ..History::new(nodes)
                })
                .collect(),
            suspended: BTreeSet::new(),
        }
    }

    /// Everything that is committed in a channel, from the first seq on.
    pub(crate) fn committed(&self, channel: ChannelIndex) -> &[Rc<Batch>] {
        &self.channels[channel].committed
    }

    pub(crate) fn highest_acknowledged(&self, channel: ChannelIndex) -> Seq {
        self.channels[channel].highest_acknowledged
    }

    pub(crate) fn acknowledged_by_channel(&self) -> Vec<Seq> {
        let channels = self.channels.iter();
        channels
            .map(|history| {
                if history.is_available {
                    // After a heal it may begin below what was acknowledged on another side.
                    Seq::new(history.acknowledged.len() as u64)
                } else {
                    history.highest_acknowledged
                }
            })
            .collect()
    }

    /// I2: at most one leader per epoch number.
    pub(crate) fn i2_one_leader_per_epoch(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        epoch: Epoch,
    ) {
        self.suspended.remove(&(node, channel));
        let other = self.channels[channel].leaders.insert(epoch.n, node);
        assert!(
            other.is_none_or(|other| other == node),
            "I2: n{node} and n{other:?} both lead epoch {} of channel {channel}",
            epoch.n
        );
        assert!(other.is_none(), "I2: n{node} won epoch {} twice", epoch.n);
    }

    /// I4: the highest epoch seen never goes back, and there is at most one vote per number.
    pub(crate) fn i4_promises_never_go_back(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        promise: HardState,
    ) {
        let history = &mut self.channels[channel];
        let before = history.promises[node];
        assert!(
            promise.epoch_seen >= before.epoch_seen,
            "I4: {before:?} then {promise:?}"
        );
        history.promises[node] = promise;
        if let Some(candidate) = promise.voted_for {
            let n = promise.epoch_seen.n;
            let voted = *history.votes.entry((node, n)).or_insert(candidate);
            assert_eq!(voted, candidate, "I4: n{node} voted twice in {n}");
        }
    }

    /// I5: nothing is promised that the disk does not hold.
    pub(crate) fn i5_persistence_before_promise(
        &self,
        me: VoterId,
        disk: &Expected,
        epoch: Epoch,
        message: &ChannelMessage,
        is_available: bool,
    ) {
        let kept = disk.hard_state;
        let is_free = match message {
            // Nobody votes: a candidate asks whether somebody leads or ranks before it.
            ChannelMessage::VoteRequest(_) | ChannelMessage::VoteResponse(_) if is_available => {
                true
            }
            ChannelMessage::VoteRequest(request) => {
                if request.kind != VoteKind::Pre {
                    assert_eq!(
                        (kept.epoch_seen.n, kept.voted_for),
                        (epoch.n, Some(me)),
                        "I5: asked for votes before its own was durable"
                    );
                }
                request.kind == VoteKind::Pre
            }
            ChannelMessage::VoteResponse(response) => {
                if response.kind != VoteKind::Pre && response.refusal.is_none() {
                    assert_eq!(
                        (kept.epoch_seen.n, kept.voted_for),
                        (epoch.n, Some(epoch.leader)),
                        "I5: voted before the vote was durable"
                    );
                }
                response.kind == VoteKind::Pre || response.refusal.is_some()
            }
            ChannelMessage::AppendAck(ack) => {
                assert!(
                    disk.holds(ack.durable, ack.durable_link),
                    "I5: acknowledged {} which is not durable",
                    ack.durable
                );
                false
            }
            _ => false,
        };
        assert!(
            is_free || epoch.n <= kept.epoch_seen.n,
            "I5: spoke in epoch {} before it was durable",
            epoch.n
        );
    }

    /// I6: the same seq in the same epoch has the same link, on every disk and in every message.
    pub(crate) fn i6_log_matching(&mut self, channel: ChannelIndex, batches: &[Batch]) {
        for batch in batches {
            let key = (batch.last_seq(), batch.epoch());
            let link = *self.channels[channel]
                .links
                .entry(key)
                .or_insert(batch.link());
            assert_eq!(link, batch.link(), "I6: two different batches at {key:?}");
        }
    }

    /// I7: a new leader's log holds everything that was committed in earlier epochs. One that wins
    /// late, after a leader of a higher epoch has, need not know what that one committed.
    pub(crate) fn i7_leader_completeness(
        &self,
        channel: ChannelIndex,
        disk: &Expected,
        epoch: Epoch,
    ) {
        let history = &self.channels[channel];
        let earlier = history.committed_in.partition_point(|n| *n < epoch.n);
        if let Some(batch) = history.committed[..earlier].last() {
            assert!(
                disk.holds(batch.last_seq(), batch.link()),
                "I7: the leader of {epoch} ends at {:?} and lacks the committed {batch:?}",
                disk.tail()
            );
        }
    }

    /// I8: an acknowledged event is durable on a majority of those who voted when it was committed.
    pub(crate) fn i8_durable_on_a_majority(
        &self,
        nodes: &[Node],
        damaged: &BTreeSet<usize>,
        asked: Asked,
        placed: &[(u64, Seq)],
    ) {
        for (number, seq) in placed {
            let history = &self.channels[asked.channel];
            let committed = history.committed_at(*seq);
            let committed = committed.expect("I8: acknowledged but not committed");
            let voters = &history.committed_by[history.index_of(*seq)];
            let holds = |node: &&usize| {
                nodes[**node].expected[asked.channel]
                    .as_ref()
                    .is_some_and(|disk| {
                        let trimmed = *seq <= disk.start.seq;
                        let held = disk.batch_at(*seq);
                        trimmed || held.is_some_and(|batch| batch.link() == committed.link())
                    })
            };
            let copies = voters.iter().filter(holds).count();
            // What a disk has lost since it acknowledged may have been counted, and what a node has let go of.
            let gone = |node: &&usize| {
                let disk = nodes[**node].expected[asked.channel].as_ref();
                let is_gone = damaged.contains(*node) || disk.is_none_or(Expected::has_let_go);
                is_gone && !holds(node)
            };
            let gone = voters.iter().filter(gone).count();
            assert!(
                copies + gone > voters.len() / 2,
                "I8: event {number} of producer {} at {seq} is durable on {copies} of {}",
                asked.producer,
                voters.len()
            );
            i14_the_payload_is_what_was_sent(committed, (asked.producer, *number), *seq);
        }
    }

    pub(crate) fn acknowledged(&mut self, asked: Asked, placed: &[(u64, Seq)]) {
        let history = &mut self.channels[asked.channel];
        for (number, seq) in placed {
            history.acknowledged.insert((asked.producer, *number), *seq);
            history.highest_acknowledged = history.highest_acknowledged.max(*seq);
        }
    }

    /// Whether every holder has everything, durably, and knows that it is committed.
    pub(crate) fn all_caught_up(
        &self,
        nodes: &[Node],
        channels: &[Channel],
        damaged: &BTreeSet<usize>,
    ) -> bool {
        self.channels
            .iter()
            .zip(channels)
            .enumerate()
            .filter(|(_, (_, channel))| !channel.is_deleted)
            .all(|(index, (history, channel))| {
                if history.is_available {
                    return available::is_healed(nodes, index, channel);
                }
                let committed = history.committed.last().map(|last| last.position());
                let mut sound = channel.holders.iter().filter(|node| {
                    self.is_to_be_whole(nodes, **node, (index, channel), damaged.contains(node))
                });
                sound.all(|node| {
                    let disk = nodes[*node].expected[index].as_ref();
                    let process = nodes[*node].process.as_ref();
                    let member = process.and_then(|process| process.shard.get(channel.uid));
                    let damage = process.map_or_else(Vec::new, |process| process.reader.damaged());
                    damage.iter().all(|(uid, _)| *uid != channel.uid)
                        && disk.map(Expected::tail) == committed
                        && disk.is_some_and(|disk| disk.hard_state.limbo.is_none())
                        && member.map(|(_, member)| member.commit) == committed.map(|at| at.seq)
                })
            })
    }

    /// Whether a holder must have everything at the end: all but one that has lost what no other replica
    /// can give it: its whole store, its votes, what was never committed, or what the others have trimmed,
    /// which it has not if the power went before its own trim was written.
    fn is_to_be_whole(
        &self,
        nodes: &[Node],
        node: usize,
        (index, channel): (ChannelIndex, &Channel),
        is_damaged: bool,
    ) -> bool {
        let found = &nodes[node];
        let (Some(process), Some(expected)) = (&found.process, &found.expected[index]) else {
            return !is_damaged;
        };
        let member = process.shard.get(channel.uid);
        let is_halted = member.is_some_and(|(replica, _)| replica.view().halted.is_some());
        let tail = expected.tail();
        let mut committed = self.channels[index].committed.iter();
        let is_committed = committed.any(|batch| batch.position() == tail);
        let others = channel.holders.iter().filter(|holder| **holder != node);
        let logs = others.filter_map(|holder| nodes[*holder].expected[index].as_ref());
        let starts: Vec<Seq> = logs.map(|log| log.start.seq).collect();
        let trimmed = starts.iter().copied().min().unwrap_or(Seq::ZERO);
        // Who leads may have trimmed what it has lost, and then it does not ask anybody else.
        let is_behind = starts.iter().any(|start| tail.seq < *start);
        let lacking = process.reader.damaged().into_iter();
        let is_trimmed = lacking
            .filter(|(uid, _)| *uid == channel.uid)
            .any(|(_, segment)| segment <= trimmed);
        !is_damaged || !(is_trimmed || (is_halted && (!is_committed || is_behind)))
    }

    /// I9: at the end every acknowledged event is at its seq on every holder, and all logs agree.
    pub(crate) fn i9_everything_acknowledged_is_everywhere(
        &self,
        nodes: &[Node],
        channels: &[Channel],
        damaged: &BTreeSet<usize>,
    ) {
        let histories = self.channels.iter().zip(channels).enumerate();
        for (index, (history, channel)) in histories.filter(|(_, (_, one))| !one.is_deleted) {
            if history.is_available {
                let acknowledged = history.acknowledged.keys().copied();
                available::i16_everything_acknowledged_is_there_once(
                    nodes,
                    (index, channel),
                    acknowledged,
                );
                continue;
            }
            let committed = history.committed.last().map(|last| last.position());
            for node in channel.holders.iter().filter(|node| {
                self.is_to_be_whole(nodes, **node, (index, channel), damaged.contains(node))
            }) {
                let disk = nodes[*node].expected[index]
                    .as_ref()
                    .expect("a holder has a log");
                assert_eq!(
                    Some(disk.tail()),
                    committed,
                    "I9: n{node} did not catch up in channel {index}"
                );
                let process = nodes[*node]
                    .process
                    .as_ref()
                    .expect("everybody runs after the heal");
                let member = process.shard.get(channel.uid);
                let (_, member) = member.expect("a holder has the channel");
                let commit = member.commit;
                assert_eq!(commit, disk.tail().seq, "I9: n{node} knows less committed");
                disk.check_bytes(channel.uid, &process.reader, false);
                for ((producer, number), seq) in &history.acknowledged {
                    if *seq > disk.start.seq {
                        let held = disk.batch_at(*seq);
                        let batch = held.unwrap_or_else(|| panic!("I9: n{node} lacks {seq}"));
                        i14_the_payload_is_what_was_sent(batch, (*producer, *number), *seq);
                    }
                }
            }
        }
    }

    /// I10: committed prefixes of any two nodes are equal. Also the place where I14 is checked:
    /// no event of a producer is in the log twice.
    pub(crate) fn i10_committed_prefixes_are_equal(
        &mut self,
        channel: ChannelIndex,
        member: &Member,
        voters: &Rc<[usize]>,
    ) {
        let history = &mut self.channels[channel];
        let commit = member.commit;
        let until = commit.min(
            member
                .shadow
                .last()
                .map_or(Seq::ZERO, |last| last.last_seq()),
        );
        if let (Some(ours), Some(mine)) = (history.committed_at(until), member.shadow_at(until)) {
            assert_eq!(
                ours.link(),
                mine.link(),
                "I10: {ours:?} and {mine:?} are both committed"
            );
            return;
        }
        let known = history.committed_tail();
        let from = member
            .shadow
            .partition_point(|batch| batch.base_seq() <= known);
        for batch in &member.shadow[from..] {
            if batch.last_seq() > commit {
                break;
            }
            let previous = history.committed.last().map(|last| last.position());
            assert!(
                previous.is_none_or(|previous| batch.follows(&previous)),
                "I10: {batch:?} does not continue what is committed, {previous:?}"
            );
            i14_exactly_once(&mut history.events, batch);
            history.committed.push(Rc::clone(batch));
        }
        if let Some(last) = history.committed.last() {
            let epoch = last.epoch().n;
            history.committed_in.resize(history.committed.len(), epoch);
            let voters = Rc::clone(voters);
            history.committed_by.resize(history.committed.len(), voters);
        }
    }

    /// I11: nothing that is committed is ever cut off a disk, whoever knows that it is. A node that
    /// hears only a leader of an epoch before the one in which it was committed is none of the
    /// majority, and may.
    pub(crate) fn i11_nothing_committed_is_cut(
        &self,
        channel: ChannelIndex,
        disk: &Expected,
        point: LogPosition,
    ) {
        let cut = disk.log.iter().filter(|batch| batch.last_seq() > point.seq);
        for batch in cut {
            let history = &self.channels[channel];
            let index = history.index_of(batch.last_seq());
            let same = |committed: &Rc<Batch>| committed.link() == batch.link();
            let is_committed = history.committed.get(index).is_some_and(same)
                && history.committed_in[index] <= disk.hard_state.epoch_seen.n;
            assert!(
                !is_committed,
                "I11: {batch:?} is committed and cut to {point:?}"
            );
        }
    }

    /// I14: what a replica knows of producers, voters and trims is a function of what is committed: two
    /// snapshots that stand at the same seq say the same, whoever made them.
    pub(crate) fn i14_snapshots_are_equal(
        &mut self,
        channel: ChannelIndex,
        node: usize,
        (seq, snapshot): (Seq, Bytes),
    ) {
        let snapshots = &mut self.channels[channel].snapshots;
        let known = snapshots.entry(seq).or_insert_with(|| snapshot.clone());
        assert!(
            *known == snapshot,
            "I14: n{node} knows something else of what is committed up to {seq}"
        );
        while snapshots.len() > KEPT_SNAPSHOTS {
            snapshots.pop_first();
        }
    }

    /// I11: a log begins anew at a place that everybody's has, and nobody gives up a log by which
    /// something may have been committed: not one who voted when the last of it was.
    pub(crate) fn i11_a_log_begins_at_what_is_committed(
        &self,
        channel: ChannelIndex,
        node: usize,
        start: LogPosition,
    ) {
        let history = &self.channels[channel];
        let committed = history.committed_at(start.seq).map(Batch::position);
        assert_eq!(
            committed,
            Some(start),
            "I11: n{node} begins at what is not committed"
        );
        let voters = history.committed_by.last();
        assert!(
            voters.is_none_or(|voters| !voters.contains(&node)),
            "I11: n{node} votes and gives up its log"
        );
    }

    /// A node goes on after having been suspended for longer than an election timeout.
    pub(crate) fn suspended_leaders(&mut self, node: usize, led: Vec<ChannelIndex>) {
        self.suspended
            .extend(led.into_iter().map(|channel| (node, channel)));
    }

    /// I12: nothing is acknowledged in an epoch after a higher one is known, nor by a leader that
    /// was suspended and has not won again.
    pub(crate) fn i12_fencing(
        &self,
        node: usize,
        channel: ChannelIndex,
        disk: &Expected,
        epoch: Epoch,
    ) {
        assert!(
            disk.hard_state.epoch_seen.n <= epoch.n,
            "I12: acknowledged in {epoch} knowing {:?}",
            disk.hard_state
        );
        assert!(
            !self.suspended.contains(&(node, channel)),
            "I12: n{node} acknowledged in channel {channel} after it was suspended"
        );
    }

    /// I26: what a consumer gets is what is committed at that seq.
    pub(crate) fn i26_served_is_what_is_committed(&self, channel: ChannelIndex, batch: &Batch) {
        let committed = self.channels[channel].committed_at(batch.last_seq());
        assert_eq!(
            committed,
            Some(batch),
            "I26: a consumer of channel {channel} got something else"
        );
    }

    /// What can be checked of a channel on a node at any time.
    pub(crate) fn after_step(
        &self,
        node: usize,
        replica: &Replica,
        member: &Member,
        disk: &Expected,
    ) {
        let view = replica.view();
        assert_eq!(view.role, member.role, "I1: n{node}");
        assert!(view.durable.seq <= view.tail.seq);
        assert!(
            disk.holds(view.durable.seq, view.durable.link),
            "I5: n{node} believes {:?} durable",
            view.durable
        );
        assert!(
            view.role != ReplicaRole::Leader || view.leader == Some(view.epoch_seen.leader),
            "I2: n{node} leads in another's epoch"
        );
    }
}

fn i14_the_payload_is_what_was_sent(batch: &Batch, (producer, number): (usize, u64), seq: Seq) {
    let offset = usize::try_from(seq.since(batch.base_seq())).expect("it is a small number");
    let events = batch.events().expect("a checked batch holds what it says");
    let event = events
        .iter()
        .nth(offset)
        .expect("I8: an acknowledged seq holds no event");
    assert_eq!(
        event.payload,
        payload(producer, number),
        "I8/I14: another event is at {seq}"
    );
}

/// I14: no (producer, epoch, number) is in the log twice.
fn i14_exactly_once(events: &mut BTreeMap<(ProducerId, u64), Seq>, batch: &Batch) {
    let header = batch.header();
    if !header.producer.is_idempotent() {
        return i14_not_appended_twice(events, batch);
    }
    for offset in 0..u64::from(header.count) {
        let number = header.base_producer_seq.plus(offset).get();
        let seq = header.base_seq.plus(offset);
        let before = events.insert((header.producer, number), seq);
        assert!(
            before.is_none(),
            "I14: event {number} is at {before:?} and at {seq}"
        );
    }
}

/// I14: what a producer without deduplication was told is not appended is not, so that sending it
/// again does not double it.
fn i14_not_appended_twice(events: &mut BTreeMap<(ProducerId, u64), Seq>, batch: &Batch) {
    let found = batch.events().expect("a checked batch holds what it says");
    for (offset, event) in (0..).zip(found.iter()) {
        let Some((producer, number)) = sender_of(&event.payload) else {
            continue;
        };
        let mut id = [0xFF; 16];
        id[0] = producer;
        let seq = batch.base_seq().plus(offset);
        let before = events.insert((ProducerId::from_bytes(id), number), seq);
        assert!(
            before.is_none(),
            "I14: event {number} of a producer without deduplication is at {before:?} and at {seq}"
        );
    }
}
