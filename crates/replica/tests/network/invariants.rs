//! The invariants of protocol §18 that one channel of class `quorum` must keep, each under its
//! number, and the record of what has happened that they are checked against.

use std::collections::BTreeMap;

use tetrarch_wire::{
    Batch, Epoch, HardState, Link, LogPosition, ProducerId, ReplicaRole, Seq, VoterId,
    frame::{ChannelMessage, VoteKind},
};

use super::{clients, node::Node};

/// What an omniscient observer has seen.
#[derive(Debug)]
pub(crate) struct Chronicle {
    leaders: BTreeMap<u64, usize>,
    last_led: BTreeMap<usize, Epoch>,
    promises: Vec<HardState>,
    votes: BTreeMap<(usize, u64), VoterId>,
    links: BTreeMap<(Seq, Epoch), Link>,
    /// Everything that is committed, from the first seq on.
    committed: Vec<Batch>,
    /// Where each event of an idempotent producer is in it.
    events: BTreeMap<(ProducerId, u64), Seq>,
    acked: BTreeMap<(usize, u64), Seq>,
    highest_acked: Seq,
}

impl Chronicle {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            leaders: BTreeMap::new(),
            last_led: BTreeMap::new(),
            promises: vec![HardState::INITIAL; nodes],
            votes: BTreeMap::new(),
            links: BTreeMap::new(),
            committed: Vec::new(),
            events: BTreeMap::new(),
            acked: BTreeMap::new(),
            highest_acked: Seq::ZERO,
        }
    }

    pub(crate) fn highest_acked(&self) -> Seq {
        self.highest_acked
    }

    pub(crate) fn last_epoch_led_by(&self, node: usize) -> Epoch {
        self.last_led.get(&node).copied().unwrap_or(Epoch::NONE)
    }

    fn committed_tail(&self) -> Seq {
        self.committed.last().map_or(Seq::ZERO, Batch::last_seq)
    }

    fn committed_at(&self, seq: Seq) -> Option<&Batch> {
        let index = self
            .committed
            .partition_point(|batch| batch.last_seq() < seq);
        self.committed.get(index)
    }

    /// I2: at most one leader per epoch number.
    pub(crate) fn i2_one_leader_per_epoch(&mut self, node: usize, epoch: Epoch) {
        let other = self.leaders.insert(epoch.n, node);
        assert!(
            other.is_none_or(|other| other == node),
            "I2: n{node} and n{other:?} both lead epoch {}",
            epoch.n
        );
        assert!(other.is_none(), "I2: n{node} won epoch {} twice", epoch.n);
        self.last_led.insert(node, epoch);
    }

    /// I4: the highest epoch seen never goes back, and there is at most one vote per number.
    pub(crate) fn i4_promises_never_go_back(&mut self, index: usize, node: &Node) {
        let promise = node.disk.hard_state;
        let before = self.promises[index];
        assert!(
            promise.epoch_seen >= before.epoch_seen,
            "I4: {before:?} then {promise:?}"
        );
        self.promises[index] = promise;
        if let Some(candidate) = promise.voted_for {
            let n = promise.epoch_seen.n;
            let voted = *self.votes.entry((index, n)).or_insert(candidate);
            assert_eq!(voted, candidate, "I4: n{index} voted twice in {n}");
        }
    }

    /// I5: nothing is promised that the disk does not hold.
    pub(crate) fn i5_persistence_before_promise(
        &self,
        index: usize,
        nodes: &[Node],
        epoch: Epoch,
        message: &ChannelMessage,
    ) {
        let disk = &nodes[index].disk;
        let kept = disk.hard_state;
        let pre_vote = match message {
            ChannelMessage::VoteRequest(request) => {
                if request.kind != VoteKind::Pre {
                    assert_eq!(
                        (kept.epoch_seen.n, kept.voted_for),
                        (epoch.n, Some(nodes[index].id)),
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
                    "I5: n{index} acknowledged {} which is not durable",
                    ack.durable
                );
                false
            }
            _ => false,
        };
        assert!(
            pre_vote || epoch.n <= kept.epoch_seen.n,
            "I5: spoke in epoch {} before it was durable",
            epoch.n
        );
    }

    /// I6: the same seq in the same epoch has the same link, on every disk and in every message.
    pub(crate) fn i6_log_matching<'a>(&mut self, batches: impl IntoIterator<Item = &'a Batch>) {
        for batch in batches {
            let key = (batch.last_seq(), batch.epoch());
            let link = *self.links.entry(key).or_insert(batch.link());
            assert_eq!(link, batch.link(), "I6: two different batches at {key:?}");
        }
    }

    /// I7: a new leader's log holds everything committed before.
    pub(crate) fn i7_leader_completeness(&self, node: &Node) {
        let last = self.committed_tail();
        if let Some(batch) = self.committed_at(last) {
            assert!(
                node.disk.holds(last, batch.link()),
                "I7: the new leader ends at {:?} and lacks the committed {batch:?}",
                node.disk.tail()
            );
        }
    }

    /// I8: an acknowledged event is durable on a majority at that moment.
    pub(crate) fn i8_durable_on_a_majority(
        &self,
        nodes: &[Node],
        client: usize,
        placed: &[(u64, Seq)],
    ) {
        for (number, seq) in placed {
            let committed = self
                .committed_at(*seq)
                .expect("I8: acknowledged but not committed");
            let copies = nodes.iter().filter(|node| {
                let trimmed = *seq <= node.disk.start.seq;
                let held = node.disk.batch_at(*seq);
                trimmed || held.is_some_and(|batch| batch.link() == committed.link())
            });
            let copies = copies.count();
            assert!(
                copies > nodes.len() / 2,
                "I8: event {number} of client {client} at {seq} is durable on {copies} of {}",
                nodes.len()
            );
            let offset = usize::try_from(seq.since(committed.base_seq())).unwrap();
            let event = committed.events().unwrap().iter().nth(offset);
            let payload = event.expect("I8: acknowledged seq holds no event").payload;
            assert_eq!(
                payload,
                clients::payload(client, *number),
                "I8/I14: another event is at {seq}"
            );
        }
    }

    pub(crate) fn acknowledged(&mut self, client: usize, placed: &[(u64, Seq)]) {
        for (number, seq) in placed {
            self.acked.insert((client, *number), *seq);
            self.highest_acked = self.highest_acked.max(*seq);
        }
    }

    /// Whether every node has everything, durably, and knows that it is committed.
    pub(crate) fn all_caught_up(&self, nodes: &[Node]) -> bool {
        let committed = self.committed.last().map(Batch::position);
        nodes.iter().all(|node| {
            let tail = node.disk.tail();
            Some(tail) == committed && node.commit == tail.seq
        })
    }

    /// I9: at the end every acknowledged event is at its seq on every node, and all logs agree.
    pub(crate) fn i9_everything_acknowledged_is_everywhere(&self, nodes: &[Node]) {
        let committed = self.committed.last().map(Batch::position);
        for (index, node) in nodes.iter().enumerate() {
            let tail = node.disk.tail();
            assert_eq!(Some(tail), committed, "I9: n{index} did not catch up");
            assert_eq!(node.commit, tail.seq, "I9: n{index} knows less committed");
        }
        for (index, node) in nodes.iter().enumerate() {
            for ((client, number), seq) in &self.acked {
                if *seq <= node.disk.start.seq {
                    continue;
                }
                let held = node.disk.batch_at(*seq);
                let batch = held.unwrap_or_else(|| panic!("I9: n{index} lacks {seq}"));
                let offset = usize::try_from(seq.since(batch.base_seq())).unwrap();
                let event = batch.events().unwrap().iter().nth(offset).unwrap();
                let sent = clients::payload(*client, *number);
                assert_eq!(event.payload, sent, "I9: n{index} at {seq}");
            }
        }
    }

    /// I10: committed prefixes of any two nodes are equal. Also the place where I14 is checked:
    /// no event of a producer is in the log twice.
    pub(crate) fn i10_committed_prefixes_are_equal(&mut self, node: &Node, commit: Seq) {
        let until = commit.min(node.shadow.last().map_or(Seq::ZERO, Batch::last_seq));
        if let (Some(ours), Some(mine)) = (self.committed_at(until), node.shadow_at(until)) {
            assert_eq!(
                ours.link(),
                mine.link(),
                "I10: {ours:?} and {mine:?} are both committed"
            );
            return;
        }
        let known = self.committed_tail();
        let from = node
            .shadow
            .partition_point(|batch| batch.base_seq() <= known);
        for batch in &node.shadow[from..] {
            if batch.last_seq() > commit {
                break;
            }
            let previous = self.committed.last().map(Batch::position);
            assert!(
                previous.is_none_or(|previous| batch.follows(&previous)),
                "I10: {batch:?} does not continue what is committed, {previous:?}"
            );
            i14_exactly_once(&mut self.events, batch);
            self.committed.push(batch.clone());
        }
    }

    /// I11: a node's commit position never goes back within a boot.
    pub(crate) fn i11_commit_is_monotone(&self, node: &Node, commit: Seq) {
        assert!(commit > node.commit, "I11: {} then {commit}", node.commit);
    }

    /// I11: nothing that is committed is ever cut, whoever knows that it is.
    pub(crate) fn i11_nothing_committed_is_cut(&self, node: &Node, point: LogPosition) {
        for batch in node
            .shadow
            .iter()
            .filter(|batch| batch.last_seq() > point.seq)
        {
            let committed = self.committed_at(batch.last_seq());
            assert!(
                committed.is_none_or(|committed| committed.link() != batch.link()),
                "I11: {batch:?} is committed and cut to {point:?}"
            );
        }
    }

    /// I12: a leader that was suspended for longer than an election timeout steps down in its
    /// first step, and acknowledges nothing in it.
    pub(crate) fn i12_a_suspended_leader_steps_down_first(&self, role: ReplicaRole, acks: u64) {
        assert_ne!(role, ReplicaRole::Leader, "I12: it still leads");
        assert_eq!(acks, 0, "I12: it acknowledged");
    }

    /// I12: nothing is acknowledged in an epoch after a higher one is known.
    pub(crate) fn i12_no_ack_under_a_known_higher_epoch(&self, node: &Node, epoch: Epoch) {
        assert!(
            node.disk.hard_state.epoch_seen.n <= epoch.n,
            "I12: acknowledged in {epoch} knowing {:?}",
            node.disk.hard_state
        );
    }

    /// I13: a linearizable read sees everything acknowledged before it was asked for.
    pub(crate) fn i13_a_read_sees_what_was_acknowledged(&self, at_least: Seq, index: Seq) {
        assert!(
            index >= at_least,
            "I13: read up to {index}, {at_least} was acknowledged before"
        );
    }

    /// What can be checked of a node at any time.
    pub(crate) fn after_step(&self, index: usize, node: &Node) {
        let Some(replica) = &node.replica else {
            return;
        };
        let view = replica.view();
        assert_eq!(view.role, node.role, "I1: n{index}");
        assert!(view.durable.seq <= view.tail.seq);
        assert!(
            node.disk.holds(view.durable.seq, view.durable.link),
            "I5: n{index} believes {:?} durable",
            view.durable
        );
    }
}

/// I14: no (producer, epoch, number) is in the log twice.
fn i14_exactly_once(events: &mut BTreeMap<(ProducerId, u64), Seq>, batch: &Batch) {
    let header = batch.header();
    if !header.producer.is_idempotent() {
        return;
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
