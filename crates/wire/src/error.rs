//! Why bytes were refused.

use thiserror::Error;

/// A byte string that is not a value of this protocol. Each variant says what was read and which
/// values were found; none of them can be cured by trying again with the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("{what} is cut short: {needed} bytes needed, {available} there")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes it takes.
        needed: usize,
        /// How many there were.
        available: usize,
    },
    /// Bytes are left after the value.
    #[error("{count} bytes are left over after {what}")]
    TrailingBytes {
        /// What was read.
        what: &'static str,
        /// How many bytes follow it.
        count: usize,
    },
    /// A length or count exceeds its limit.
    #[error("{what} is {size}, over its limit of {limit}")]
    TooLarge {
        /// What was being read.
        what: &'static str,
        /// The declared size or count.
        size: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// A number that names nothing.
    #[error("{value} is no known {what}")]
    UnknownValue {
        /// What the number should name.
        what: &'static str,
        /// The number found.
        value: u64,
    },
    /// A checksum that does not match what it covers.
    #[error("{what} has checksum {found:08x}, expected {expected:08x}")]
    Checksum {
        /// What is covered.
        what: &'static str,
        /// The checksum computed over the bytes.
        found: u32,
        /// The checksum they carry.
        expected: u32,
    },
    /// A value that contradicts itself or another field.
    #[error("{what} is invalid: {why}")]
    Invalid {
        /// What was read.
        what: &'static str,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A control body that the structure codec refuses.
    #[error("{what} cannot be read: {source}")]
    Structure {
        /// What was being read.
        what: &'static str,
        /// What the structure codec says.
        source: postcard::Error,
    },
}

impl DecodeError {
    pub(crate) fn structure(what: &'static str) -> impl FnOnce(postcard::Error) -> Self {
        move |source| Self::Structure { what, source }
    }
}
