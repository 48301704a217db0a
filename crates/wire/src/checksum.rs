//! The two ways in which bytes are checked: CRC-32C against accident on one disk or connection,
//! and a chain of hashes against any difference between two logs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The CRC-32C (Castagnoli) of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The CRC-32C of a longer string whose earlier part has the checksum `crc`.
#[must_use]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc, bytes)
}

/// The hash of a log up to and including one batch (protocol §3.2): the first 16 bytes of
/// BLAKE3 over the previous link and this batch's header, which carries its body's checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link([u8; 16]);

impl Link {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// Wraps raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The link before a channel's first batch: the hash of its genesis configuration.
    #[must_use]
    pub fn genesis(config: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(config);
        Self::finish(&hasher)
    }

    /// The link of the batch whose header, without link and header checksum, is `header`.
    #[must_use]
    pub fn extend(self, header: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(header);
        Self::finish(&hasher)
    }

    fn finish(hasher: &blake3::Hasher) -> Self {
        let mut link = [0; 16];
        hasher.finalize_xof().fill(&mut link);
        Self(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Link({:02x}{:02x}{:02x}{:02x})",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}
