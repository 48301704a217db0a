//! Reading the structured part of a body.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{DecodeError, limits};

/// Reads a body that is one structure and nothing else.
pub(super) fn exact<T: DeserializeOwned>(
    what: &'static str,
    body: &[u8],
) -> Result<T, DecodeError> {
    let (value, rest) = postcard::take_from_bytes(body).map_err(DecodeError::structure(what))?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::TrailingBytes {
            what,
            count: rest.len(),
        })
    }
}

/// Reads the structure at the front of a body, and returns what follows it.
pub(super) fn preamble<T: DeserializeOwned>(
    what: &'static str,
    mut body: Bytes,
) -> Result<(T, Bytes), DecodeError> {
    let head = &body[..body.len().min(limits::MAX_FRAME_PREAMBLE)];
    let (value, rest) = postcard::take_from_bytes(head).map_err(DecodeError::structure(what))?;
    let used = head.len() - rest.len();
    Ok((value, body.split_off(used)))
}

/// Checks that a list keeps its bound.
pub(super) fn check_count(
    what: &'static str,
    count: usize,
    limit: usize,
) -> Result<(), DecodeError> {
    if count <= limit {
        Ok(())
    } else {
        Err(DecodeError::TooLarge {
            what,
            size: count as u64,
            limit: limit as u64,
        })
    }
}
