//! Frames on their way out of a stream, with bounds on how long the peer may take.

use std::{array, future::Future, time::Duration};

use bytes::Bytes;
use quinn::{ReadError, RecvStream, VarInt};
use tetrarch_wire::{
    Frame,
    frame::{CloseCode, FrameReader},
};
use tokio::time::{Instant, timeout_at};

use super::ReceiveError;

/// Most pieces taken from QUIC at once: about 90 KiB of full packets.
const PIECES_PER_READ: usize = 64;

/// How long the peer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveTimeouts {
    /// Until the first frame has arrived; `None` for ever.
    pub first: Option<Duration>,
    /// From the first byte of a frame to its last.
    pub frame: Duration,
}

impl ReceiveTimeouts {
    /// For streams that the peer opened: 2 s to say what it wants, 5 s for each frame.
    pub const ACCEPTED: Self = Self {
        first: Some(Duration::from_secs(2)),
        frame: Duration::from_secs(5),
    };
    /// For streams that we opened: the peer speaks when it has something to say.
    pub const OPENED: Self = Self {
        first: None,
        frame: Duration::from_secs(5),
    };
}

/// The receiving half of a stream of frames.
#[derive(Debug)]
pub struct FrameReceiver {
    stream: RecvStream,
    reader: FrameReader,
    pieces: [Bytes; PIECES_PER_READ],
    timeouts: ReceiveTimeouts,
    /// When the frame that is awaited has to be there; known once waiting for it has begun.
    deadline: Option<Instant>,
    is_first: bool,
}

impl FrameReceiver {
    /// Takes over a stream.
    #[must_use]
    pub fn new(stream: RecvStream, timeouts: ReceiveTimeouts) -> Self {
        Self {
            stream,
            reader: FrameReader::default(),
            pieces: array::from_fn(|_| Bytes::new()),
            timeouts,
            deadline: None,
            is_first: true,
        }
    }

    /// The next frame; `None` once the peer has finished the stream. Cancel safe.
    ///
    /// # Errors
    /// If the bytes are no frame, the peer takes too long, resets the stream or stops in the
    /// middle of a frame, or the connection is lost. The stream cannot be read any further then.
    pub async fn next(&mut self) -> Result<Option<Frame>, ReceiveError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(Some(frame));
            }
            if !self.read().await? {
                return if self.reader.is_mid_frame() {
                    Err(ReceiveError::CutShort)
                } else {
                    Ok(None)
                };
            }
        }
    }

    /// The next frame if it has been read already. Reads nothing.
    ///
    /// # Errors
    /// If the bytes are no frame.
    pub fn buffered(&mut self) -> Result<Option<Frame>, ReceiveError> {
        let frame = self.reader.next_frame()?;
        if frame.is_some() {
            self.is_first = false;
            self.deadline = None;
        }
        Ok(frame)
    }

    /// Tells the peer that nothing more is read.
    pub fn stop(&mut self, code: CloseCode) {
        if self.stream.stop(VarInt::from_u32(code as u32)).is_err() {
            tracing::trace!("the stream had ended before it was stopped");
        }
    }

    /// Takes in what has arrived, at least something; `false` at the end of the stream.
    async fn read(&mut self) -> Result<bool, ReceiveError> {
        let limit = self.limit();
        let read = self.stream.read_chunks(&mut self.pieces);
        let count = match limit {
            None => read.await?,
            Some(limit) => {
                let begin = || Instant::now() + limit;
                let deadline = *self.deadline.get_or_insert_with(begin);
                within(read, deadline, limit).await?
            }
        };
        let Some(count) = count else {
            return Ok(false);
        };
        for piece in &mut self.pieces[..count] {
            self.reader.extend(piece);
            *piece = Bytes::new();
        }
        Ok(true)
    }

    fn limit(&self) -> Option<Duration> {
        if self.is_first && self.timeouts.first.is_some() {
            self.timeouts.first
        } else if self.reader.is_mid_frame() {
            Some(self.timeouts.frame)
        } else {
            None
        }
    }
}

async fn within(
    read: impl Future<Output = Result<Option<usize>, ReadError>>,
    deadline: Instant,
    limit: Duration,
) -> Result<Option<usize>, ReceiveError> {
    match timeout_at(deadline, read).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(ReceiveError::TooSlow { limit }),
    }
}
