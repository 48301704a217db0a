//! One event: an optional key, headers, and a payload.
//!
//! ```text
//! flags u8 │ key: len varint, bytes (flag 1) │ headers: count varint, then name and value, each
//! len varint, bytes (flag 2) │ payload: len varint, bytes
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{DecodeError, limits, varint};

const FLAG_KEY: u8 = 1;
const FLAG_HEADERS: u8 = 2;

/// One event as a producer gives it and a consumer gets it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What related events share, if anything.
    pub key: Option<Bytes>,
    /// Names and values that travel with the payload, at most [`limits::MAX_EVENT_HEADERS`].
    pub headers: Vec<(Bytes, Bytes)>,
    /// The content.
    pub payload: Bytes,
}

impl Event {
    /// An event with neither key nor headers.
    #[must_use]
    pub const fn new(payload: Bytes) -> Self {
        Self {
            key: None,
            headers: Vec::new(),
            payload,
        }
    }

    /// Bytes of the encoded event.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let key = self.key.as_ref().map_or(0, field_len);
        let headers = if self.headers.is_empty() {
            0
        } else {
            let fields: usize = self
                .headers
                .iter()
                .map(|(name, value)| field_len(name) + field_len(value))
                .sum();
            1 + fields
        };
        1 + key + headers + field_len(&self.payload)
    }

    /// Whether the event keeps the limits.
    ///
    /// # Errors
    /// The limit that it exceeds.
    pub fn check(&self) -> Result<(), DecodeError> {
        if self.headers.len() > limits::MAX_EVENT_HEADERS as usize {
            return Err(DecodeError::TooLarge {
                what: "number of headers on an event",
                size: self.headers.len() as u64,
                limit: limits::MAX_EVENT_HEADERS.into(),
            });
        }
        let size = self.encoded_len();
        if size > limits::MAX_EVENT_BYTES {
            return Err(DecodeError::TooLarge {
                what: "event",
                size: size as u64,
                limit: limits::MAX_EVENT_BYTES as u64,
            });
        }
        Ok(())
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        let mut flags = 0;
        if self.key.is_some() {
            flags |= FLAG_KEY;
        }
        if !self.headers.is_empty() {
            flags |= FLAG_HEADERS;
        }
        out.put_u8(flags);
        if let Some(key) = &self.key {
            put_field(out, key);
        }
        if !self.headers.is_empty() {
            varint::put(out, bounded(self.headers.len()));
            for (name, value) in &self.headers {
                put_field(out, name);
                put_field(out, value);
            }
        }
        put_field(out, &self.payload);
    }

    /// Takes one event off the front of `input`; its parts are slices of `input`.
    pub(super) fn decode(input: &mut Bytes) -> Result<Self, DecodeError> {
        let flags = take_flags(input)?;
        let key = if flags & FLAG_KEY == 0 {
            None
        } else {
            Some(take_field("event key", input)?)
        };
        let mut headers = Vec::new();
        if flags & FLAG_HEADERS != 0 {
            let count = take_header_count(input)?;
            headers.reserve_exact(count as usize);
            for _ in 0..count {
                let name = take_field("event header name", input)?;
                let value = take_field("event header value", input)?;
                headers.push((name, value));
            }
        }
        let payload = take_field("event payload", input)?;
        Ok(Self {
            key,
            headers,
            payload,
        })
    }

    /// Steps over one event without building it.
    pub(super) fn skip(input: &mut &[u8]) -> Result<(), DecodeError> {
        let flags = take_flags(input)?;
        if flags & FLAG_KEY != 0 {
            skip_field("event key", input)?;
        }
        if flags & FLAG_HEADERS != 0 {
            for _ in 0..take_header_count(input)? {
                skip_field("event header name", input)?;
                skip_field("event header value", input)?;
            }
        }
        skip_field("event payload", input)
    }
}

fn take_flags(input: &mut impl Buf) -> Result<u8, DecodeError> {
    if !input.has_remaining() {
        return Err(DecodeError::Truncated {
            what: "event",
            needed: 1,
            available: 0,
        });
    }
    let flags = input.get_u8();
    if flags & !(FLAG_KEY | FLAG_HEADERS) != 0 {
        return Err(DecodeError::UnknownValue {
            what: "event flag",
            value: flags.into(),
        });
    }
    Ok(flags)
}

fn take_header_count(input: &mut impl Buf) -> Result<u32, DecodeError> {
    const WHAT: &str = "number of headers on an event";
    let count = varint::get(WHAT, input)?;
    if count == 0 {
        return Err(DecodeError::Invalid {
            what: WHAT,
            why: "no headers are announced as none",
        });
    }
    if count > limits::MAX_EVENT_HEADERS {
        return Err(DecodeError::TooLarge {
            what: WHAT,
            size: count.into(),
            limit: limits::MAX_EVENT_HEADERS.into(),
        });
    }
    Ok(count)
}

fn field_size(what: &'static str, input: &mut impl Buf) -> Result<usize, DecodeError> {
    let len = varint::get(what, input)? as usize;
    if len > input.remaining() {
        return Err(DecodeError::Truncated {
            what,
            needed: len,
            available: input.remaining(),
        });
    }
    Ok(len)
}

fn take_field(what: &'static str, input: &mut Bytes) -> Result<Bytes, DecodeError> {
    let len = field_size(what, input)?;
    Ok(input.split_to(len))
}

fn skip_field(what: &'static str, input: &mut &[u8]) -> Result<(), DecodeError> {
    let len = field_size(what, input)?;
    input.advance(len);
    Ok(())
}

fn field_len(field: &Bytes) -> usize {
    varint::len(bounded(field.len())) + field.len()
}

fn put_field(out: &mut BytesMut, field: &Bytes) {
    varint::put(out, bounded(field.len()));
    out.put_slice(field);
}

/// Only what `Event::check` let through is encoded; a longer length is refused there by its size.
fn bounded(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
