//! The one task that writes a track of a connection. It takes everything that has gathered in the
//! queue since its last write and writes it in one go, so the number of writes and packets falls
//! as the load rises.

use std::sync::Arc;

use bytes::Bytes;
use quinn::{SendStream, WriteError};
use tetrarch_wire::frame::CloseCode;

use super::{
    inbound::{Inbound, TransportEvent},
    lane::Track,
    link::{Leave, Link},
    outbox::Load,
    seat::{Seat, lost},
};

/// Writes one track of one connection.
pub(super) struct Writer<I> {
    pub(super) seat: Arc<Seat>,
    pub(super) link: Arc<Link>,
    pub(super) inbound: Arc<I>,
    pub(super) track: Track,
    /// The stream; a unidirectional one is opened for its first frame.
    pub(super) stream: Option<SendStream>,
}

impl<I: Inbound> Writer<I> {
    /// Writes until the queue ends or the connection does.
    pub(super) async fn run(mut self) {
        let outbox = self.seat.outbox(self.track);
        while let Some(load) = outbox.take(self.link.number).await {
            let Load {
                pieces,
                frames,
                size,
            } = load;
            match write(&mut self.stream, &self.link, &self.seat, self.track, pieces).await {
                Ok(()) => self.inbound.observe(TransportEvent::Sent {
                    lane: self.track.lane(),
                    bytes: size as u64,
                }),
                Err(error) => {
                    for frame in frames {
                        self.inbound.observe(lost(self.track.lane(), frame));
                    }
                    self.give_up(&error);
                    return;
                }
            }
        }
        self.finish().await;
    }

    /// Waits until the peer has everything.
    async fn finish(self) {
        let Some(mut stream) = self.stream else {
            return;
        };
        if stream.finish().is_err() {
            return;
        }
        if let Err(error) = stream.stopped().await {
            tracing::debug!(peer = %self.link.peer.name, %error, "a stream did not end in order");
        }
    }

    fn give_up(&self, error: &WriteError) {
        match error {
            WriteError::Stopped(_) | WriteError::ClosedStream => self.link.leave(Leave::Cause {
                code: CloseCode::Malformed,
                detail: format!("the peer stopped reading stream {}", self.track.tag()),
            }),
            WriteError::ConnectionLost(_) | WriteError::ZeroRttRejected => {
                tracing::debug!(peer = %self.link.peer.name, %error, "a write was cut short");
            }
        }
    }
}

/// Writes all pieces, and makes room in the queue as they go.
async fn write(
    stream: &mut Option<SendStream>,
    link: &Link,
    seat: &Seat,
    track: Track,
    mut pieces: Vec<Bytes>,
) -> Result<(), WriteError> {
    let stream = match stream {
        Some(stream) => stream,
        None => {
            pieces.insert(0, Bytes::copy_from_slice(&[track.tag()]));
            stream.insert(open(link, track).await?)
        }
    };
    let mut rest = &mut pieces[..];
    while !rest.is_empty() {
        let written = stream.write_chunks(rest).await?;
        seat.outbox(track).written(link.number, written.bytes);
        rest = &mut rest[written.chunks..];
    }
    Ok(())
}

async fn open(link: &Link, track: Track) -> Result<SendStream, WriteError> {
    let stream = link.connection.open_uni().await?;
    stream.set_priority(track.priority())?;
    Ok(stream)
}
