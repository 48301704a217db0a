//! Reads of committed batches: from the replica's memory where it still holds them, else by the
//! reading threads. A read beyond the commit position waits in its channel until that moves.

use tetrarch_wire::{Batch, Seq};

use super::{ReadReply, ReadRequest, actor::Actor};
use crate::store::{ReadHandle, ReadOutcome};

impl Actor {
    /// Answers a read, hands it to the reading threads, or keeps it.
    pub(super) fn read(&mut self, request: ReadRequest, reads: &ReadHandle) {
        let view = self.replica.view();
        if let Some(reason) = &view.halted {
            tracing::debug!(channel = %self.handle.name, ?reason, "a read of a halted channel");
            return answer(
                request,
                ReadReply::Failed {
                    why: "the channel is halted here",
                },
            );
        }
        let log_start = view.log_start.seq.next();
        if request.from < log_start {
            return answer(request, ReadReply::Trimmed { log_start });
        }
        if request.from > view.commit {
            self.readers.push(request);
            return;
        }
        let max_bytes = request.max_bytes as usize;
        match self
            .replica
            .committed_since(request.from.previous(), max_bytes)
        {
            Some(batches) => {
                answer(
                    request,
                    ReadReply::Batches {
                        batches,
                        commit: view.commit,
                        log_start,
                    },
                );
            }
            None => read_from_disk(request, view.commit, reads),
        }
    }

    /// Looks at the waiting reads again after the commit position has moved.
    pub(super) fn serve_readers(&mut self, reads: &ReadHandle) {
        let commit = self.replica.view().commit;
        if self.readers.iter().any(|request| request.from <= commit) {
            for request in std::mem::take(&mut self.readers) {
                self.read(request, reads);
            }
        }
    }

    /// Tells every waiting read that the channel is gone.
    pub(super) fn dismiss_readers(&mut self) {
        for request in self.readers.drain(..) {
            answer(request, ReadReply::Gone);
        }
    }
}

fn read_from_disk(request: ReadRequest, commit: Seq, reads: &ReadHandle) {
    let ReadRequest {
        channel,
        from,
        max_bytes,
        reply,
    } = request;
    reads.read(channel, from, max_bytes, move |outcome| {
        let answered = match outcome {
            ReadOutcome::Batches { batches, log_start } => ReadReply::Batches {
                batches: committed(batches, commit),
                commit,
                log_start,
            },
            ReadOutcome::Trimmed { log_start } => ReadReply::Trimmed { log_start },
            ReadOutcome::BeyondTail | ReadOutcome::UnknownChannel => ReadReply::Gone,
            ReadOutcome::Corrupt => ReadReply::Failed {
                why: "the bytes on disk are damaged",
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

fn committed(mut batches: Vec<Batch>, commit: Seq) -> Vec<Batch> {
    batches.retain(|batch| batch.last_seq() <= commit);
    batches
}

fn answer(request: ReadRequest, reply: ReadReply) {
    if request.reply.send(reply).is_err() {
        tracing::trace!("a reader left before its answer");
    }
}
