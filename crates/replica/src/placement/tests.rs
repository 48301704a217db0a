//! Balance, movement, zones, and what an operator is told when it cannot be done.

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_wire::{
    ChannelUid, NodeId, StoreId, Voter, VoterId,
    frame::{DiskLevel, LabelFilter},
};

use super::*;

const CHANNELS: u32 = 1_000;

fn node(number: u8, labels: &[(&str, &str)]) -> PlacementNode {
    let name = format!("spiffe://mesh/node/n{number}");
    PlacementNode {
        voter: Voter {
            node: NodeId::from_spiffe_uri(&name),
            store: StoreId::from_bytes([number; 16]),
        },
        labels: labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        disk_level: DiskLevel::Green,
        is_drained: false,
    }
}

fn nodes(count: u8) -> Vec<PlacementNode> {
    (1..=count).map(|number| node(number, &[])).collect()
}

fn channels() -> impl Iterator<Item = ChannelUid> {
    (0..CHANNELS).map(|number| ChannelUid::derive(&format!("c{number}"), &[0; 16]))
}

fn placed(channel: ChannelUid, replicas: usize, live: &[PlacementNode]) -> Placement {
    place(channel, replicas, &LabelFilter::default(), live).unwrap()
}

fn voters(placement: &Placement) -> BTreeSet<NodeId> {
    placement.voters.iter().map(|voter| voter.node).collect()
}

#[test]
fn voters_and_first_leaders_are_balanced_over_the_nodes() {
    let live = nodes(5);
    let mut held: BTreeMap<NodeId, u32> = BTreeMap::new();
    let mut led: BTreeMap<VoterId, u32> = BTreeMap::new();
    for channel in channels() {
        let placement = placed(channel, 3, &live);
        assert_eq!(voters(&placement).len(), 3);
        for voter in &placement.voters {
            *held.entry(voter.node).or_default() += 1;
        }
        *led.entry(placement.first_leader).or_default() += 1;
    }
    assert_eq!((held.len(), led.len()), (5, 5));
    for (node, count) in held {
        assert!((540..=660).contains(&count), "{node} holds {count} of 3000");
    }
    for (voter, count) in led {
        assert!(
            (160..=240).contains(&count),
            "{voter} leads {count} of 1000"
        );
    }
}

#[test]
fn leaders_stay_balanced_where_one_zone_is_in_every_replica_set() {
    let live = [
        node(1, &[("zone", "a")]),
        node(2, &[("zone", "b")]),
        node(3, &[("zone", "b")]),
    ];
    let first = live[0].voter.id();
    let led = channels()
        .filter(|channel| placed(*channel, 2, &live).first_leader == first)
        .count();
    assert!(
        (283..=383).contains(&led),
        "the lone node leads {led} of 1000"
    );
}

#[test]
fn a_node_that_joins_takes_its_share_and_moves_nothing_else() {
    let (before, after) = (nodes(5), nodes(6));
    let joined = after[5].voter.node;
    let mut moved = 0;
    for channel in channels() {
        let (old, new) = (
            voters(&placed(channel, 3, &before)),
            voters(&placed(channel, 3, &after)),
        );
        let gained: Vec<&NodeId> = new.difference(&old).collect();
        assert!(gained.is_empty() || gained == [&joined]);
        moved += gained.len();
    }
    assert!((440..=560).contains(&moved), "{moved} of 3000 moved");
}

#[test]
fn a_node_that_leaves_is_replaced_and_nothing_else_moves() {
    let live = nodes(6);
    let left = live[2].voter.node;
    let rest: Vec<PlacementNode> = live
        .iter()
        .filter(|node| node.voter.node != left)
        .cloned()
        .collect();
    for channel in channels() {
        let (old, new) = (
            voters(&placed(channel, 3, &live)),
            voters(&placed(channel, 3, &rest)),
        );
        let lost: Vec<&NodeId> = old.difference(&new).collect();
        assert_eq!(lost.is_empty(), !old.contains(&left));
        assert!(lost.is_empty() || lost == [&left]);
    }
}

#[test]
fn zones_move_no_more_than_one_voter_when_a_node_joins() {
    let mut live: Vec<PlacementNode> = (1..=6)
        .map(|number| {
            node(
                number,
                &[("zone", ["a", "b", "c"][usize::from(number) % 3])],
            )
        })
        .collect();
    let before = live.clone();
    live.push(node(7, &[("zone", "b")]));
    for channel in channels() {
        for replicas in [2, 3, 4, 5] {
            let (old, new) = (
                voters(&placed(channel, replicas, &before)),
                voters(&placed(channel, replicas, &live)),
            );
            assert!(new.difference(&old).count() <= 1);
        }
    }
}

#[test]
fn voters_are_spread_over_the_zones_there_are() {
    let live: Vec<PlacementNode> = [(1, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "b"), (6, "c")]
        .into_iter()
        .map(|(number, zone)| node(number, &[("zone", zone)]))
        .collect();
    for channel in channels() {
        let zones = |replicas| {
            let placement = placed(channel, replicas, &live);
            let mut crowd: BTreeMap<&str, usize> = BTreeMap::new();
            for voter in &placement.voters {
                let node = live.iter().find(|node| node.voter == *voter).unwrap();
                *crowd.entry(node.label(ZONE_LABEL).unwrap()).or_default() += 1;
            }
            crowd
        };
        assert_eq!(zones(2).len(), 2);
        assert_eq!(zones(3).len(), 3);
        assert_eq!(zones(5), BTreeMap::from([("a", 3), ("b", 1), ("c", 1)]));
    }
}

#[test]
fn only_nodes_with_every_label_and_with_room_are_chosen() {
    let ssd = LabelFilter {
        require: vec![
            ("disk".to_owned(), "ssd".to_owned()),
            ("site".to_owned(), "x".to_owned()),
        ],
    };
    let mut live = vec![
        node(1, &[("disk", "ssd"), ("site", "x")]),
        node(2, &[("site", "x"), ("disk", "ssd"), ("zone", "a")]),
        node(3, &[("disk", "ssd")]),
        node(4, &[("disk", "hdd"), ("site", "x")]),
        node(5, &[("disk", "ssd"), ("site", "x")]),
    ];
    live[4].disk_level = DiskLevel::Low;
    live.push(node(6, &[("disk", "ssd"), ("site", "x")]));
    live[5].is_drained = true;
    let channel = ChannelUid::derive("orders", &[0; 16]);
    let chosen = voters(&place(channel, 2, &ssd, &live).unwrap());
    assert_eq!(
        chosen,
        BTreeSet::from([live[0].voter.node, live[1].voter.node])
    );
    let error = place(channel, 3, &ssd, &live).unwrap_err();
    assert_eq!(
        error,
        PlacementError::TooFewNodes {
            needed: 3,
            qualified: 2,
            live: 6,
            unlabelled: 2,
            drained: 1,
            low_on_disk: 1,
        }
    );
    assert_eq!(
        error.to_string(),
        "3 nodes are needed and 2 of 6 live nodes qualify (2 lack a label, 1 are drained, 1 are low on disk)"
    );
}

fn drain(live: &mut [PlacementNode], number: usize) -> NodeId {
    live[number - 1].is_drained = true;
    live[number - 1].voter.node
}

/// These voters, one of them in another state.
fn but(wanted: &[Voter], node: NodeId, state: VoterState) -> Vec<(Voter, VoterState)> {
    let state_of = |voter: &Voter| match voter.node == node {
        true => state,
        false => VoterState::Stays,
    };
    let voters = wanted.iter();
    voters.map(|voter| (*voter, state_of(voter))).collect()
}

fn replaced(
    channel: ChannelUid,
    wanted: &[(Voter, VoterState)],
    live: &[PlacementNode],
) -> Result<Option<Vec<Voter>>, PlacementError> {
    replace(channel, wanted, &LabelFilter::default(), live)
}

#[test]
fn a_drained_node_is_replaced_as_if_it_had_left_and_the_others_stay() {
    let mut live = nodes(6);
    let before = live.clone();
    let drained = drain(&mut live, 3);
    for channel in channels() {
        let wanted = placed(channel, 3, &before).voters;
        let states = but(&wanted, drained, VoterState::Drained);
        let replaced = replaced(channel, &states, &live).unwrap();
        if wanted.iter().any(|voter| voter.node == drained) {
            let new: BTreeSet<NodeId> = replaced.unwrap().iter().map(|v| v.node).collect();
            assert_eq!(new, voters(&placed(channel, 3, &live)));
        } else {
            assert_eq!(replaced, None);
        }
    }
}

#[test]
fn what_replaces_a_drained_node_is_in_the_zone_that_lacks_a_voter() {
    let zones = ["a", "b", "b", "c", "c", "b"];
    let mut live: Vec<PlacementNode> = (1..=6)
        .map(|number| node(number, &[("zone", zones[usize::from(number) - 1])]))
        .collect();
    let wanted = [0, 1, 3].map(|index| live[index].voter);
    let drained = drain(&mut live, 4);
    for channel in channels() {
        let states = but(&wanted, drained, VoterState::Drained);
        let replaced = replaced(channel, &states, &live).unwrap().unwrap();
        assert_eq!(replaced, [wanted[0], wanted[1], live[4].voter]);
    }
}

/// A node that is gone for a while keeps its place, and nobody is put where nobody fits.
#[test]
fn without_a_node_that_qualifies_a_drained_one_stays() {
    let mut live = nodes(3);
    let wanted: Vec<Voter> = live.iter().map(|node| node.voter).collect();
    let drained = drain(&mut live, 2);
    live.remove(0);
    let channel = ChannelUid::derive("orders", &[0; 16]);
    let states = but(&wanted, drained, VoterState::Drained);
    assert_eq!(
        replaced(channel, &states, &live),
        Err(PlacementError::TooFewNodes {
            needed: 1,
            qualified: 0,
            live: 1,
            unlabelled: 0,
            drained: 1,
            low_on_disk: 0,
        })
    );
    live.push(node(4, &[]));
    let spare = live[2].voter;
    assert_eq!(
        replaced(channel, &states, &live),
        Ok(Some(vec![wanted[0], wanted[2], spare]))
    );
}

#[test]
fn nobody_is_replaced_when_so_many_are_lost_that_the_others_cannot_agree() {
    let live = nodes(9);
    let channel = ChannelUid::derive("orders", &[0; 16]);
    for (voters, most) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)] {
        for lost in 1..=voters {
            let wanted = live[..voters].iter().enumerate();
            let state = |index| match index < lost {
                true => VoterState::Lost,
                false => VoterState::Stays,
            };
            let states: Vec<_> = wanted
                .map(|(index, node)| (node.voter, state(index)))
                .collect();
            let replaced = replaced(channel, &states, &live[lost..]);
            if lost <= most {
                assert_eq!(replaced.unwrap().unwrap().len(), voters);
            } else {
                assert_eq!(replaced, Err(PlacementError::NoMajority { lost, voters }));
            }
        }
    }
}

#[test]
fn a_replica_count_that_no_channel_can_have_is_refused() {
    let channel = ChannelUid::derive("orders", &[0; 16]);
    for asked in [0, 10] {
        assert_eq!(
            place(channel, asked, &LabelFilter::default(), &nodes(12)),
            Err(PlacementError::ReplicaCount { asked, limit: 9 })
        );
    }
}

#[test]
fn the_order_and_repetition_of_nodes_do_not_matter() {
    let live = nodes(5);
    let mut shuffled: Vec<PlacementNode> = live.iter().rev().cloned().collect();
    shuffled.push(live[1].clone());
    for channel in channels() {
        assert_eq!(placed(channel, 3, &live), placed(channel, 3, &shuffled));
    }
    let few = [live[0].clone(), live[0].clone()];
    let channel = ChannelUid::derive("orders", &[0; 16]);
    assert!(place(channel, 2, &LabelFilter::default(), &few).is_err());
}
