//! The events of a batch as the bytes that will be stored: checked once, where they enter the
//! mesh, and never re-encoded afterwards.

use bytes::{Bytes, BytesMut};

use super::{BatchHeader, Event};
use crate::{DecodeError, checksum, limits};

/// A run of encoded events that is known to be well-formed, with their count and checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBlock {
    bytes: Bytes,
    count: u32,
    crc: u32,
}

impl EventBlock {
    /// No event.
    pub const EMPTY: Self = Self {
        bytes: Bytes::new(),
        count: 0,
        crc: 0,
    };

    /// Most bytes in a block: a batch less its header.
    pub const MAX_BYTES: usize = limits::MAX_BATCH_BYTES - BatchHeader::LEN;

    /// Starts an empty block.
    #[must_use]
    pub fn builder() -> EventBlockBuilder {
        EventBlockBuilder {
            bytes: BytesMut::new(),
            count: 0,
        }
    }

    /// Takes over bytes from outside as `count` events.
    ///
    /// # Errors
    /// If they are anything but exactly that many well-formed events within the limits.
    pub fn check(bytes: Bytes, count: u32) -> Result<Self, DecodeError> {
        check_size(bytes.len(), count)?;
        let mut rest = &bytes[..];
        for _ in 0..count {
            let before = rest.len();
            Event::skip(&mut rest)?;
            check_event_size(before - rest.len())?;
        }
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes {
                what: "events",
                count: rest.len(),
            });
        }
        let crc = checksum::crc32c(&bytes);
        Ok(Self { bytes, count, crc })
    }

    /// How many events.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// CRC-32C of the bytes.
    #[must_use]
    pub const fn crc(&self) -> u32 {
        self.crc
    }

    /// The encoded events.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The encoded events.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The events one by one; their parts share this block's memory.
    #[must_use]
    pub fn iter(&self) -> Events {
        Events {
            rest: self.bytes.clone(),
            left: self.count,
        }
    }

    /// Whether another block fits behind this one within one batch.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        check_size(
            self.bytes.len() + other.bytes.len(),
            self.count + other.count,
        )
        .is_ok()
    }

    /// Puts blocks one behind the other. One block alone is not copied.
    #[must_use]
    pub fn merge(blocks: &[Self]) -> Self {
        let [first, rest @ ..] = blocks else {
            return Self::EMPTY;
        };
        if rest.is_empty() {
            return first.clone();
        }
        let mut bytes = BytesMut::with_capacity(blocks.iter().map(|b| b.bytes.len()).sum());
        for block in blocks {
            bytes.extend_from_slice(&block.bytes);
        }
        let count = blocks.iter().map(|block| block.count).sum();
        let crc = checksum::crc32c(&bytes);
        Self {
            bytes: bytes.freeze(),
            count,
            crc,
        }
    }

    /// Cuts the block before its event number `at` (from 0); all of it comes first if there are
    /// not so many.
    #[must_use]
    pub fn split_at(self, at: u32) -> (Self, Self) {
        if at == 0 {
            return (Self::EMPTY, self);
        }
        if at >= self.count {
            return (self, Self::EMPTY);
        }
        let mut events = self.iter();
        for _ in 0..at {
            if events.next().is_none() {
                return (self, Self::EMPTY);
            }
        }
        let front = self.bytes.slice(..self.bytes.len() - events.rest.len());
        let back = events.rest;
        (
            Self {
                crc: checksum::crc32c(&front),
                bytes: front,
                count: at,
            },
            Self {
                crc: checksum::crc32c(&back),
                bytes: back,
                count: self.count - at,
            },
        )
    }
}

/// Collects events into a block.
#[derive(Debug)]
pub struct EventBlockBuilder {
    bytes: BytesMut,
    count: u32,
}

impl EventBlockBuilder {
    /// Adds an event.
    ///
    /// # Errors
    /// If the event or, with it, the block would exceed its limits; the block is then unchanged.
    pub fn push(&mut self, event: &Event) -> Result<(), DecodeError> {
        event.check()?;
        check_size(self.bytes.len() + event.encoded_len(), self.count + 1)?;
        event.encode(&mut self.bytes);
        self.count += 1;
        Ok(())
    }

    /// How many events were added.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The block.
    #[must_use]
    pub fn finish(self) -> EventBlock {
        let crc = checksum::crc32c(&self.bytes);
        EventBlock {
            bytes: self.bytes.freeze(),
            count: self.count,
            crc,
        }
    }
}

/// Iterates over the events of an [`EventBlock`].
#[derive(Debug)]
pub struct Events {
    rest: Bytes,
    left: u32,
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.left = self.left.checked_sub(1)?;
        // The block was checked when it was made, so this cannot fail halfway.
        Event::decode(&mut self.rest).ok()
    }
}

fn check_size(bytes: usize, count: u32) -> Result<(), DecodeError> {
    if count > limits::MAX_BATCH_EVENTS {
        return Err(DecodeError::TooLarge {
            what: "number of events in a batch",
            size: count.into(),
            limit: limits::MAX_BATCH_EVENTS.into(),
        });
    }
    if bytes > EventBlock::MAX_BYTES {
        return Err(DecodeError::TooLarge {
            what: "batch body",
            size: bytes as u64,
            limit: EventBlock::MAX_BYTES as u64,
        });
    }
    Ok(())
}

fn check_event_size(size: usize) -> Result<(), DecodeError> {
    if size > limits::MAX_EVENT_BYTES {
        return Err(DecodeError::TooLarge {
            what: "event",
            size: size as u64,
            limit: limits::MAX_EVENT_BYTES as u64,
        });
    }
    Ok(())
}
