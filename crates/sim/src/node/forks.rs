//! What is cut off the log of an `available` channel: the flusher keeps it as a fork, it is read by whoever
//! takes it into the main log, and it goes when all of it is there.

use tetrarch_log::{Failure, ForkReadError, SealError, Sealed};
use tetrarch_replica::{Input, LogReadFailure, ReadTicket, SealFailure};
use tetrarch_wire::{Batch, ForkId, LogPosition, Seq, frame::ForkReport};

use crate::{
    check::available::{self, Fork},
    world::{ChannelIndex, Event, MS, World},
};

/// How much is sealed at once.
const SEAL_BYTES: u64 = 4 * 1024;

impl World {
    /// A replica wants the end of its log kept.
    pub(super) fn seal_later(&mut self, node: usize, channel: ChannelIndex, after: LogPosition) {
        if let Some(process) = &mut self.nodes[node].process {
            process.sealing.push_back((channel, after));
            if process.sealing.len() == 1 {
                self.seal_on_later(node);
            }
        }
    }

    fn seal_on_later(&mut self, node: usize) {
        let start = self.nodes[node].starts;
        let took = self.dice.between(1, 20) * MS;
        self.at(took, Event::Seal { node, start });
    }

    /// The flusher comes to it: to the end of one log after the other.
    pub(crate) fn seal_on(&mut self, node: usize) {
        let known = &mut self.nodes[node];
        let Some(process) = &mut known.process else {
            return;
        };
        let Some((channel, after)) = process.sealing.front().copied() else {
            return;
        };
        let uid = self.channels[channel].uid;
        let sealed = process.flusher.seal(uid, after, SEAL_BYTES);
        self.trace
            .say(self.now, node, || format!("c{channel} sealed: {sealed:?}"));
        let result = match sealed {
            Ok(Sealed::Begun { .. }) => return self.seal_on_later(node),
            Ok(Sealed::Nothing) => Ok((after, None)),
            Ok(Sealed::Whole(fork)) => {
                self.tally.count("forks sealed");
                if let Some(expected) = &mut known.expected[channel] {
                    assert_eq!(
                        fork.end,
                        expected.tail(),
                        "I18: it ends where the log ended"
                    );
                    let kept = Fork::of(expected, after);
                    expected.forks.insert(fork.id, kept);
                }
                let report = ForkReport {
                    fork: fork.id,
                    base: fork.base,
                    end: fork.end,
                    events: fork.events,
                    bytes: fork.bytes,
                };
                Ok((fork.end, Some(report)))
            }
            Err(error) => {
                self.tally.count("logs that were not sealed");
                Err(failure_of(&error))
            }
        };
        process.sealing.pop_front();
        if !process.sealing.is_empty() {
            self.seal_on_later(node);
        }
        self.step(node, channel, Input::Sealed { after, result });
    }

    /// The disk comes to it.
    pub(super) fn read_fork(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        fork: ForkId,
        (ticket, from, max_bytes): (ReadTicket, Seq, u32),
    ) {
        let uid = self.channels[channel].uid;
        let Some(process) = &self.nodes[node].process else {
            return;
        };
        let read = process
            .reader
            .read_fork(uid, fork, from, max_bytes as usize);
        let result = match read {
            // Whoever receives them keeps them to the end of the run.
            Ok(batches) => Ok(batches.iter().map(Batch::detached).collect()),
            Err(
                ForkReadError::UnknownChannel
                | ForkReadError::UnknownFork
                | ForkReadError::OutOfRange { .. },
            ) => Err(LogReadFailure::BeyondTail),
            Err(ForkReadError::Damaged(damage)) => panic!("I26: n{node}: {damage}"),
            Err(ForkReadError::Transient(_)) => Err(LogReadFailure::Transient),
        };
        self.step(node, channel, Input::LogRead { ticket, result });
    }

    /// All of it is in the log.
    pub(super) fn drop_fork(&mut self, node: usize, channel: ChannelIndex, fork: ForkId) {
        let uid = self.channels[channel].uid;
        let known = &mut self.nodes[node];
        let (Some(process), Some(expected)) = (&mut known.process, &mut known.expected[channel])
        else {
            return;
        };
        available::i28_a_fork_that_goes_is_in_the_log(node, expected, fork);
        match process.flusher.drop_fork(uid, fork) {
            Ok(_) => self.tally.count("forks dropped"),
            Err(_) => self.tally.count("forks not dropped"),
        }
        // If it is still there, the next start finds it.
        expected.forks.remove(&fork);
    }
}

fn failure_of(error: &SealError) -> SealFailure {
    match error {
        SealError::Damaged(_) | SealError::Halted(_) => SealFailure::Damaged,
        SealError::TooManyForks { .. } => SealFailure::StorageFull,
        SealError::Store(error) if error.failure() == Failure::StorageFull => {
            SealFailure::StorageFull
        }
        SealError::UnknownChannel
        | SealError::UnknownPosition { .. }
        | SealError::Changed
        | SealError::Store(_) => SealFailure::Transient,
    }
}
