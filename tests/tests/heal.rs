//! A channel of the class available is written to on both sides of a partition, and after the heal every
//! event that was acknowledged on either is in it, once.

#![expect(
    clippy::print_stdout,
    reason = "how long a heal took is what one runs it for"
)]

use std::{collections::BTreeSet, time::Instant};

use tetrarch_tests::{Dice, LinkFaults, Links, Mesh, MeshOptions, Producer, eventually};

const CHANNEL: &str = "telemetry";
/// On each side; `TETRARCH_HEAL_EVENTS` says otherwise.
const EVENTS: u64 = 20_000;

fn events() -> u64 {
    let given = std::env::var("TETRARCH_HEAL_EVENTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(EVENTS)
}

struct Parted {
    mesh: Mesh,
    links: Links,
    /// The side of the leader that everybody had, alone, and the others.
    sides: [Vec<usize>; 2],
}

impl Parted {
    /// A mesh of three nodes of which one, the leader, hears nobody.
    fn start() -> Self {
        let mut mesh = Mesh::init(&MeshOptions::default());
        let links = Links::within(&mut mesh, &Dice::new(1));
        for node in &mut mesh.nodes {
            node.start();
        }
        mesh.wait_ready();
        let class = ["--class", "available", "--replicas", "3"];
        let created = mesh.run(&[&["channel", "create", CHANNEL][..], &class].concat());
        assert_eq!(created.code, Some(0), "{}", created.stderr);
        let alone = mesh.leader_of(CHANNEL);
        let others: Vec<usize> = (0..3).filter(|node| *node != alone).collect();
        for other in &others {
            links.set(alone, *other, LinkFaults::CUT);
            links.set(*other, alone, LinkFaults::CUT);
        }
        let parted = Self {
            mesh,
            links,
            sides: [vec![alone], others],
        };
        eventually("each side has a leader", || {
            parted.sides.iter().all(|side| parted.leaders(side) == 1)
        });
        parted
    }

    fn leaders(&self, nodes: &[usize]) -> usize {
        let role = format!("tetrarch_channel_role{{channel=\"{CHANNEL}\",role=\"Leader\"}}");
        let leads = |node: &&usize| self.mesh.nodes[**node].metric(&role) > 0.0;
        nodes.iter().filter(leads).count()
    }

    /// Publishes on both sides, and says what was acknowledged.
    fn publish(&self, count: u64) -> Vec<String> {
        let producers: Vec<Producer> = self
            .sides
            .iter()
            .zip(["a", "b"])
            .map(|(side, name)| {
                let context = self.mesh.client_beside(side);
                let mut producer = Producer::start_from(&context, CHANNEL, name, 0);
                producer.feed(count);
                producer
            })
            .collect();
        producers
            .into_iter()
            .flat_map(|producer| producer.finish().0)
            .collect()
    }

    fn sum(&self, metric: &str) -> f64 {
        let series = format!("tetrarch_{metric}{{channel=\"{CHANNEL}\"}}");
        self.mesh
            .nodes
            .iter()
            .map(|node| node.metric(&series))
            .sum()
    }

    /// Waits until the sides are one again, and looks at what every node tells.
    fn check(&self, acknowledged: &[String]) {
        let healed = Instant::now();
        eventually("one node leads", || self.leaders(&[0, 1, 2]) == 1);
        println!("one leader after {:?}", healed.elapsed());
        eventually("every fork is in the log", || {
            self.sum("fork_events_sealed_total") > 0.0 && self.sum("channel_forks") == 0.0
        });
        println!("no fork is left after {:?}", healed.elapsed());
        let commit = format!("tetrarch_channel_commit_seq{{channel=\"{CHANNEL}\"}}");
        let mut before = None;
        eventually("every node has everything, and no more is coming", || {
            let commits: Vec<f64> = self
                .mesh
                .nodes
                .iter()
                .map(|node| node.metric(&commit))
                .collect();
            let is_all = commits.iter().all(|one| *one >= acknowledged.len() as f64);
            let is_still = before.as_ref() == Some(&commits);
            before = Some(commits);
            is_all && is_still
        });
        println!("every node has everything after {:?}", healed.elapsed());
        let told: Vec<Vec<String>> = (0..3)
            .map(|node| self.mesh.read_back(node, CHANNEL, acknowledged.len()))
            .collect();
        assert!(
            told[0] == told[1] && told[0] == told[2],
            "the nodes tell other stories"
        );
        let once: BTreeSet<&String> = told[0].iter().collect();
        assert_eq!(once.len(), told[0].len(), "an event is there twice");
        let wanted: BTreeSet<&String> = acknowledged.iter().collect();
        assert!(once == wanted, "what was acknowledged is not what is there");
    }
}

#[test]
fn what_was_acknowledged_on_either_side_is_there_once_after_the_heal() {
    let parted = Parted::start();
    let acknowledged = parted.publish(events());
    parted.links.heal();
    parted.check(&acknowledged);
}

#[test]
fn the_leader_dies_while_it_takes_a_fork_into_the_log() {
    let mut parted = Parted::start();
    let acknowledged = parted.publish(events());
    parted.links.heal();
    eventually("one node leads, and there is a fork", || {
        parted.leaders(&[0, 1, 2]) == 1 && parted.sum("channel_forks") > 0.0
    });
    let leader = parted.mesh.leader_of(CHANNEL);
    parted.mesh.nodes[leader].kill();
    parted.mesh.nodes[leader].start();
    parted.mesh.wait_ready();
    parted.check(&acknowledged);
}
