//! Frames on their way out and in. Outgoing frames are gathered so that many small ones leave in
//! one write, while large batches are passed on by reference; incoming bytes are cut into frames
//! whose parts share one buffer.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::{
    Frame, FrameHeader, FrameType,
    structure::{Checked, check_count},
};
use crate::{Batch, DecodeError, limits};

/// Pieces shorter than this are copied together; longer ones are passed on by reference. A write
/// per 256 B event cost nine times the CPU of coalesced writes when it was measured on QUIC.
const COPY_BELOW: usize = 4 * 1024;

/// Encoded frames, in order, as pieces ready for a vectored write.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    pieces: Vec<Bytes>,
    open: BytesMut,
    size: usize,
}

impl FrameBuffer {
    /// Bytes of all frames in the buffer.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Takes all pieces out; written one after the other they are the frames.
    #[must_use]
    pub fn take(&mut self) -> Vec<Bytes> {
        self.close_piece();
        self.size = 0;
        std::mem::take(&mut self.pieces)
    }

    pub(super) fn structure(
        &mut self,
        frame_type: FrameType,
        body: &(impl Serialize + Checked),
    ) -> Result<(), DecodeError> {
        let body = encode(frame_type, body)?;
        FrameHeader::new(frame_type, body.len())?.encode(&mut self.open);
        self.open.put_slice(&body);
        self.size += FrameHeader::LEN + body.len();
        Ok(())
    }

    pub(super) fn raw(
        &mut self,
        frame_type: FrameType,
        preamble: &(impl Serialize + Checked),
        pieces: &[Bytes],
    ) -> Result<(), DecodeError> {
        let raw_len = pieces.iter().map(Bytes::len).sum();
        self.preamble(frame_type, preamble, raw_len)?;
        for piece in pieces {
            self.push(piece);
        }
        Ok(())
    }

    pub(super) fn batches(
        &mut self,
        frame_type: FrameType,
        preamble: &(impl Serialize + Checked),
        batches: &[Batch],
    ) -> Result<(), DecodeError> {
        check_count(
            "number of batches in a frame",
            batches.len(),
            limits::MAX_FRAME_BATCHES,
        )?;
        let raw_len = batches.iter().map(Batch::size).sum();
        self.preamble(frame_type, preamble, raw_len)?;
        for piece in batches.iter().flat_map(Batch::chunks) {
            self.push(piece);
        }
        Ok(())
    }

    fn preamble(
        &mut self,
        frame_type: FrameType,
        preamble: &(impl Serialize + Checked),
        raw_len: usize,
    ) -> Result<(), DecodeError> {
        let preamble = encode(frame_type, preamble)?;
        if preamble.len() > limits::MAX_FRAME_PREAMBLE {
            return Err(DecodeError::TooLarge {
                what: frame_type.name(),
                size: preamble.len() as u64,
                limit: limits::MAX_FRAME_PREAMBLE as u64,
            });
        }
        let header = FrameHeader::new(frame_type, preamble.len() + raw_len)?;
        header.encode(&mut self.open);
        self.open.put_slice(&preamble);
        self.size += FrameHeader::LEN + header.body_len();
        Ok(())
    }

    fn push(&mut self, piece: &Bytes) {
        if piece.len() < COPY_BELOW {
            self.open.put_slice(piece);
        } else {
            self.close_piece();
            self.pieces.push(piece.clone());
        }
    }

    fn close_piece(&mut self) {
        if !self.open.is_empty() {
            self.pieces.push(self.open.split().freeze());
        }
    }
}

fn encode(
    frame_type: FrameType,
    body: &(impl Serialize + Checked),
) -> Result<Vec<u8>, DecodeError> {
    body.check()?;
    postcard::to_allocvec(body).map_err(DecodeError::structure(frame_type.name()))
}

/// Cuts a stream of bytes into frames. Holds at most one unfinished frame, whose length was
/// checked before room was made for it.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Takes in the bytes that arrived next.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next whole frame, if all of it has arrived.
    ///
    /// # Errors
    /// If the bytes are no frame. The stream cannot be read any further then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        if self.buffer.len() < FrameHeader::LEN {
            return Ok(None);
        }
        let header = FrameHeader::decode(&self.buffer)?;
        let len = FrameHeader::LEN + header.body_len();
        if self.buffer.len() < len {
            self.buffer.reserve(len - self.buffer.len());
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(len).freeze();
        let body = frame.split_off(FrameHeader::LEN);
        Frame::decode(header, body).map(Some)
    }
}
