//! The write-ahead log that all channels of a store share.
//!
//! ```text
//! wal/NNNN.wal   group │ group │ … │ what an earlier incarnation left
//! group          header (64 B) records… │ zeros to the next 4 KiB │ summary, if any │ zeros
//! record         header (56 B) body
//! summary        header (32 B) one entry per record of the group
//! ```
//!
//! A group begins on a fresh 4 KiB block, so that tearing one can never harm the one before. A
//! summary is written when a group holds hard states: it repeats them, in another block.

pub(crate) mod buffer;
pub(crate) mod files;
pub(crate) mod group;
pub(crate) mod record;
pub(crate) mod scan;
pub(crate) mod summary;
