//! What a read of the log was for.

use tetrarch_wire::{Batch, LogPosition, Seq, VoterId, frame::SyncRequest};

use crate::{Context, HaltReason, LogReadFailure, ReadTicket, Replica};

/// Why the disk is read. At most one read for each replica, and one for the own catch-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadPurpose {
    /// A replica pulls.
    Serve {
        to: VoterId,
        pull: SyncRequest,
        compared: bool,
    },
    /// A replica asks where its log parts from this one: here, if a batch ends here.
    AnswerPoint { to: VoterId, request: u64 },
    /// The own log is compared with what the leader said.
    ComparePoint { point: LogPosition },
    /// The table of producers is made anew.
    Recollect,
    /// A leader looks for what of a fork it holds already.
    Survey { from: Seq },
    /// A leader reads a fork that it keeps itself.
    OwnFork { request: u64 },
    /// The leader takes a fork over that is kept here.
    ServeFork { to: VoterId, request: u64 },
    /// Another voter mends its log.
    Repair {
        to: VoterId,
        request: u64,
        upto: Seq,
    },
}

impl ReadPurpose {
    /// Whether it was asked for by a voter that mends its log.
    pub(crate) fn is_repair_of(&self, voter: VoterId) -> bool {
        match self {
            Self::Repair { to, .. } => *to == voter,
            Self::Serve { .. }
            | Self::AnswerPoint { .. }
            | Self::ComparePoint { .. }
            | Self::Recollect
            | Self::Survey { .. }
            | Self::OwnFork { .. }
            | Self::ServeFork { .. } => false,
        }
    }
}

impl Replica {
    /// The log was read, or could not be. A read that is not wanted any more is dropped.
    pub(crate) fn on_log_read(
        &mut self,
        ticket: ReadTicket,
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        let Some(purpose) = self.reads.remove(&ticket) else {
            return;
        };
        let corrupt = matches!(result, Err(LogReadFailure::Corrupt));
        match purpose {
            ReadPurpose::Serve { to, pull, compared } => {
                self.on_read_for_pull(to, pull, compared, result, ctx);
            }
            ReadPurpose::AnswerPoint { to, request } => {
                if let Some(position) = first_position(result) {
                    self.answer_point(to, request, Some(position), ctx);
                }
            }
            ReadPurpose::ComparePoint { point } => {
                if let Some(position) = first_position(result) {
                    let mine = (position.seq == point.seq).then_some(position);
                    self.decide_point(point, mine, ctx);
                } else {
                    self.wait(self.settings.heartbeat, ctx);
                }
            }
            ReadPurpose::Recollect => self.on_recollected(result, ctx),
            ReadPurpose::Survey { from } => self.on_read_for_survey(from, result, ctx),
            ReadPurpose::OwnFork { request } => {
                let batches = result.unwrap_or_default();
                self.on_fork_chunk(self.me, request, batches, ctx);
                return;
            }
            ReadPurpose::ServeFork { to, request } => {
                self.on_fork_read_for(to, request, result, ctx);
                return;
            }
            ReadPurpose::Repair { to, request, upto } => {
                self.on_read_for_repair(to, (request, upto), result, ctx);
            }
        }
        if corrupt {
            self.halt(HaltReason::Corrupt, ctx);
        }
    }

    /// A halted replica has one use for a read.
    pub(crate) fn on_log_read_while_halted(
        &mut self,
        ticket: ReadTicket,
        result: Result<Vec<Batch>, LogReadFailure>,
        ctx: &mut Context<'_>,
    ) {
        if let Some(ReadPurpose::Repair { to, request, upto }) = self.reads.remove(&ticket) {
            self.on_read_for_repair(to, (request, upto), result, ctx);
        }
    }

    /// A replica asks anew: earlier reads for it are not wanted any more.
    pub(super) fn forget_reads_for(&mut self, replica: VoterId) {
        self.reads.retain(|_, purpose| match purpose {
            ReadPurpose::Serve { to, .. } | ReadPurpose::AnswerPoint { to, .. } => *to != replica,
            ReadPurpose::ComparePoint { .. }
            | ReadPurpose::Recollect
            | ReadPurpose::Survey { .. }
            | ReadPurpose::OwnFork { .. }
            | ReadPurpose::ServeFork { .. }
            | ReadPurpose::Repair { .. } => true,
        });
    }
}

fn first_position(result: Result<Vec<Batch>, LogReadFailure>) -> Option<LogPosition> {
    result.ok()?.first().map(Batch::position)
}
