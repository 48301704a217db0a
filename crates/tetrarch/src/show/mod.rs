//! How nodes, channels and events are shown, as tables and as JSON. The names of the JSON fields
//! are part of the interface.

mod channel;
mod event;
mod merge;
mod node;
mod retention;

pub use channel::{ChannelShown, ReplicaShown};
pub use event::EventShown;
pub use merge::merge;
pub use node::NodeShown;
pub use retention::{RetentionArgs, RetentionShown};

/// A value that may be unknown, for a table.
#[must_use]
pub fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}
