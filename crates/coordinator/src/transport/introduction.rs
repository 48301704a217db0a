//! The first words on a connection. The dialler opens the control stream and says who it is; the
//! acceptor answers in kind, or says why not and closes.

use std::{fmt::Display, future::Future, time::Duration};

use quinn::{Connection, RecvStream, SendStream};
use tetrarch_client::transport::{FrameReceiver, ReceiveTimeouts};
use tetrarch_wire::{
    Frame,
    frame::{Close, CloseCode, Hello},
};
use tokio::time::timeout;

use super::{
    config::Limits,
    error::Refusal,
    lane::Track,
    link::{clip, code_of},
};

/// How long a refused peer gets to read why before the connection is cut.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// The control stream.
pub(super) struct Control {
    pub(super) sender: SendStream,
    pub(super) receiver: FrameReceiver,
}

impl Control {
    fn new((sender, receiver): (SendStream, RecvStream), limits: &Limits) -> Self {
        if let Err(error) = sender.set_priority(Track::CONTROL.priority()) {
            tracing::trace!(%error, "the control stream was closed at once");
        }
        let timeouts = ReceiveTimeouts {
            first: Some(limits.first_frame),
            frame: limits.whole_frame,
        };
        Self {
            sender,
            receiver: FrameReceiver::new(receiver, timeouts),
        }
    }

    /// Sends one frame of the introduction.
    pub(super) async fn say(
        &mut self,
        connection: &Connection,
        frame: &Frame,
    ) -> Result<(), Refusal> {
        let bytes = frame
            .to_bytes()
            .map_err(|error| Refusal::new(CloseCode::Malformed, error.to_string()))?;
        let written = self.sender.write_chunk(bytes).await;
        written.map_err(|error| broken(connection, &error))
    }

    /// The first frame of the other end.
    async fn hear(&mut self, connection: &Connection) -> Result<Frame, Refusal> {
        match self.receiver.next().await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(Refusal::new(
                CloseCode::Malformed,
                "the peer finished its control stream before its first frame",
            )),
            Err(error) => Err(match code_of(&error) {
                Some(code) => Refusal::new(code, error.to_string()),
                None => broken(connection, &error),
            }),
        }
    }

    /// Says why, and gives the peer a moment to read it.
    async fn last_words(&mut self, connection: &Connection, refusal: &Refusal) {
        let farewell = Frame::Close(Close {
            code: refusal.code,
            detail: clip(&refusal.detail).to_owned(),
        });
        let said = async {
            self.say(connection, &farewell).await.is_ok()
                && self.sender.finish().is_ok()
                && self.sender.stopped().await.is_ok()
        };
        let heard = timeout(LAST_WORDS, said).await.unwrap_or(false);
        tracing::trace!(heard, reason = refusal.reason, "said why");
    }
}

/// Opens the control stream, introduces this node, and hears the answer.
pub(super) async fn introduce(
    connection: &Connection,
    hello: Hello,
    limits: &Limits,
) -> Result<(Control, Hello), Refusal> {
    let work = async {
        let streams = connection.open_bi().await;
        let streams = streams.map_err(|error| broken(connection, &error))?;
        let mut control = Control::new(streams, limits);
        control.say(connection, &Frame::Hello(hello)).await?;
        match control.hear(connection).await? {
            Frame::HelloAck(hello) => Ok((control, hello)),
            Frame::Close(close) => Err(Refusal::told(&close)),
            other => Err(unexpected(&other, "hello acknowledgement")),
        }
    };
    within(limits.first_frame, work).await
}

/// Waits for the control stream and for the peer's introduction on it. The caller answers.
pub(super) async fn greet(
    connection: &Connection,
    limits: &Limits,
) -> Result<(Control, Hello), Refusal> {
    let streams = within(limits.first_frame, async {
        let streams = connection.accept_bi().await;
        streams.map_err(|error| broken(connection, &error))
    });
    let mut control = Control::new(streams.await?, limits);
    let first = control.hear(connection);
    let hello = match within(limits.first_frame, first).await {
        Ok(Frame::Hello(hello)) => Ok(hello),
        Ok(other) => Err(unexpected(&other, "hello")),
        Err(refusal) => Err(refusal),
    };
    match hello {
        Ok(hello) => Ok((control, hello)),
        Err(refusal) => Err(refuse(control, connection, refusal).await),
    }
}

/// Tells the peer why it is refused. The connection is still to be closed.
pub(super) async fn refuse(
    mut control: Control,
    connection: &Connection,
    refusal: Refusal,
) -> Refusal {
    if connection.close_reason().is_none() {
        control.last_words(connection, &refusal).await;
    }
    refusal
}

/// A stream failed: because of the connection, or because of what was on it.
fn broken(connection: &Connection, error: &dyn Display) -> Refusal {
    match connection.close_reason() {
        Some(reason) => Refusal::lost(connection.remote_address(), reason),
        None => Refusal::new(CloseCode::Malformed, error.to_string()),
    }
}

fn unexpected(frame: &Frame, expected: &'static str) -> Refusal {
    let seen = frame.frame_type().name();
    let detail = format!("the first frame is a {seen}, expected a {expected}");
    Refusal::new(CloseCode::Malformed, detail)
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    timeout(patience, work).await.unwrap_or_else(|_| {
        let detail = format!("no first frame within {} ms", patience.as_millis());
        Err(Refusal::new(CloseCode::Timeout, detail))
    })
}
