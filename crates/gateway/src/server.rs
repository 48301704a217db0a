//! The listener and its connections, with bounds on all that a stranger can make grow.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time,
};

use crate::{error::GatewayError, gate::Gate, health::NodeHealth, routes};

/// What a stranger can make grow, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. More of them wait until one is closed.
    pub connections: usize,
    /// How long the head of a request may take, also the first byte of the next one.
    pub head_time: Duration,
    /// Most bytes of the head of a request; at least 8 KiB.
    pub head_bytes: usize,
    /// How long the node may take to answer.
    pub answer_time: Duration,
    /// Questions to the node at once.
    pub questions: usize,
    /// How long a whole connection may take, whatever happens on it.
    pub connection_time: Duration,
    /// How long requests in progress may take when the gateway stops.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head_time: Duration::from_secs(30),
            head_bytes: 16 * 1024,
            answer_time: Duration::from_secs(5),
            questions: 8,
            connection_time: Duration::from_secs(600),
            stop_time: Duration::from_secs(5),
        }
    }
}

/// A running gateway. It ends in good order with [`Self::stop`], and at once when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Gateway {
    /// Listens on an address and serves there.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn bind(
        address: SocketAddr,
        health: Arc<dyn NodeHealth>,
        limits: Limits,
    ) -> Result<Self, GatewayError> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|source| GatewayError::Listen { address, source })?;
        Self::serve(listener, health, limits)
    }

    /// Serves what arrives at a listener. Must be called within a runtime.
    ///
    /// # Errors
    /// If the listener does not tell its address.
    pub fn serve(
        listener: TcpListener,
        health: Arc<dyn NodeHealth>,
        limits: Limits,
    ) -> Result<Self, GatewayError> {
        let address = listener
            .local_addr()
            .map_err(|source| GatewayError::Address { source })?;
        let (stopping, stopped) = watch::channel(false);
        let gate = Gate::new(health, limits.answer_time, limits.questions);
        let server = Server {
            router: routes::router(gate),
            limits,
            stopped,
        };
        Ok(Self {
            address,
            stopping,
            accepting: tokio::spawn(server.run(listener)),
        })
    }

    /// Where it listens; the port is the real one if 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in progress end, and returns when all is closed.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        if let Err(failure) = (&mut self.accepting).await {
            tracing::error!(%failure, "the HTTP gateway did not stop in good order");
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What accepts connections and owns them: when it is dropped, so are they.
struct Server {
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
}

impl Server {
    async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut stopped = self.stopped.clone();
        loop {
            let room = connections.len() < self.limits.connections;
            tokio::select! {
                () = told(&mut stopped) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if room => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(self.connection(stream));
                    }
                    Err(failure) => pause_after(&failure).await,
                },
            }
        }
        drop(listener);
        let drained = async { while connections.join_next().await.is_some() {} };
        if time::timeout(self.limits.stop_time, drained).await.is_err() {
            tracing::warn!("HTTP requests in progress were cut off at the stop");
        }
    }

    /// One connection, until it ends by itself, its time is over, or the gateway stops.
    fn connection(&self, stream: TcpStream) -> impl Future<Output = ()> + use<> {
        let service = TowerToHyperService::new(self.router.clone());
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_time)
            .max_buf_size(self.limits.head_bytes)
            .max_headers(64)
            .serve_connection(TokioIo::new(stream), service);
        let mut stopped = self.stopped.clone();
        let all = time::sleep(self.limits.connection_time);
        let stop_time = self.limits.stop_time;
        async move {
            tokio::pin!(serving, all);
            let ended = tokio::select! {
                ended = &mut serving => Some(ended),
                () = told(&mut stopped) => None,
                () = &mut all => None,
            };
            let ended = match ended {
                Some(ended) => ended,
                None => {
                    serving.as_mut().graceful_shutdown();
                    match time::timeout(stop_time, serving).await {
                        Ok(ended) => ended,
                        Err(_elapsed) => return,
                    }
                }
            };
            if let Err(failure) = ended {
                // The other end went away, or was too slow or too large.
                tracing::debug!(%failure, "an HTTP connection ended early");
            }
        }
    }
}

/// Waits until the gateway stops.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // An error means that the handle is gone, and then the gateway stops as well.
    if let Err(gone) = stopped.wait_for(|stopped| *stopped).await {
        tracing::trace!(%gone, "the HTTP gateway was dropped");
    }
}

/// The process is out of file descriptors, or the peer was gone before it was accepted: neither is
/// helped by trying again at once.
async fn pause_after(failure: &std::io::Error) {
    tracing::warn!(%failure, "an HTTP connection could not be accepted");
    time::sleep(Duration::from_millis(50)).await;
}
