//! A data directory as a whole: its layout, its identity, formatting and opening it.

pub(crate) mod epochs;
mod format;
pub(crate) mod layout;
pub(crate) mod meta;
pub(crate) mod open;
pub(crate) mod slot;

pub use format::format;
pub use meta::StoreIdentity;
pub use open::{OpenedStore, RecoveredChannel, open};
