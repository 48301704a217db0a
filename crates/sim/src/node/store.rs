//! The store of a process: groups are written one after the other, the flusher follows, reads take
//! their time. What a write does to the disk happens when it is done, or when its process ends in
//! the middle of it.

use tetrarch_log::{
    Failure, GroupError, GroupQueue, Issuer, NotTakenBecause, ReadError, Refusal, WriteOp,
    WriteRequest,
};
use tetrarch_replica::{Input, LogReadFailure, LogWrite, PersistFailure, PersistToken, ReadTicket};
use tetrarch_wire::{Batch, ForkId, Seq};

use crate::check::available;
use crate::world::{Channel, ChannelIndex, Event, MS, World};

/// How much the flusher copies at once.
const FLUSH_BYTES: u64 = 1 << 20;

/// Who asked for a write, and what is expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) channel: ChannelIndex,
    pub(crate) token: Option<PersistToken>,
    pub(crate) writes: Vec<LogWrite>,
    /// The node's own, if it is that.
    pub(crate) order: Vec<WriteOp>,
}

/// A write of the node's own.
pub(super) fn order(
    queue: &mut GroupQueue<Origin>,
    channel: &Channel,
    index: ChannelIndex,
    ops: Vec<WriteOp>,
) {
    let request = WriteRequest {
        channel: channel.uid,
        ops: ops.clone(),
    };
    let origin = Origin {
        channel: index,
        token: None,
        writes: Vec::new(),
        order: ops,
    };
    assert!(
        queue.push(request, Issuer::Node, origin).is_ok(),
        "I24: the queue of the log is full"
    );
}

fn op_of(write: &LogWrite) -> WriteOp {
    match write {
        LogWrite::Append(batches) => WriteOp::Append(batches.clone()),
        LogWrite::Truncate(position) => WriteOp::Truncate(*position),
        LogWrite::Begin(position) => WriteOp::Begin(*position),
        LogWrite::HardState(state) => WriteOp::HardState(*state),
        LogWrite::CommitHint(seq) => WriteOp::CommitHint(*seq),
    }
}

fn failure_of(refusal: &Refusal) -> PersistFailure {
    match refusal {
        Refusal::Halted(_) => PersistFailure::Corrupt,
        _ => PersistFailure::Refused,
    }
}

impl World {
    /// A replica wants something persisted.
    pub(crate) fn persist(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        (token, failures): (PersistToken, u64),
        writes: Vec<LogWrite>,
    ) {
        let request = WriteRequest {
            channel: self.channels[channel].uid,
            ops: writes.iter().map(op_of).collect(),
        };
        let origin = Origin {
            channel,
            token: Some(token),
            writes,
            order: Vec::new(),
        };
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let issuer = Issuer::Replica { failures };
        match process.queue.push(request, issuer, origin) {
            Ok(()) => self.write_next(node),
            Err(not_taken) => {
                assert_eq!(
                    not_taken.why,
                    NotTakenBecause::EarlierFailed,
                    "I24: the queue of the log is full"
                );
                self.tally.count("writes after a failed one");
                let start = self.nodes[node].starts;
                self.at(
                    0,
                    Event::NotWritten {
                        node,
                        start,
                        channel,
                        token,
                    },
                );
            }
        }
    }

    /// A trim is written, after what its batches would tell a start was saved.
    pub(crate) fn trim(&mut self, node: usize, channel: ChannelIndex, upto: Seq) {
        self.tally.count("trims");
        if !self.save_snapshot(node, channel) {
            return;
        }
        let created = &self.channels[channel];
        let known = &mut self.nodes[node];
        let Some(process) = &mut known.process else {
            return;
        };
        if let Some(expected) = &mut known.expected[channel] {
            expected.may_be_trimmed = expected.may_be_trimmed.max(upto);
        }
        order(
            &mut process.queue,
            created,
            channel,
            vec![WriteOp::Trim { upto }],
        );
        self.write_next(node);
    }

    /// Saves what a start must know of a channel, and says whether that worked.
    pub(crate) fn save_snapshot(&mut self, node: usize, channel: ChannelIndex) -> bool {
        let uid = self.channels[channel].uid;
        let Some(process) = &self.nodes[node].process else {
            return false;
        };
        let Some((replica, _)) = process.shard.get(uid) else {
            return false;
        };
        let (seq, bytes) = replica.snapshot();
        self.i14_knows_what_everybody_knows(node, channel);
        self.save(node, channel, (seq, &bytes))
    }

    /// I14: the snapshot of a replica is what any other's is.
    pub(crate) fn i14_knows_what_everybody_knows(&mut self, node: usize, channel: ChannelIndex) {
        if !self.channels[channel].is_available()
            && let Some((replica, _)) = self.member(node, channel)
            && replica.view().halted.is_none()
        {
            let snapshot = replica.snapshot();
            self.chronicle
                .i14_snapshots_are_equal(channel, node, snapshot);
        }
    }

    /// I14: what came before a log is told by a snapshot that is durable when the log begins.
    fn i14_a_log_begins_with_its_snapshot(&self, node: usize, channel: ChannelIndex, start: Seq) {
        let Some(process) = &self.nodes[node].process else {
            return;
        };
        // A disk that cannot be read just now says nothing, nor does one that has let go of the log since.
        if let Ok(Some(found)) = process.reader.recovered(self.channels[channel].uid)
            && found.log_start.seq >= start
        {
            let stands_at = found.snapshot.map(|(seq, _)| seq);
            assert!(
                stands_at.is_some_and(|seq| seq >= found.log_start.seq),
                "I14: n{node} begins after {} with a snapshot as of {stands_at:?}",
                found.log_start.seq
            );
        }
    }

    /// A replica wants a snapshot kept. It is before anything that is to be kept later; the answer takes
    /// its time, or never comes.
    pub(crate) fn keep_snapshot(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        save: u64,
        snapshot: (Seq, &[u8]),
    ) {
        let worked = self.save(node, channel, snapshot);
        let start = self.nodes[node].starts;
        let took = self.dice.between(1, 300) * MS;
        self.at(
            took,
            Event::SnapshotSaved {
                node,
                start,
                channel,
                save,
                worked,
            },
        );
    }

    fn save(&mut self, node: usize, channel: ChannelIndex, (seq, bytes): (Seq, &[u8])) -> bool {
        let uid = self.channels[channel].uid;
        let Some(process) = &mut self.nodes[node].process else {
            return false;
        };
        let Some((replica, _)) = process.shard.get(uid) else {
            return false;
        };
        let (holding, flusher) = (replica.holding(), &mut process.flusher);
        match flusher.save_snapshot(uid, holding, seq, bytes) {
            Ok(()) => {
                self.tally.count("snapshots saved");
                true
            }
            Err(error) => {
                self.tally.count("snapshots not saved");
                self.store_failed_by(node, error.failure());
                false
            }
        }
    }

    /// Takes the next group, if none is being written.
    pub(crate) fn write_next(&mut self, node: usize) {
        let known = &mut self.nodes[node];
        let (slowness, start) = (known.slowness, known.starts);
        let Some(process) = &mut known.process else {
            return;
        };
        if process.writing.is_some() {
            return;
        }
        process.writing = process.queue.next_group();
        if process.writing.is_some() {
            let took = self.dice.below(slowness * MS) + 50_000;
            self.at(took, Event::GroupWritten { node, start });
        }
    }

    /// A group is done, one way or the other.
    pub(crate) fn group_written(&mut self, node: usize) {
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let Some(group) = process.writing.take() else {
            self.write_next(node);
            return;
        };
        let committed = process.writer.commit(&group.requests);
        match committed {
            Ok(report) => {
                self.tally.count("groups");
                for (index, origin) in group.tags.into_iter().enumerate() {
                    match report.refused.iter().find(|(number, _)| *number == index) {
                        Some((_, refusal)) => {
                            self.trace
                                .say(self.now, node, || format!("refused: {refusal}"));
                            let failure = failure_of(refusal);
                            self.persisted(node, origin, Some(failure));
                        }
                        None => self.persisted(node, origin, None),
                    }
                }
            }
            Err(GroupError::WalFull) if !process.flusher_has_no_room => {
                // It waits for the flusher.
                self.tally.count("full write-ahead logs");
                self.trace
                    .say(self.now, node, || "the log is full for now".to_owned());
                process.writing = Some(group);
                let start = self.nodes[node].starts;
                self.flush(node);
                self.at(10 * MS, Event::GroupWritten { node, start });
                return;
            }
            Err(error) => {
                process.found_no_room |= !matches!(error, GroupError::Retryable(_));
                self.trace
                    .say(self.now, node, || format!("not written: {error}"));
                let failure = match error {
                    GroupError::StorageFull(_) | GroupError::Retryable(_) | GroupError::WalFull => {
                        PersistFailure::StorageFull
                    }
                    GroupError::TooLarge { .. } => panic!("{error}"),
                    GroupError::Fatal { .. } => PersistFailure::Fatal,
                };
                self.tally.count(if failure == PersistFailure::Fatal {
                    "fatal groups"
                } else {
                    "groups without room"
                });
                let known = &mut self.nodes[node];
                if failure == PersistFailure::Fatal {
                    // Nobody knows whether it is on the disk.
                    known.interrupted.push(group.tags.clone());
                    self.store_failed_by(node, Failure::Fatal);
                }
                let known = &mut self.nodes[node];
                if let Some(process) = &mut known.process {
                    let failed = if failure == PersistFailure::Fatal {
                        process.queue.lost(group)
                    } else {
                        process.queue.failed(group)
                    };
                    for origin in failed {
                        self.persisted(node, origin, Some(failure));
                    }
                }
                let start = self.nodes[node].starts;
                self.at(100 * MS, Event::GroupWritten { node, start });
                return;
            }
        }
        self.write_next(node);
    }

    fn persisted(&mut self, node: usize, origin: Origin, failure: Option<PersistFailure>) {
        let Origin {
            channel,
            token,
            writes,
            order,
        } = origin;
        let mut begun = None;
        if failure.is_none()
            && let Some(expected) = &mut self.nodes[node].expected[channel]
        {
            for write in &writes {
                if let LogWrite::Truncate(point) = write {
                    if self.channels[channel].is_available() {
                        available::i18_what_is_cut_is_in_a_fork(node, expected, *point);
                    } else {
                        self.chronicle
                            .i11_nothing_committed_is_cut(channel, expected, *point);
                    }
                }
                if let LogWrite::Begin(start) = write {
                    begun = Some(start.seq);
                    self.chronicle
                        .i11_a_log_begins_at_what_is_committed(channel, node, *start);
                }
            }
            if expected.apply(&writes) {
                self.tally.count("channels that left limbo");
            }
            expected.follow(&order);
            self.chronicle
                .i4_promises_never_go_back(node, channel, expected.hard_state);
        }
        if let Some(start) = begun {
            self.i14_a_log_begins_with_its_snapshot(node, channel, start);
            if let Some(member) = self.member_mut(node, channel) {
                member.shadow.clear();
            }
        }
        let Some(token) = token else { return };
        let input = match failure {
            None => Input::Persisted { token },
            Some(failure) => Input::PersistFailed { token, failure },
        };
        self.step(node, channel, input);
    }

    /// The flusher runs, now and then.
    pub(crate) fn flusher_runs(&mut self, node: usize) {
        let start = self.nodes[node].starts;
        self.flush(node);
        let pause = self.dice.between(1, 400) * MS;
        self.at(pause, Event::FlusherRuns { node, start });
    }

    fn flush(&mut self, node: usize) {
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        match process.flusher.flush(FLUSH_BYTES) {
            Ok(progress) => {
                process.flusher_has_no_room = false;
                self.trace
                    .say(self.now, node, || format!("flushed: {progress:?}"));
            }
            Err(error) => {
                let is_full = error.failure() == Failure::StorageFull;
                process.flusher_has_no_room = is_full;
                process.found_no_room |= is_full;
                self.tally.count("failed flushes");
                self.trace
                    .say(self.now, node, || format!("not flushed: {error}"));
                self.store_failed_by(node, error.failure());
            }
        }
        for channel in self.held_by(node) {
            self.note_trimmed(node, channel);
        }
    }

    fn note_trimmed(&mut self, node: usize, channel: ChannelIndex) {
        let uid = self.channels[channel].uid;
        let known = &mut self.nodes[node];
        let Some(process) = &known.process else {
            return;
        };
        let Some(log_start) = process.reader.log_start(uid) else {
            return;
        };
        let Some(expected) = &mut known.expected[channel] else {
            return;
        };
        if log_start.seq > expected.start.seq {
            assert!(
                log_start.seq <= expected.may_be_trimmed,
                "I28: n{node} dropped up to {}, allowed was {}",
                log_start.seq,
                expected.may_be_trimmed
            );
            expected.trimmed(log_start);
            self.step(node, channel, Input::Trimmed { log_start });
        }
    }

    /// The process ends if its store has failed, as the node's does.
    pub(super) fn store_failed_by(&mut self, node: usize, failure: Failure) {
        if failure == Failure::Fatal && self.store_failed.insert(node) {
            self.trace
                .say(self.now, node, || "its store has failed".to_owned());
            self.tally.count("failed stores");
        }
    }

    /// A replica wants to read its log, or a fork.
    pub(crate) fn read_later(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        source: Option<ForkId>,
        (ticket, from, max_bytes): (ReadTicket, Seq, u32),
    ) {
        let start = self.nodes[node].starts;
        // A slow disk can take longer than an election.
        let known = &self.nodes[node];
        let slowness = known.slowness.max(known.slowness_of_reads);
        let took = self.dice.below(slowness) * MS;
        self.at(
            took,
            Event::LogRead {
                node,
                start,
                channel,
                ticket,
                source,
                from,
                max_bytes,
            },
        );
    }

    /// The disk comes to it.
    pub(crate) fn read_log(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        source: Option<ForkId>,
        (ticket, from, max_bytes): (ReadTicket, Seq, u32),
    ) {
        let uid = self.channels[channel].uid;
        if let Some(fork) = source {
            return self.read_fork(node, channel, fork, (ticket, from, max_bytes));
        }
        let Some(process) = &self.nodes[node].process else {
            return;
        };
        let result = match process.reader.read(uid, from, max_bytes as usize) {
            Ok(read) => {
                self.check_read(node, channel, &read.batches);
                // Whoever receives them keeps them to the end of the run.
                Ok(read.batches.iter().map(Batch::detached).collect())
            }
            Err(ReadError::Trimmed { .. }) => Err(LogReadFailure::Trimmed),
            Err(ReadError::BeyondTail { .. } | ReadError::UnknownChannel) => {
                Err(LogReadFailure::BeyondTail)
            }
            Err(ReadError::Corrupt(_)) => Err(LogReadFailure::Corrupt),
            Err(ReadError::Damaged(_)) => Err(LogReadFailure::Damaged),
            Err(ReadError::Transient(_)) => Err(LogReadFailure::Transient),
        };
        self.step(node, channel, Input::LogRead { ticket, result });
    }

    /// I26: what the store gives is what was written.
    fn check_read(&self, node: usize, channel: ChannelIndex, batches: &[Batch]) {
        let Some(expected) = &self.nodes[node].expected[channel] else {
            return;
        };
        for batch in batches {
            assert_eq!(
                expected.batch_at(batch.last_seq()).map(Batch::link),
                Some(batch.link()),
                "I26: n{node} reads other bytes at {}",
                batch.last_seq()
            );
        }
    }
}
