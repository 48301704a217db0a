//! The threads on which everything asynchronous runs.

use tokio::runtime::{Builder, Runtime};

use crate::error::Error;

/// A runtime with so many threads; with one per core if 0.
///
/// # Errors
/// If they cannot be started.
pub fn with_threads(threads: u64) -> Result<Runtime, Error> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = usize::try_from(threads).ok().filter(|threads| *threads > 0) {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().map_err(failed)
}

/// Runs what a command does.
///
/// # Errors
/// What came of it, or that there are no threads to be had.
pub fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    with_threads(0)?.block_on(work)
}

fn failed(source: std::io::Error) -> Error {
    Error::Process {
        what: "start threads",
        source,
    }
}
