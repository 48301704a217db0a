//! Ctrl-C, for commands that must clean up behind them.

use crate::error::Error;

/// Does something until it is done or the user has had enough of it. It is dropped then.
///
/// # Errors
/// What came of it, or that it was interrupted.
pub async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(Error::Interrupted),
            Err(source) => Err(Error::Process { what: "listen for Ctrl-C", source }),
        },
    }
}
