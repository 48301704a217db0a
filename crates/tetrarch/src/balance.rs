//! How leaders are spread over the nodes, as evenly as the replica sets allow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;
use tetrarch_wire::ReplicaRole;
use tetrarch_wire::frame::{ChannelStatus, DiskLevel, NodeStatus, ReplicaStatus};

/// A channel that another node is to lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Handover {
    /// The channel.
    pub channel: String,
    /// The node that leads it.
    pub from: String,
    /// The node that is to lead it.
    pub to: String,
}

/// What would make the leaders as even as they can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// By the names of the channels.
    pub handovers: Vec<Handover>,
    /// How many channels each node leads when they are done.
    pub leads: BTreeMap<String, usize>,
}

/// Plans as few handovers as it takes so that no node leads two channels more than another one that could
/// lead some of them instead, directly or because others change places.
///
/// A node that is not heard, is drained, or is short of room, leads nothing more than it does; nor does a replica that is
/// not known to follow. Channels without a leader are left alone.
#[must_use]
pub fn plan(nodes: &[NodeStatus], channels: &[ChannelStatus]) -> Plan {
    let well: BTreeSet<&str> = nodes
        .iter()
        .filter(|node| is_well(node))
        .map(|node| node.name.as_str())
        .collect();
    let mut spread = Spread::new(&well, channels);
    while spread.even_out() {}
    spread.into_plan()
}

/// A channel, by its place among those that have a leader.
type Index = usize;

/// Who leads what, and who could.
struct Spread<'a> {
    channels: Vec<Led<'a>>,
    leads: BTreeMap<&'a str, usize>,
    /// From the node that leads them to one that could.
    could: BTreeMap<(&'a str, &'a str), BTreeSet<Index>>,
}

struct Led<'a> {
    name: &'a str,
    before: &'a str,
    now: &'a str,
    /// Those that could lead it, the present leader among them.
    able: Vec<&'a str>,
}

impl<'a> Spread<'a> {
    fn new(well: &BTreeSet<&'a str>, channels: &'a [ChannelStatus]) -> Self {
        let mut spread = Self {
            channels: Vec::new(),
            leads: well.iter().map(|node| (*node, 0)).collect(),
            could: BTreeMap::new(),
        };
        for channel in channels {
            if let Some(leader) = &channel.leader {
                let others = channel.replicas.iter().filter(|one| could_lead(one));
                let others = others.map(|one| one.node.as_str());
                let others = others.filter(|node| well.contains(node) && node != leader);
                let led = Led {
                    name: &channel.name,
                    before: leader,
                    now: leader,
                    able: std::iter::once(leader.as_str()).chain(others).collect(),
                };
                let index = spread.channels.len();
                spread.channels.push(led);
                spread.count(index);
            }
        }
        spread
    }

    fn count(&mut self, index: Index) {
        let led = &self.channels[index];
        *self.leads.entry(led.now).or_default() += 1;
        for other in led.able.iter().filter(|node| **node != led.now) {
            self.could
                .entry((led.now, *other))
                .or_default()
                .insert(index);
        }
    }

    fn discount(&mut self, index: Index) {
        let led = &self.channels[index];
        if let Some(leads) = self.leads.get_mut(led.now) {
            *leads -= 1;
        }
        for other in &led.able {
            if let Some(channels) = self.could.get_mut(&(led.now, *other)) {
                channels.remove(&index);
            }
        }
    }

    /// Takes one channel from a node that leads more than another, and gives one to that, over the fewest
    /// nodes between them. Where there is no such way, the leaders are as even as they can be (Harvey et al.,
    /// Semi-matchings for bipartite graphs and load balancing, 2006).
    fn even_out(&mut self) -> bool {
        let mut most: Vec<(usize, &'a str)> = self.leads.iter().map(|(n, l)| (*l, *n)).collect();
        most.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        for (_, node) in most {
            if let Some(way) = self.way_from(node) {
                for pair in way.windows(2) {
                    self.hand_over(pair[0], pair[1]);
                }
                return true;
            }
        }
        false
    }

    /// The shortest way to one of the nodes that lead least, if that is at least two channels less.
    fn way_from(&self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut came_from = BTreeMap::from([(start, start)]);
        let mut queue = VecDeque::from([start]);
        let (mut best, mut least) = (None, self.leads[start].checked_sub(1)?);
        while let Some(node) = queue.pop_front() {
            if self.leads[node] < least {
                (best, least) = (Some(node), self.leads[node]);
            }
            for other in self.leads.keys() {
                let some = self.could.get(&(node, *other));
                if some.is_some_and(|channels| !channels.is_empty())
                    && !came_from.contains_key(other)
                {
                    came_from.insert(*other, node);
                    queue.push_back(*other);
                }
            }
        }
        let mut way = vec![best?];
        while let Some(last) = way.last().filter(|last| **last != start) {
            way.push(came_from[*last]);
        }
        way.reverse();
        Some(way)
    }

    fn hand_over(&mut self, from: &'a str, to: &'a str) {
        let channels = self.could.get(&(from, to));
        if let Some(index) = channels.and_then(|channels| channels.first().copied()) {
            self.discount(index);
            self.channels[index].now = to;
            self.count(index);
        }
    }

    fn into_plan(self) -> Plan {
        let moved = self.channels.iter().filter(|led| led.now != led.before);
        let handovers = moved.map(|led| Handover {
            channel: led.name.to_owned(),
            from: led.before.to_owned(),
            to: led.now.to_owned(),
        });
        let mut handovers: Vec<Handover> = handovers.collect();
        handovers.sort_by(|a, b| a.channel.cmp(&b.channel));
        let leads = self.leads.into_iter();
        Plan {
            handovers,
            leads: leads
                .map(|(node, leads)| (node.to_owned(), leads))
                .collect(),
        }
    }
}

fn is_well(node: &NodeStatus) -> bool {
    let has_room = node
        .disk_level
        .is_none_or(|level| level == DiskLevel::Green);
    node.alive && has_room && !node.is_drained
}

fn could_lead(replica: &ReplicaStatus) -> bool {
    replica.role == Some(ReplicaRole::Replica) && replica.moving.is_none()
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::frame::{Moving, Placement};
    use tetrarch_wire::{ChannelClass, ChannelUid, NodeId, Retention};

    use super::*;

    fn node(name: &str) -> NodeStatus {
        NodeStatus {
            name: name.to_owned(),
            id: NodeId::from_bytes([1; 16]),
            address: String::new(),
            alive: true,
            disk_level: Some(DiskLevel::Green),
            free_bytes: None,
            is_drained: false,
        }
    }

    fn nodes(names: &[&str]) -> Vec<NodeStatus> {
        names.iter().map(|name| node(name)).collect()
    }

    /// The first of these nodes leads, the others follow.
    fn channel(name: &str, on: &[&str]) -> ChannelStatus {
        let replicas = on.iter().enumerate().map(|(place, node)| ReplicaStatus {
            node: (*node).to_owned(),
            role: Some(if place == 0 {
                ReplicaRole::Leader
            } else {
                ReplicaRole::Replica
            }),
            moving: None,
            tail: None,
            lag_events: None,
            lag_ms: None,
        });
        ChannelStatus {
            name: name.to_owned(),
            uid: ChannelUid::from_bytes([1; 32]),
            class: ChannelClass::Quorum,
            retention: Retention::default(),
            epoch: None,
            leader: Some(on[0].to_owned()),
            log_start: None,
            tail: None,
            commit: None,
            halted: None,
            limbo: None,
            placement: Placement {
                version: 0,
                is_settled: true,
            },
            replicas: replicas.collect(),
        }
    }

    fn told(plan: &Plan) -> Vec<(&str, &str, &str)> {
        let handovers = plan.handovers.iter();
        handovers
            .map(|one| (&*one.channel, &*one.from, &*one.to))
            .collect()
    }

    fn leads(plan: &Plan) -> Vec<usize> {
        plan.leads.values().copied().collect()
    }

    #[test]
    fn what_one_node_leads_after_a_restart_of_the_others_is_shared() {
        let on = ["n1", "n2", "n3"];
        let channels: Vec<_> = ["a", "b", "c", "d", "e", "f"]
            .map(|name| channel(name, &on))
            .into();
        let plan = plan(&nodes(&on), &channels);
        assert_eq!(leads(&plan), [2, 2, 2]);
        assert_eq!(plan.handovers.len(), 4);
        assert!(plan.handovers.iter().all(|one| one.from == "n1"));
    }

    #[test]
    fn a_difference_of_one_is_even() {
        let channels = [channel("a", &["n1", "n2"]), channel("b", &["n2", "n1"])];
        let more = [&channels[..], &[channel("c", &["n1", "n2"])]].concat();
        for channels in [&channels[..], &more] {
            assert_eq!(told(&plan(&nodes(&["n1", "n2"]), channels)), []);
        }
    }

    /// n1 cannot give anything to n3, but n2 can, and n1 can give to n2.
    #[test]
    fn channels_change_places_where_nobody_can_give_directly() {
        let channels = [
            channel("a", &["n1", "n2"]),
            channel("b", &["n1", "n2"]),
            channel("c", &["n2", "n3"]),
        ];
        let plan = plan(&nodes(&["n1", "n2", "n3"]), &channels);
        assert_eq!(told(&plan), [("a", "n1", "n2"), ("c", "n2", "n3")]);
        assert_eq!(leads(&plan), [1, 1, 1]);
    }

    #[test]
    fn who_cannot_lead_gets_nothing() {
        let channels: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| channel(name, &["n1", "n2"]))
            .into();
        let unable: [fn(&mut NodeStatus); 3] = [
            |node| node.alive = false,
            |node| node.disk_level = Some(DiskLevel::Low),
            |node| node.disk_level = Some(DiskLevel::Full),
        ];
        for unable in unable {
            let mut nodes = nodes(&["n1", "n2"]);
            unable(&mut nodes[1]);
            assert_eq!(told(&plan(&nodes, &channels)), []);
        }
        let unable: [fn(&mut ReplicaStatus); 4] = [
            |replica| replica.role = None,
            |replica| replica.role = Some(ReplicaRole::Idle),
            |replica| replica.moving = Some(Moving::In),
            |replica| replica.moving = Some(Moving::Out),
        ];
        for unable in unable {
            let mut channels = channels.clone();
            for channel in &mut channels {
                unable(&mut channel.replicas[1]);
            }
            assert_eq!(told(&plan(&nodes(&["n1", "n2"]), &channels)), []);
        }
        let mut without = channels;
        for channel in &mut without {
            channel.leader = None;
        }
        assert_eq!(told(&plan(&nodes(&["n1", "n2"]), &without)), []);
    }

    /// The sum of the squares of what each node leads, at its least.
    fn optimum(nodes: &[&str], channels: &[ChannelStatus], leads: &mut Vec<usize>) -> usize {
        let Some((first, rest)) = channels.split_first() else {
            return leads.iter().map(|leads| leads * leads).sum();
        };
        let able = first.replicas.iter().map(|replica| &replica.node);
        let tries = able.map(|able| {
            let place = nodes.iter().position(|node| node == able).unwrap();
            leads[place] += 1;
            let sum = optimum(nodes, rest, leads);
            leads[place] -= 1;
            sum
        });
        tries.min().unwrap()
    }

    #[test]
    fn no_other_leaders_would_be_more_even() {
        const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];
        let mut random = 1_u64;
        let mut below = |limit: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(random >> 33).unwrap() % limit
        };
        for _ in 0..300 {
            let channels: Vec<_> = (0..1 + below(7))
                .map(|index| {
                    let (first, replicas) = (below(5), 1 + below(3));
                    let on: Vec<_> = (0..replicas).map(|n| NODES[(first + n) % 5]).collect();
                    channel(&index.to_string(), &on)
                })
                .collect();
            let plan = plan(&nodes(&NODES), &channels);
            let squares: usize = leads(&plan).iter().map(|leads| leads * leads).sum();
            let least = optimum(&NODES, &channels, &mut vec![0; 5]);
            assert_eq!(squares, least, "{channels:?}");
            for handover in &plan.handovers {
                let of = channels.iter().find(|one| one.name == handover.channel);
                let mut holders = of.unwrap().replicas.iter().map(|replica| &replica.node);
                assert!(holders.any(|node| *node == handover.to), "{handover:?}");
            }
        }
    }
}
