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
            let last = self.carry(&reader, &mut readers);
            self.part(&why, last, &mut writers).await;
        }
        readers.shutdown().await;
        writers.shutdown().await;
        self.seat.leave(&self.link, &*self.inbound);
    }

    fn start_writers(&self, control: SendStream) -> JoinSet<()> {
        let mut writers = JoinSet::new();
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
            writers.spawn(writer.run());
        }
        writers
    }

    /// Takes in whatever comes until the connection is lost. Cancel safe.
    async fn carry(&self, reader: &Reader<I>, readers: &mut JoinSet<()>) {
        let connection = &self.link.connection;
        let timeouts = ReceiveTimeouts {
            first: Some(self.limits.first_frame),
            frame: self.limits.whole_frame,
        };
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
                    readers.spawn(reader.clone().stream(stream, timeouts));
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

    fn report_round_trip(&self) {
        self.inbound.observe(TransportEvent::RoundTrip {
            peer: self.link.peer.name.clone(),
            time: self.link.connection.rtt(),
        });
    }

    /// Ends a connection that works, as orderly as the reason allows. `last` takes in what still
    /// arrives.
    async fn part(&self, why: &Leave, last: impl Future<Output = ()>, writers: &mut JoinSet<()>) {
        let (code, detail) = why.notice();
        match why {
            Leave::Superseded => {}
            Leave::Cause { code, detail } => self.tell_cause(*code, detail),
            Leave::Replaced | Leave::PeerLeaves => {
                let last = async {
                    tokio::select! {
                        () = last => {}
                        () = self.stop.stopped() => {}
                    }
                };
                self.in_time(self.limits.retirement, last).await;
            }
            Leave::Shutdown => {
                self.say_goodbye(detail);
                let written = async {
                    tokio::select! {
                        () = join_all(writers) => {}
                        () = last => {}
                    }
                };
                self.in_time(self.limits.farewell, written).await;
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

    fn say_goodbye(&self, reason: &str) {
        let goodbye = Frame::Goodbye(Goodbye {
            reason: reason.to_owned(),
            successors: Vec::new(),
        });
        if let Err(dropped) = self.seat.push(Track::CONTROL, &goodbye) {
            tracing::debug!(reason = dropped.name(), "left without a goodbye");
        }
        self.seat.seal(&self.link);
    }

    async fn in_time(&self, limit: Duration, work: impl Future<Output = ()>) {
        if timeout(limit, work).await.is_err() {
            tracing::debug!(peer = %self.link.peer.name, "the farewell took too long");
        }
    }
}
