//! Reads of committed batches: from the replica's memory where it still holds them, else by the
//! reading threads. A read beyond the commit position waits in its channel until that moves.

use tetrarch_replica::{CommittedRead, Replica};
use tetrarch_wire::{Batch, LogPosition, Seq};

use super::{ReadReply, ReadRequest, actor::Actor};
use crate::store::{ReadHandle, ReadOutcome, Source};

impl Actor {
    /// Answers a read, hands it to the reading threads, or keeps it.
    pub(super) fn read(&mut self, replica: &Replica, request: ReadRequest, reads: &ReadHandle) {
        match replica.read_committed(request.from, request.max_bytes as usize) {
            CommittedRead::Batches(batches) => {
                let view = replica.view();
                let reply = ReadReply::Batches {
                    batches,
                    commit: view.commit,
                    log_start: view.log_start.seq.next(),
                };
                answer(request, reply);
            }
            CommittedRead::InLog { upto } => {
                read_from_disk(request, upto, replica.view().commit, reads);
            }
            CommittedRead::NotYet => self.readers.push(request),
            CommittedRead::Trimmed { log_start } => {
                answer(request, ReadReply::Trimmed { log_start });
            }
            CommittedRead::Halted(reason) => {
                tracing::debug!(channel = %self.handle.name, ?reason, "a read of a halted channel");
                let why = "the channel is halted here";
                answer(request, ReadReply::Failed { why });
            }
        }
    }

    /// Looks at the waiting reads again after something has happened to the channel.
    pub(super) fn serve_readers(&mut self, replica: &Replica, reads: &ReadHandle) {
        let view = replica.view();
        let (commit, is_halted) = (view.commit, view.halted.is_some());
        if is_halted || self.readers.iter().any(|request| request.from <= commit) {
            for request in std::mem::take(&mut self.readers) {
                self.read(replica, request, reads);
            }
        }
    }

    /// Tells every read that waits for what comes after `point` that this is not what it was going to be.
    pub(super) fn tell_readers_beyond(&mut self, point: LogPosition) {
        let (beyond, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.readers)
            .into_iter()
            .partition(|request| request.from > point.seq.next());
        self.readers = others;
        for request in beyond {
            answer(request, ReadReply::Diverged { after: point.seq });
        }
    }

    /// Tells every waiting read that the channel is gone.
    pub(super) fn dismiss_readers(&mut self) {
        for request in self.readers.drain(..) {
            answer(request, ReadReply::Gone);
        }
    }
}

fn read_from_disk(request: ReadRequest, upto: Seq, commit: Seq, reads: &ReadHandle) {
    let ReadRequest {
        channel,
        from,
        max_bytes,
        reply,
    } = request;
    reads.read(channel, Source::Log, from, max_bytes, move |outcome| {
        let answered = match outcome {
            ReadOutcome::Batches { batches, log_start } => ReadReply::Batches {
                batches: until(batches, upto),
                commit,
                log_start,
            },
            ReadOutcome::Trimmed { log_start } => ReadReply::Trimmed { log_start },
            ReadOutcome::BeyondTail | ReadOutcome::UnknownChannel => ReadReply::Gone,
            ReadOutcome::Corrupt => ReadReply::Failed {
                why: "the bytes on disk are damaged",
            },
            ReadOutcome::Damaged => ReadReply::Failed {
                why: "a damaged segment is being mended; read from another node, or again later",
            },
            ReadOutcome::Transient => ReadReply::Failed {
                why: "the disk did not answer",
            },
        };
        if reply.send(answered).is_err() {
            tracing::trace!("a reader left before its answer");
        }
    });
}

fn until(mut batches: Vec<Batch>, upto: Seq) -> Vec<Batch> {
    batches.retain(|batch| batch.last_seq() <= upto);
    batches
}

fn answer(request: ReadRequest, reply: ReadReply) {
    if request.reply.send(reply).is_err() {
        tracing::trace!("a reader left before its answer");
    }
}
