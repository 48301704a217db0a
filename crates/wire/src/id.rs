//! Identifiers. Each is its own type, so that a node can never be mistaken for a store.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Link;

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length of the identifier in bytes.
            pub const LEN: usize = $len;

            /// Wraps raw bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The first four bytes in hexadecimal: enough to tell identifiers apart in a log line.
            #[must_use]
            pub fn short(&self) -> String {
                self.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()
            }

            /// Reads the hexadecimal form that `Display` prints; `None` if it is anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                if digits.len() != 2 * $len {
                    return None;
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let high = char::from(pair[0]).to_digit(16)?;
                    let low = char::from(pair[1]).to_digit(16)?;
                    *byte = u8::try_from(high * 16 + low).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // Directories are named by this, so it is asked for often.
                self.0.chunks(8).try_for_each(|bytes| {
                    let number = bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
                    write!(f, "{number:0digits$x}", digits = 2 * bytes.len())
                })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }
    };
}

opaque_id!(
    /// A mesh. Random, chosen once by `tetrarch init`; nodes of different clusters never talk.
    ClusterId,
    16
);
opaque_id!(
    /// A node, derived from the name in its certificate, so that rotating a key does not change it
    /// (protocol §3.1).
    NodeId,
    16
);
opaque_id!(
    /// One formatted data directory. Random, written once; a wiped disk is a different store.
    StoreId,
    16
);
opaque_id!(
    /// A member of a channel's replica set: a node *and* its store (protocol §3.1, KIP-853). A
    /// wiped disk is therefore a different voter and cannot vote twice.
    VoterId,
    16
);
opaque_id!(
    /// A channel. Deleting and creating a channel of the same name yields a new uid, so frames for
    /// the old one can never reach the new one.
    ChannelUid,
    32
);
opaque_id!(
    /// A fork: what a replica of an `available` channel cut off its log, kept beside it. Named by its
    /// content, so that equal forks have equal names on every node.
    ForkId,
    16
);
opaque_id!(
    /// An idempotent producer. Random, chosen by the client; all zero means "not idempotent".
    ProducerId,
    16
);

impl NodeId {
    /// The node that a certificate's SPIFFE-style URI names.
    #[must_use]
    pub fn from_spiffe_uri(uri: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"tetrarch/node/1").update(uri.as_bytes());
        Self(first_16(&hasher))
    }
}

impl VoterId {
    /// No voter: the leader of [`crate::Epoch::NONE`].
    pub const NONE: Self = Self([0; 16]);

    /// The voter that `node` is while it holds `store`.
    #[must_use]
    pub fn derive(node: NodeId, store: StoreId) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(node.as_bytes()).update(store.as_bytes());
        Self(first_16(&hasher))
    }
}

impl ChannelUid {
    /// The uid of a channel created under `name` with a creation nonce.
    #[must_use]
    pub fn derive(name: &str, nonce: &[u8; 16]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(name.as_bytes()).update(nonce);
        Self(*hasher.finalize().as_bytes())
    }
}

impl ForkId {
    /// The fork of `channel` whose first batch continues the link `before` and whose last batch has
    /// the link `last`. As links chain, these two say which batches lie between.
    #[must_use]
    pub fn derive(channel: ChannelUid, before: Link, last: Link) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(channel.as_bytes())
            .update(before.as_bytes())
            .update(last.as_bytes());
        Self(first_16(&hasher))
    }
}

impl ProducerId {
    /// Events without an idempotent producer: never deduplicated, mergeable across connections.
    pub const ANONYMOUS: Self = Self([0; 16]);

    /// Whether events of this producer are deduplicated.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        self != Self::ANONYMOUS
    }
}

fn first_16(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

/// How often a store was started: one more, durably, at each start. Frames of an earlier boot are
/// recognised by it and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Boot(u64);

impl Boot {
    /// Wraps a boot number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The boot number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The boot after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_its_name_and_a_voter_is_node_and_store() {
        let node = NodeId::from_spiffe_uri("spiffe://mesh/node/n1");
        assert_eq!(node, NodeId::from_spiffe_uri("spiffe://mesh/node/n1"));
        assert_ne!(node, NodeId::from_spiffe_uri("spiffe://mesh/node/n2"));
        let before = VoterId::derive(node, StoreId::from_bytes([1; 16]));
        let wiped = VoterId::derive(node, StoreId::from_bytes([2; 16]));
        assert_ne!(before, wiped);
    }

    #[test]
    fn hexadecimal_form_round_trips_and_refuses_anything_else() {
        let uid = ChannelUid::derive("orders", &[7; 16]);
        assert_eq!(ChannelUid::parse(&uid.to_string()), Some(uid));
        assert_eq!(ChannelUid::parse("orders"), None);
        assert_eq!(StoreId::parse(&"g0".repeat(16)), None);
        assert_eq!(StoreId::parse(&"é0".repeat(16)), None);
    }

    #[test]
    fn a_fork_is_its_channel_and_both_of_its_ends() {
        let (uid, link) = (ChannelUid::from_bytes([1; 32]), Link::from_bytes);
        let fork = ForkId::derive(uid, link([2; 16]), link([3; 16]));
        let other = ChannelUid::from_bytes([4; 32]);
        assert_ne!(fork, ForkId::derive(other, link([2; 16]), link([3; 16])));
        assert_ne!(fork, ForkId::derive(uid, link([4; 16]), link([3; 16])));
        assert_ne!(fork, ForkId::derive(uid, link([2; 16]), link([4; 16])));
        // Every node must find the same name, in every version.
        assert_eq!(fork.to_string(), "e9b4beb6ede4ff9afe05e6e8a98a5ae7");
    }

    #[test]
    fn recreating_a_channel_gives_another_uid() {
        assert_ne!(
            ChannelUid::derive("orders", &[1; 16]),
            ChannelUid::derive("orders", &[2; 16])
        );
    }
}
