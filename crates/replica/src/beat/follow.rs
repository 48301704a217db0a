//! What a follower's node makes of a row of a peer's table: whether its leader is heard, whether the
//! row is refused, and what it means that it is gone. Hearing and refusing are not each other's
//! opposite: a new leader is heard before anybody follows it.

use std::collections::BTreeMap;

use tetrarch_wire::{ChannelUid, Epoch, ReplicaRole, VoterId, frame::ChannelBeat};

use super::{
    BeatEffects, ChannelFact,
    local::{LocalChannel, Stamped},
};

/// Whether the local replica is told that `row`'s leader lives: the row is about an epoch of its
/// sender's own and at least the highest one seen here (protocol §6).
pub(super) fn hears(local: &LocalChannel, row: &ChannelBeat, speaker: VoterId) -> bool {
    row.epoch.leader == speaker && row.epoch >= local.epoch_seen
}

/// Whether the row is refused in the acknowledgement (protocol §5, `nak`): its channel is unknown,
/// closed or unstamped here (then there is no `local`), has seen a higher epoch, or follows another leader. A refused row does
/// not count for the leader's check-quorum or a read index. A parked voter does not refuse: it
/// follows, although it holds no new events.
pub(super) fn refuses(local: Option<&LocalChannel>, row: &ChannelBeat, speaker: VoterId) -> bool {
    let Some(local) = local else {
        return true;
    };
    let follows_another = match local.leader {
        Some(leader) => leader != row.epoch.leader,
        None => local.role == ReplicaRole::Leader,
    };
    !hears(local, row, speaker) || follows_another
}

/// Tells the local replica that a leader has taken the channel out of its table, unless that
/// leader was none to it any more.
pub(super) fn withdrew(
    channels: &BTreeMap<ChannelUid, Stamped>,
    channel: ChannelUid,
    epoch: Epoch,
    effects: &mut BeatEffects,
) {
    let local = channels.get(&channel);
    if local.is_some_and(|stamped| epoch >= stamped.local.epoch_seen) {
        let fact = ChannelFact::LeaderWithdrew { channel, epoch };
        effects.channels.push(fact);
    }
}
