//! A connection from the moment both ends know each other until it is gone: it starts the tasks
//! that write and read, watches over the rules, and sees to it that nothing is left behind.

use std::{future::Future, sync::Arc, time::Duration};

use quinn::SendStream;
use tetrarch_client::transport::ReceiveTimeouts;
use tetrarch_wire::{
    Frame,
    frame::{CloseCode, Goodbye},
};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    config::Limits,
    inbound::{Inbound, TransportEvent},
    introduction::Control,
    lane::Track,
    link::{Leave, Link, close},
    reader::Reader,
    seat::Seat,
    stop::Stop,
    tasks::{join_all, report},
    writer::Writer,
};

/// How often round trips are reported.
const REPORT: Duration = Duration::from_secs(1);

/// The tasks that write.
#[derive(Default)]
struct Writers {
    control: JoinSet<()>,
    others: JoinSet<()>,
}

/// A connection that carries frames.
pub(super) struct Traffic<I> {
    pub(super) seat: Arc<Seat>,
    pub(super) link: Arc<Link>,
    pub(super) inbound: Arc<I>,
    pub(super) limits: Limits,
    pub(super) stop: Stop,
}

impl<I: Inbound> Traffic<I> {
    /// Carries frames until the connection ends, and leaves the seat.
    pub(super) async fn run(self, control: Control) {
        let mut writers = self.start_writers(control.sender);
        let reader = Reader {
            link: Arc::clone(&self.link),
            inbound: Arc::clone(&self.inbound),
        };
        let mut readers = JoinSet::new();
        readers.spawn(reader.clone().control(control.receiver));
        let why = tokio::select! {
            () = self.carry(&reader, &mut readers) => None,
            why = self.link.leaving() => Some(why),
            () = self.stop.stopped() => Some(Leave::Shutdown),
        };
        if let Some(why) = why {
            self.part(&why, &reader, &mut readers, &mut writers).await;
        }
        readers.shutdown().await;
        writers.control.shutdown().await;
        writers.others.shutdown().await;
        self.seat.leave(&self.link, &*self.inbound);
    }

    fn start_writers(&self, control: SendStream) -> Writers {
        let mut writers = Writers::default();
        let mut control = Some(control);
        for track in Track::all() {
            let stream = control.take_if(|_| track == Track::CONTROL);
            let writer = Writer {
                seat: Arc::clone(&self.seat),
                link: Arc::clone(&self.link),
                inbound: Arc::clone(&self.inbound),
                track,
                stream,
            };
            if track == Track::CONTROL {
                writers.control.spawn(writer.run());
            } else {
                writers.others.spawn(writer.run());
            }
        }
        writers
    }

    /// Takes in whatever comes until the connection is lost. Cancel safe.
    async fn carry(&self, reader: &Reader<I>, readers: &mut JoinSet<()>) {
        let connection = &self.link.connection;
        let mut report_due = interval(REPORT);
        report_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                reason = connection.closed() => {
                    tracing::debug!(peer = %self.link.peer.name, %reason, "a connection ended");
                    return;
                }
                Ok(bytes) = connection.read_datagram() => reader.datagram(bytes),
                Ok(stream) = connection.accept_uni() => {
                    readers.spawn(reader.clone().stream(stream, self.timeouts()));
                }
                Ok(_) = connection.accept_bi() => self.link.strike(
                    CloseCode::Malformed,
                    "a second bidirectional stream, expected one".to_owned(),
                ),
                Some(ended) = readers.join_next() => report(ended),
                _ = report_due.tick() => self.report_round_trip(),
            }
        }
    }

    /// Takes in what is still to come from a peer that finishes its streams, the control stream
    /// last: whoever has read the end of that one has received all others to their ends.
    async fn carry_rest(&self, reader: &Reader<I>, readers: &mut JoinSet<()>) {
        let connection = &self.link.connection;
        loop {
            tokio::select! {
                biased;
                _ = connection.closed() => return,
                Ok(stream) = connection.accept_uni() => {
                    readers.spawn(reader.clone().stream(stream, self.timeouts()));
                }
                ended = readers.join_next() => match ended {
                    Some(ended) => report(ended),
                    None => return,
                },
            }
        }
    }

    const fn timeouts(&self) -> ReceiveTimeouts {
        ReceiveTimeouts {
            first: Some(self.limits.first_frame),
            frame: self.limits.whole_frame,
        }
    }

    fn report_round_trip(&self) {
        self.inbound.observe(TransportEvent::RoundTrip {
            peer: self.link.peer.name.clone(),
            time: self.link.connection.rtt(),
        });
    }

    /// Ends a connection that works, as orderly as the reason allows.
    async fn part(
        &self,
        why: &Leave,
        reader: &Reader<I>,
        readers: &mut JoinSet<()>,
        writers: &mut Writers,
    ) {
        let (code, detail) = why.notice();
        match why {
            Leave::Superseded => {}
            Leave::Cause { code, detail } => self.tell_cause(*code, detail),
            Leave::Replaced | Leave::PeerLeaves => {
                let last = async {
                    tokio::select! {
                        () = self.carry(reader, readers) => {}
                        () = self.stop.stopped() => {}
                    }
                };
                self.in_time(self.limits.retirement, last).await;
            }
            Leave::PeerStops => {
                let last = async {
                    tokio::select! {
                        () = self.carry_rest(reader, readers) => {}
                        () = self.stop.stopped() => {}
                    }
                };
                self.in_time(self.limits.retirement, last).await;
            }
            Leave::Shutdown => {
                // A connection that is closed takes with it what the peer has received and not read
                // yet. So the peer closes it, unless it takes too long.
                let all = async {
                    tokio::join!(
                        self.finish_streams(writers, detail),
                        self.carry_rest(reader, readers)
                    )
                };
                self.in_time(self.limits.farewell, all).await;
            }
        }
        close(&self.link.connection, code, detail);
    }

    fn tell_cause(&self, code: CloseCode, detail: &str) {
        let peer = &self.link.peer.name;
        tracing::warn!(%peer, code = code.name(), detail, "the connection is closed for cause");
        self.inbound.observe(TransportEvent::Closed {
            peer: peer.clone(),
            code,
            detail: detail.to_owned(),
        });
    }

    /// Writes what is queued, and the end of the control stream last of all.
    async fn finish_streams(&self, writers: &mut Writers, reason: &str) {
        self.seat.seal(&self.link, |track| track != Track::CONTROL);
        join_all(&mut writers.others).await;
        self.say_goodbye(reason);
        self.seat.seal(&self.link, |track| track == Track::CONTROL);
        join_all(&mut writers.control).await;
    }

    fn say_goodbye(&self, reason: &str) {
        let goodbye = Frame::Goodbye(Goodbye {
            reason: reason.to_owned(),
            successors: Vec::new(),
        });
        if let Err(dropped) = self.seat.push(Track::CONTROL, &goodbye) {
            tracing::debug!(reason = dropped.name(), "left without a goodbye");
        }
    }

    async fn in_time<T>(&self, limit: Duration, work: impl Future<Output = T>) {
        if timeout(limit, work).await.is_err() {
            tracing::debug!(peer = %self.link.peer.name, "the farewell took too long");
        }
    }
}
