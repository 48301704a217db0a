//! The structured part of a body: how it is read, and what must hold of it beyond its shape.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{DecodeError, limits};

/// What must hold of a structure beyond its shape: bounds of lists and texts, and fields that
/// agree. It is asked of what is sent as well as of what is read, so whatever leaves a node can
/// be read by its peer. Only what asks for it can be put into a frame, so no type can forget.
pub(super) trait Checked {
    /// The rule that is broken, if any.
    fn check(&self) -> Result<(), DecodeError>;
}

impl<T: Checked> Checked for &T {
    fn check(&self) -> Result<(), DecodeError> {
        (*self).check()
    }
}

/// Structures of fixed size whose every value is allowed.
macro_rules! always_valid {
    ($($name:ty),+ $(,)?) => {
        $(impl $crate::frame::structure::Checked for $name {
            fn check(&self) -> Result<(), $crate::DecodeError> {
                Ok(())
            }
        })+
    };
}
pub(super) use always_valid;

/// Reads a body that is one structure and nothing else.
pub(super) fn exact<T: DeserializeOwned + Checked>(
    what: &'static str,
    body: &[u8],
) -> Result<T, DecodeError> {
    let (value, rest) =
        postcard::take_from_bytes::<T>(body).map_err(DecodeError::structure(what))?;
    if !rest.is_empty() {
        return Err(DecodeError::TrailingBytes {
            what,
            count: rest.len(),
        });
    }
    value.check()?;
    Ok(value)
}

/// Reads the structure at the front of a body, and returns what follows it.
pub(super) fn preamble<T: DeserializeOwned + Checked>(
    what: &'static str,
    mut body: Bytes,
) -> Result<(T, Bytes), DecodeError> {
    let head = &body[..body.len().min(limits::MAX_FRAME_PREAMBLE)];
    let (value, rest) =
        postcard::take_from_bytes::<T>(head).map_err(DecodeError::structure(what))?;
    value.check()?;
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

/// Checks that a name keeps its bound. Whether it may name a channel is a question for the node
/// that is asked to create one: a wrong name deserves an answer, not the end of the connection.
pub(super) fn check_name(what: &'static str, name: &str) -> Result<(), DecodeError> {
    check_count(what, name.len(), limits::MAX_NAME_BYTES)
}

/// Checks that any other text keeps its bound.
pub(super) fn check_text(what: &'static str, text: &str) -> Result<(), DecodeError> {
    check_count(what, text.len(), limits::MAX_TEXT_BYTES)
}

/// Checks the names and values of labels.
pub(super) fn check_labels(labels: &[(String, String)]) -> Result<(), DecodeError> {
    check_count("number of labels", labels.len(), limits::MAX_LABELS)?;
    for (name, value) in labels {
        check_name("label name", name)?;
        check_text("label value", value)?;
    }
    Ok(())
}
