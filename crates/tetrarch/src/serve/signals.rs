//! What an operator says to a running node.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Error;

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// SIGTERM or SIGINT: hand over and stop.
    Stop,
    /// SIGHUP: take up the certificates anew.
    Reload,
}

/// The signals of this process.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on, instead of dying of them.
    pub(super) fn listen() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|source| Error::Process {
                what: "listen for signals",
                source,
            })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The next order.
    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hangup.recv() => Order::Reload,
        }
    }

    /// The next order to stop; others are passed over.
    pub(super) async fn stop(&mut self) {
        while self.next().await != Order::Stop {}
    }
}
