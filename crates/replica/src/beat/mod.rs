//! The liveness layer of one node (protocol §6): one beat per pair of nodes and interval keeps
//! every channel between them alive, however many there are. Each side of a pair keeps a copy of
//! the other's *leadership table*, the channels that the other leads and this node replicates;
//! beats carry the rows that changed and a hash that proves the rest, so that an idle channel costs
//! nothing. A row must be earned: the channel's own actor stamps it, and a row without a stamp
//! disappears, so that a wedged actor looks dead to its followers (I25).
//!
//! [`BeatHub`] holds all of it for one node. It is told what channels and peers say, and fills
//! [`BeatEffects`] with frames to send and facts for the channels. What it says of many channels again
//! it says once ([`Repeat`]); whoever holds the channels keeps [`Told`] for each.

mod effects;
mod follow;
mod heard;
mod hub;
mod keeper;
mod led;
mod local;
mod paging;
mod peer;
mod receive;
mod repeat;
#[cfg(test)]
mod tests;

pub use effects::{BeatEffects, BeatWay, ChannelFact, OutgoingFrame, PeerFact};
pub use hub::{BeatHub, BeatSettings, MAX_WAL_STALL};
pub use keeper::Keeper;
pub use local::{LocalChannel, OwnFacts, PeerReplica};
pub use repeat::{Repeat, Repeats, Roll, Told};

use tetrarch_wire::{ChannelUid, Epoch, Link};

/// The share of one row in the hash of a leadership table. Shares are added up, so that the hash
/// does not depend on an order and moves with each row; positions in the log have no part in it.
fn table_hash_share(channel: ChannelUid, epoch: Epoch) -> u64 {
    let mut input = [0; ChannelUid::LEN + 8 + 16];
    input[..32].copy_from_slice(channel.as_bytes());
    input[32..40].copy_from_slice(&epoch.n.to_le_bytes());
    input[40..].copy_from_slice(epoch.leader.as_bytes());
    let link = *Link::genesis(&input).as_bytes();
    let (head, _) = link.split_at(8);
    head.iter()
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
