//! From what the client library says to what a history holds.

use std::time::Instant;

use tetrarch_client::{Ack, Error, Fetched};
use tetrarch_tests::history::{Outcome, Stored};

/// The one clock of a history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since then.
    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What became of an append.
pub(crate) fn outcome(settled: &Result<Ack, Error>) -> Outcome {
    match settled {
        Ok(ack) => Outcome::Acknowledged {
            seq: ack.seq.get(),
            epoch: ack.epoch.n,
            duplicate: ack.duplicate,
        },
        Err(Error::OutOfOrder { .. }) => Outcome::Forgotten,
        Err(
            Error::NotAppended { .. }
            | Error::StorageFull { .. }
            | Error::TooLarge { .. }
            | Error::Denied { .. }
            | Error::Invalid(_),
        ) => Outcome::Refused,
        Err(_) => Outcome::Indeterminate,
    }
}

/// The events of an answer, and the seq behind the last that it covers; `from` if it covers none.
pub(crate) fn told(fetched: &Fetched, from: u64) -> (Vec<Stored>, u64) {
    let events = fetched.batches.iter().flat_map(|batch| batch.iter());
    let stored = events.map(|delivered| Stored {
        seq: delivered.seq.get(),
        epoch: delivered.epoch.n,
        payload: String::from_utf8_lossy(&delivered.event.payload).into(),
    });
    let end = fetched.next.map_or(from, |next| next.seq.next().get());
    (stored.collect(), end.max(from))
}
