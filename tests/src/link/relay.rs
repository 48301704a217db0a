//! The sockets that datagrams go through. Each way that a node can dial has an entrance, at which
//! the dialling node finds us, and an exit, from which the dialled node sees datagrams come; answers
//! go back through the two in the other direction.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use bytes::Bytes;
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{Fate, Table};

/// The largest UDP datagram.
const DATAGRAM: usize = 65_536;

/// One node's way to dial another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) dialler: usize,
    pub(super) dialled: usize,
    /// Where the dialling node sends to.
    pub(super) entrance: SocketAddr,
    /// Where it listens, and sends from.
    pub(super) home: SocketAddr,
    /// Where the dialled node listens.
    pub(super) target: SocketAddr,
}

/// A datagram that is held back.
#[derive(Debug)]
struct Held {
    due: Instant,
    number: u64,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    datagram: Bytes,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.number) == (other.due, other.number)
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// One direction of a way.
struct Direction {
    from: usize,
    to: usize,
    /// Whose datagrams arrive here.
    source: SocketAddr,
    input: Arc<UdpSocket>,
    output: Arc<UdpSocket>,
    target: SocketAddr,
    table: Arc<Mutex<Table>>,
    held: mpsc::UnboundedSender<Held>,
}

/// Passes datagrams on, on a thread of its own, until `stopped` or its sender is gone.
pub(super) fn start(
    ways: Vec<Way>,
    table: Arc<Mutex<Table>>,
    stopped: oneshot::Receiver<()>,
) -> JoinHandle<()> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("links".to_owned());
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        runtime.block_on(async {
            let (held, holding) = mpsc::unbounded_channel();
            tokio::spawn(release(holding));
            for way in ways {
                open(way, &table, &held).await.expect("sockets can be had");
            }
            ready.send(()).expect("somebody waits for the links");
            stopped.await.unwrap_or_default();
        });
    };
    let thread = thread.spawn(run).expect("a thread can be started");
    is_ready.recv().expect("the links are there");
    thread
}

async fn open(
    way: Way,
    table: &Arc<Mutex<Table>>,
    held: &mpsc::UnboundedSender<Held>,
) -> io::Result<()> {
    let entrance = Arc::new(UdpSocket::bind(way.entrance).await?);
    let exit = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
    let there = Direction {
        from: way.dialler,
        to: way.dialled,
        source: way.home,
        input: Arc::clone(&entrance),
        output: Arc::clone(&exit),
        target: way.target,
        table: Arc::clone(table),
        held: held.clone(),
    };
    let back = Direction {
        from: way.dialled,
        to: way.dialler,
        source: way.target,
        input: exit,
        output: entrance,
        target: way.home,
        table: Arc::clone(table),
        held: held.clone(),
    };
    tokio::spawn(there.relay());
    tokio::spawn(back.relay());
    Ok(())
}

impl Direction {
    async fn relay(self) {
        let mut buffer = vec![0; DATAGRAM];
        let mut number = 0;
        loop {
            // A node that is down shows as an error of the socket; it comes back.
            let Ok((length, source)) = self.input.recv_from(&mut buffer).await else {
                continue;
            };
            if source != self.source {
                continue;
            }
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            let fate: Fate = table.decide(self.from, self.to);
            drop(table);
            for wait in fate.into_iter().flatten() {
                if wait.is_zero() {
                    pass_on(&self.output, &buffer[..length], self.target);
                    continue;
                }
                number += 1;
                let held = Held {
                    due: Instant::now() + wait,
                    number,
                    socket: Arc::clone(&self.output),
                    to: self.target,
                    datagram: Bytes::copy_from_slice(&buffer[..length]),
                };
                if self.held.send(held).is_err() {
                    return;
                }
            }
        }
    }
}

/// A full buffer or a dead node loses a datagram, as networks do.
fn pass_on(socket: &UdpSocket, datagram: &[u8], to: SocketAddr) {
    match socket.try_send_to(datagram, to) {
        Ok(_) | Err(_) => {}
    }
}

/// Passes on what was held back, when it is due.
async fn release(mut arriving: mpsc::UnboundedReceiver<Held>) {
    let mut waiting: BinaryHeap<Reverse<Held>> = BinaryHeap::new();
    loop {
        let due = waiting.peek().map(|Reverse(held)| held.due);
        tokio::select! {
            held = arriving.recv() => match held {
                Some(held) => waiting.push(Reverse(held)),
                None => return,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some(Reverse(held)) = waiting.pop() {
                    pass_on(&held.socket, &held.datagram, held.to);
                }
            }
        }
    }
}
