//! Rendezvous placement: the nodes with the highest weights for a channel hold it, one zone after
//! the other. A node that joins or leaves moves only the channels that it gains or loses.

use std::{cmp::Reverse, collections::BTreeMap};

use tetrarch_wire::{ChannelUid, Voter, VoterId, frame::LabelFilter, limits};
use thiserror::Error;

use super::PlacementNode;

/// The label whose values voters are spread over.
pub const ZONE_LABEL: &str = "zone";

/// Where a channel goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its voters, the heaviest first.
    pub voters: Vec<Voter>,
    /// The one that is to lead first.
    pub first_leader: VoterId,
}

/// Why a channel cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlacementError {
    /// The number of replicas is none that a channel can have.
    #[error("{asked} replicas were asked for; a channel has 1 to {limit}")]
    ReplicaCount {
        /// How many were asked for.
        asked: usize,
        /// The most that a channel can have.
        limit: usize,
    },
    /// Fewer nodes qualify than are needed.
    #[error(
        "{needed} nodes are needed and {qualified} of {live} live nodes qualify \
         ({unlabelled} lack a label, {drained} are drained, {low_on_disk} are low on disk)"
    )]
    TooFewNodes {
        /// How many are needed.
        needed: usize,
        /// How many qualify.
        qualified: usize,
        /// How many are alive.
        live: usize,
        /// How many lack a label that the channel asks for.
        unlabelled: usize,
        /// How many carry the labels but are to hold no channel.
        drained: usize,
        /// How many others carry the labels but have no room for a new channel.
        low_on_disk: usize,
    },
    /// A channel of the class `available` stays where it was created.
    #[error("a channel of the class available cannot be moved")]
    Class,
    /// So many voters are lost that the others cannot agree on who comes in their place.
    #[error(
        "{lost} of {voters} voters are lost, so that the others are no majority; bring back the nodes \
         or disks that are missing"
    )]
    NoMajority {
        /// How many are lost.
        lost: usize,
        /// How many there are.
        voters: usize,
    },
}

/// Chooses `replicas` voters for `channel` among `live` nodes that satisfy `filter` and have room,
/// spread over as many zones as there are. The heaviest leads first: which one that is depends on
/// the hash alone, so leaders are spread evenly even where a small zone is in every replica set.
///
/// The result depends on the set of nodes and not on their order.
///
/// # Errors
/// If the number of replicas is out of range or too few nodes qualify.
pub fn place(
    channel: ChannelUid,
    replicas: usize,
    filter: &LabelFilter,
    live: &[PlacementNode],
) -> Result<Placement, PlacementError> {
    if replicas == 0 || replicas > limits::MAX_VOTERS {
        return Err(PlacementError::ReplicaCount {
            asked: replicas,
            limit: limits::MAX_VOTERS,
        });
    }
    let chosen = qualified(distinct(live), replicas, filter)?;
    let voters = spread(by_weight(channel, chosen), replicas, BTreeMap::new());
    let first_leader = voters.first().map(Voter::id);
    let first_leader = first_leader.ok_or(PlacementError::ReplicaCount {
        asked: replicas,
        limit: limits::MAX_VOTERS,
    })?;
    Ok(Placement {
        voters,
        first_leader,
    })
}

/// Whether a voter stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoterState {
    /// It stays.
    Stays,
    /// Its node is drained; it votes until it is replaced.
    Drained,
    /// Nobody waits for it any more ([`super::Absences`]).
    Lost,
}

/// Who is to hold `channel` instead of `wanted`, if not all of these stay: those who do, and as many others as
/// are lacking, chosen as for a new channel. `None` if all stay.
///
/// # Errors
/// If too few nodes qualify, or so many are lost that the others are no majority. Then all stay.
pub fn replace(
    channel: ChannelUid,
    wanted: &[(Voter, VoterState)],
    filter: &LabelFilter,
    live: &[PlacementNode],
) -> Result<Option<Vec<Voter>>, PlacementError> {
    let in_state = |state| {
        let voters = wanted.iter().filter(move |(_, is)| *is == state);
        voters.map(|(voter, _)| *voter)
    };
    let stay: Vec<Voter> = in_state(VoterState::Stays).collect();
    let lacking = wanted.len() - stay.len();
    if lacking == 0 {
        return Ok(None);
    }
    let lost = in_state(VoterState::Lost).count();
    if lost * 2 >= wanted.len() {
        return Err(PlacementError::NoMajority {
            lost,
            voters: wanted.len(),
        });
    }
    let stays = |node: &PlacementNode| stay.iter().any(|voter| voter.node == node.voter.node);
    let (staying, others): (Vec<_>, Vec<_>) =
        distinct(live).into_iter().partition(|node| stays(node));
    let mut taken = BTreeMap::new();
    for node in staying {
        *taken.entry(node.label(ZONE_LABEL)).or_default() += 1;
    }
    let chosen = by_weight(channel, qualified(others, lacking, filter)?);
    let come = spread(chosen, lacking, taken);
    Ok(Some(stay.into_iter().chain(come).collect()))
}

/// Those that may hold a channel with this filter, if there are as many as are needed.
fn qualified<'a>(
    nodes: Vec<&'a PlacementNode>,
    needed: usize,
    filter: &LabelFilter,
) -> Result<Vec<&'a PlacementNode>, PlacementError> {
    let live = nodes.len();
    let (labelled, unlabelled): (Vec<_>, Vec<_>) =
        nodes.into_iter().partition(|node| node.satisfies(filter));
    let (drained, in_use): (Vec<_>, Vec<_>) =
        labelled.into_iter().partition(|node| node.is_drained);
    let (qualified, low_on_disk): (Vec<&PlacementNode>, Vec<_>) =
        in_use.into_iter().partition(|node| node.has_room());
    if qualified.len() < needed {
        return Err(PlacementError::TooFewNodes {
            needed,
            qualified: qualified.len(),
            live,
            unlabelled: unlabelled.len(),
            drained: drained.len(),
            low_on_disk: low_on_disk.len(),
        });
    }
    Ok(qualified)
}

/// One entry per node: two voters on one node would fail together.
fn distinct(live: &[PlacementNode]) -> Vec<&PlacementNode> {
    let mut nodes: Vec<&PlacementNode> = live.iter().collect();
    nodes.sort_by_key(|node| (node.voter.node, node.voter.store));
    nodes.dedup_by_key(|node| node.voter.node);
    nodes
}

fn by_weight(channel: ChannelUid, mut nodes: Vec<&PlacementNode>) -> Vec<&PlacementNode> {
    nodes.sort_by_cached_key(|node| (Reverse(node.weight(channel)), node.voter.node));
    nodes
}

/// Takes the heaviest node of the zone that has the fewest voters yet, again and again. Nodes
/// without the label share one nameless zone, because nothing says that they fail apart. Some zones may
/// have voters before.
fn spread<'a>(
    mut heaviest_first: Vec<&'a PlacementNode>,
    replicas: usize,
    mut taken: BTreeMap<Option<&'a str>, usize>,
) -> Vec<Voter> {
    let mut voters = Vec::with_capacity(replicas);
    while voters.len() < replicas {
        let crowd = |node: &PlacementNode| taken.get(&node.label(ZONE_LABEL)).copied().unwrap_or(0);
        // The first of the least crowded: among equals `min_by_key` keeps the heaviest.
        let Some((index, _)) = heaviest_first
            .iter()
            .enumerate()
            .min_by_key(|(_, node)| crowd(node))
        else {
            break;
        };
        let node = heaviest_first.remove(index);
        *taken.entry(node.label(ZONE_LABEL)).or_default() += 1;
        voters.push(node.voter);
    }
    voters
}
