//! What several nodes say of themselves, as one picture: each node knows its own role and tail
//! best, and a leader knows best how far its followers are.

use tetrarch_client::Status;
use tetrarch_wire::frame::{ChannelStatus, NodeStatus, ReplicaStatus};

/// Adds what another node says to a picture.
pub fn merge(picture: &mut Status, other: Status) {
    let teller = other.asked;
    for node in other.nodes {
        match picture
            .nodes
            .iter_mut()
            .find(|known| known.name == node.name)
        {
            Some(known) => merge_node(known, node, &teller),
            None => picture.nodes.push(node),
        }
    }
    for channel in other.channels {
        match picture
            .channels
            .iter_mut()
            .find(|known| known.uid == channel.uid)
        {
            Some(known) => merge_channel(known, channel, &teller),
            None => picture.channels.push(channel),
        }
    }
    picture
        .channels
        .sort_by(|one, other| one.name.cmp(&other.name));
}

fn merge_node(known: &mut NodeStatus, said: NodeStatus, teller: &str) {
    if said.name == teller {
        *known = said;
    }
}

fn merge_channel(known: &mut ChannelStatus, said: ChannelStatus, teller: &str) {
    let leads = said.leader.as_deref() == Some(teller);
    let is_outdated = said.placement < known.placement;
    if said.placement > known.placement {
        known.placement = said.placement;
        let is_named = |row: &ReplicaStatus| said.replicas.iter().any(|one| one.node == row.node);
        known.replicas.retain(is_named);
    }
    for replica in said.replicas {
        match known
            .replicas
            .iter_mut()
            .find(|row| row.node == replica.node)
        {
            Some(row) => merge_replica(row, replica, teller, leads),
            // Whom only an outdated answer names held the channel once.
            None if is_outdated => {}
            None => known.replicas.push(replica),
        }
    }
    if said.epoch > known.epoch || (said.epoch == known.epoch && leads) {
        known.epoch = said.epoch;
        known.leader = said.leader;
        known.tail = said.tail;
        known.commit = said.commit;
        known.log_start = said.log_start;
    }
    if let Some(halted) = said.halted {
        known.halted = Some(format!("on {teller}: {halted}"));
    }
    if let Some(limbo) = said.limbo {
        known.limbo = Some(format!("on {teller}: {limbo}"));
    }
}

fn merge_replica(row: &mut ReplicaStatus, said: ReplicaStatus, teller: &str, leads: bool) {
    if said.node == teller {
        row.role = said.role.or(row.role);
        row.tail = said.tail.or(row.tail);
    }
    if leads {
        row.moving = said.moving;
        row.lag_events = said.lag_events;
        row.lag_ms = said.lag_ms;
        row.tail = row.tail.or(said.tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetrarch_wire::ReplicaRole::{Leader, Replica};
    use tetrarch_wire::frame::Placement;
    use tetrarch_wire::{ChannelClass, ChannelUid, Epoch, ReplicaRole, Retention, Seq, VoterId};

    /// What `teller` says of a channel of n1 and n2 that n1 leads.
    fn said(teller: &str, role: ReplicaRole, tail: u64, lag_of_other: Option<u64>) -> Status {
        let row = |node: &str| ReplicaStatus {
            moving: None,
            node: node.to_owned(),
            role: (node == teller).then_some(role),
            tail: (node == teller).then(|| Seq::new(tail)),
            lag_events: lag_of_other.filter(|_| node != teller),
            lag_ms: None,
        };
        Status {
            asked: teller.to_owned(),
            nodes: Vec::new(),
            channels: vec![ChannelStatus {
                placement: Placement {
                    version: 0,
                    is_settled: true,
                },
                name: "c".into(),
                uid: ChannelUid::derive("c", &[0; 16]),
                class: ChannelClass::Quorum,
                retention: Retention::FOREVER,
                epoch: Some(Epoch::new(3, VoterId::NONE)),
                leader: Some("n1".into()),
                log_start: Some(Seq::FIRST),
                tail: Some(Seq::new(tail)),
                commit: Some(Seq::new(tail)),
                halted: None,
                limbo: None,
                replicas: vec![row("n1"), row("n2")],
            }],
        }
    }

    /// n2 gave the channel to n3, which a node that has just started does not know yet.
    #[test]
    fn the_newest_placement_names_the_holders() {
        let before = said("n2", Replica, 7, None);
        let mut after = said("n1", Leader, 9, None);
        after.channels[0].placement.version += 1;
        after.channels[0].replicas[1].node = "n3".into();
        for (first, second) in [(before.clone(), after.clone()), (after, before)] {
            let mut picture = first;
            merge(&mut picture, second);
            let channel = &picture.channels[0];
            let names: Vec<_> = channel.replicas.iter().map(|row| &*row.node).collect();
            assert_eq!(names, ["n1", "n3"]);
            assert_eq!(channel.placement.version, 1);
        }
    }

    #[test]
    fn roles_come_from_the_nodes_themselves_and_lags_from_the_leader() {
        let leader = said("n1", Leader, 9, Some(2));
        let follower = said("n2", Replica, 7, None);
        for (first, second) in [(leader.clone(), follower.clone()), (follower, leader)] {
            let mut picture = first;
            merge(&mut picture, second);
            let channel = &picture.channels[0];
            assert_eq!(channel.tail, Some(Seq::new(9)));
            let rows: Vec<_> = channel
                .replicas
                .iter()
                .map(|row| (row.role, row.tail.map(Seq::get), row.lag_events))
                .collect();
            assert_eq!(
                rows,
                [
                    (Some(Leader), Some(9), None),
                    (Some(Replica), Some(7), Some(2))
                ]
            );
        }
    }
}
