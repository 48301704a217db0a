//! Every transition of the table of roles, provoked on real processes: for each the event in the log of
//! the node and the channel that it was provoked on, and on every node as many counts as events.
//!
//! The table is the list that is ticked off: a transition that no scene provokes fails the test. One
//! mesh of four nodes plays all scenes. One of them is *patient*: its elections last a minute
//! (`timing.election_timeout_ms`). So it remains a candidate, or a leader that nobody hears, until
//! what is to happen to one has happened. Another one stands *apart*: it leads the catalog and holds
//! no channel at first, so that channels can be deleted and moved while their nodes do not hear each
//! other.

use std::collections::BTreeSet;

use serde_json::Value;
use tetrarch_fsm::{
    LEGAL_TRANSITIONS,
    TransitionSignal::{
        self, CandidateDiskPressureWithdraw, CapabilitySelected, ChannelClose,
        DiskPressureWithdraw, ElectionLost, ElectionWon, GracefulRelinquish,
        LeaderDiskPressureWithdraw, MissedHeartbeats, PeerLeaderObserved, PlacementDeselected,
        QuorumLost,
    },
};
use tetrarch_tests::{Dice, LinkFaults, Links, Mesh, MeshOptions, eventually, eventually_some};
use tetrarch_wire::ReplicaRole::{self, Candidate, Idle, Leader, Replica};

type Transition = (ReplicaRole, ReplicaRole, TransitionSignal);

const NODES: usize = 4;
const CATALOG: &str = "__meta";
/// What a node may take, and more than the scenes need.
const QUOTA: u64 = 256 << 20;
const ENVIRONMENT: [(&str, &str); 4] = [
    ("TETRARCH_LOG_FORMAT", "json"),
    ("TETRARCH_STORAGE_MAX_BYTES", "256MiB"),
    ("TETRARCH_STORAGE_WAL_FILE_BYTES", "2MiB"),
    ("TETRARCH_STORAGE_DISK_DWELL_MS", "1000"),
];

#[test]
fn every_transition_happens_and_is_counted_and_told() {
    let mut stage = Stage::set();
    stage.a_channel_gets_a_leader_which_hands_over();
    stage.a_leader_and_a_candidate_that_were_cut_off_learn_of_another_leader();
    stage.a_leader_hears_nobody();
    stage.a_channel_moves_to_another_node();
    stage.a_channel_is_deleted_under_its_followers();
    stage.a_disk_fills_up_under_a_leader_and_a_replica();
    stage.candidates_let_go_of_their_channels();
    stage.check();
}

/// The mesh, who plays what in it, and what has been seen.
struct Stage {
    mesh: Mesh,
    links: Links,
    /// Its elections last a minute.
    patient: usize,
    /// Two that hold each channel with it.
    first: usize,
    second: usize,
    /// Leads the catalog and holds no channel unless one is moved there.
    apart: usize,
    seen: BTreeSet<Transition>,
}

impl Stage {
    fn set() -> Self {
        let mut mesh = Mesh::init(&MeshOptions {
            nodes: NODES,
            environment: ENVIRONMENT.to_vec(),
        });
        let links = Links::within(&mut mesh, &Dice::new(1));
        for (index, node) in mesh.nodes.iter_mut().enumerate() {
            let others = (0..NODES).filter(|other| *other != index);
            let labels: Vec<String> = others.map(not).collect();
            node.set_variable("TETRARCH_NODE_LABELS", labels.join(","));
        }
        let patient = NODES - 1;
        mesh.nodes[patient].set_variable("TETRARCH_TIMING_ELECTION_TIMEOUT_MS", "60000".into());
        for node in &mut mesh.nodes {
            node.start();
        }
        mesh.wait_ready();
        let [apart, first, second] = cast(&mesh, &links, patient);
        Self {
            mesh,
            links,
            patient,
            first,
            second,
            apart,
            seen: BTreeSet::new(),
        }
    }

    fn a_channel_gets_a_leader_which_hands_over(&mut self) {
        const CHANNEL: &str = "handed-over";
        self.create(CHANNEL);
        let leader = self.mesh.leader_of(CHANNEL);
        self.expect(leader, CHANNEL, (Idle, Replica, CapabilitySelected));
        self.expect(leader, CHANNEL, (Replica, Candidate, MissedHeartbeats));
        self.expect(leader, CHANNEL, (Candidate, Leader, ElectionWon));
        let to_first = leader != self.first;
        self.lead(CHANNEL, if to_first { self.first } else { self.second });
        self.expect(leader, CHANNEL, (Leader, Idle, GracefulRelinquish));
    }

    fn a_leader_and_a_candidate_that_were_cut_off_learn_of_another_leader(&mut self) {
        const LED: &str = "led-by-who-is-cut-off";
        const FOLLOWED: &str = "followed-by-who-is-cut-off";
        self.create(LED);
        self.create(FOLLOWED);
        self.lead(LED, self.patient);
        self.lead(FOLLOWED, self.first);
        self.cut_off_the_patient_one();
        self.expect(
            self.patient,
            FOLLOWED,
            (Replica, Candidate, MissedHeartbeats),
        );
        eventually("the others have a leader", || {
            leads(&self.mesh, self.first, LED) || leads(&self.mesh, self.second, LED)
        });
        self.links.heal();
        self.expect(self.patient, LED, (Leader, Replica, PeerLeaderObserved));
        self.expect(self.patient, FOLLOWED, (Candidate, Replica, ElectionLost));
    }

    fn a_leader_hears_nobody(&mut self) {
        const CHANNEL: &str = "led-by-who-is-alone";
        self.create(CHANNEL);
        self.lead(CHANNEL, self.first);
        for other in [self.patient, self.second, self.apart] {
            self.cut(self.first, other);
        }
        self.expect(self.first, CHANNEL, (Leader, Replica, QuorumLost));
        self.links.heal();
        self.mesh.wait_ready();
    }

    fn a_channel_moves_to_another_node(&mut self) {
        const CHANNEL: &str = "moved";
        self.create(CHANNEL);
        self.lead(CHANNEL, self.first);
        self.mesh.move_channel(CHANNEL, &[self.apart]);
        self.expect(self.first, CHANNEL, (Leader, Idle, PlacementDeselected));
        // All three let go at once. One that hears before that that the leader does not count it among
        // the holders any more may be a candidate by then.
        let holders = [self.first, self.second, self.patient];
        self.expect_of_one(&holders, CHANNEL, (Replica, Idle, PlacementDeselected));
    }

    /// Who leads a channel learns later than its followers that the channel is deleted: else its last beat
    /// might make candidates of them.
    fn a_channel_is_deleted_under_its_followers(&mut self) {
        const CHANNEL: &str = "deleted";
        self.create(CHANNEL);
        self.lead(CHANNEL, self.first);
        self.cut(self.first, self.apart);
        self.delete(CHANNEL);
        let followers = [self.second, self.patient];
        self.expect_of_one(&followers, CHANNEL, (Replica, Idle, ChannelClose));
        self.links.heal();
    }

    fn a_disk_fills_up_under_a_leader_and_a_replica(&mut self) {
        const LED: &str = "led-on-a-full-disk";
        const FOLLOWED: &str = "followed-on-a-full-disk";
        self.create(LED);
        self.create(FOLLOWED);
        self.lead(LED, self.second);
        self.lead(FOLLOWED, self.first);
        let filling = self.mesh.nodes[self.second].take_room(QUOTA);
        self.expect(self.second, LED, (Leader, Idle, LeaderDiskPressureWithdraw));
        self.expect(self.second, FOLLOWED, (Replica, Idle, DiskPressureWithdraw));
        std::fs::remove_file(filling).expect("a file can be removed");
        eventually("it comes back", || {
            self.is_in_role(self.second, LED, Replica)
        });
    }

    /// The patient node hears of the catalog and of nothing else, and so it stands for election and
    /// remains a candidate, while its channels are moved to others and deleted, and its disk fills up.
    fn candidates_let_go_of_their_channels(&mut self) {
        const MOVED: &str = "moved-from-a-candidate";
        const DELETED: &str = "deleted-under-a-candidate";
        const PRESSED: &str = "on-the-full-disk-of-a-candidate";
        let patient = self.patient;
        [self.apart, self.first, self.second] = cast(&self.mesh, &self.links, patient);
        for channel in [MOVED, DELETED, PRESSED] {
            self.create(channel);
            self.lead(channel, self.first);
        }
        self.cut_off_the_patient_one();
        for channel in [MOVED, DELETED, PRESSED] {
            self.expect(patient, channel, (Replica, Candidate, MissedHeartbeats));
        }
        let wanted = [self.first, self.second, self.apart];
        self.mesh.move_channel(MOVED, &wanted);
        self.expect(patient, MOVED, (Candidate, Idle, PlacementDeselected));
        self.delete(DELETED);
        self.expect(patient, DELETED, (Candidate, Idle, ChannelClose));
        self.expect(self.first, DELETED, (Leader, Idle, ChannelClose));
        let _filling = self.mesh.nodes[patient].take_room(QUOTA);
        let withdraws = (Candidate, Idle, CandidateDiskPressureWithdraw);
        self.expect(patient, PRESSED, withdraws);
        self.close_what_is_idle(patient, PRESSED);
        self.links.heal();
    }

    /// Deletes a channel that is Idle on a node. The one transition that changes nothing has no event
    /// and no count, as its definition says; the node lets go of the channel all the same.
    fn close_what_is_idle(&mut self, node: usize, channel: &str) {
        eventually("it is idle there", || self.is_in_role(node, channel, Idle));
        let before = self.mesh.nodes[node].metric("tetrarch_channels");
        self.delete(channel);
        eventually("the node has let go of the channel", || {
            self.mesh.nodes[node].metric("tetrarch_channels") < before
                && !self.is_in_role(node, channel, Idle)
        });
        let closed = (Idle, Idle, ChannelClose);
        assert!(!self.changes_of(node).contains(&change(channel, closed)));
        self.seen.insert(closed);
    }

    /// Each transition was provoked, and each node has counted as many as it has told of.
    fn check(&self) {
        for transition in LEGAL_TRANSITIONS {
            let (from, to, signal) = transition;
            let is_seen = self.seen.contains(&transition);
            assert!(is_seen, "no scene provokes {from} -> {to} by {signal}");
            for node in 0..NODES {
                self.check_count(node, transition);
            }
        }
        for node in &self.mesh.nodes {
            let rejected = node.metric_sum("tetrarch_transitions_rejected_total");
            assert!(rejected < 1.0, "{}: {rejected} rejected", node.name);
        }
    }

    /// Roles may still change now that the scenes are over, so it is looked more than once.
    fn check_count(&self, node: usize, (from, to, signal): Transition) {
        let series = format!(
            "tetrarch_transitions_total{{from=\"{from}\",to=\"{to}\",signal=\"{signal}\"}}"
        );
        let name = &self.mesh.nodes[node].name;
        eventually(&format!("{name} tells what it counts: {series}"), || {
            let counted = self.mesh.nodes[node].metric(&series);
            let changes = self.changes_of(node).into_iter();
            let told = changes.filter(|(_, told)| *told == (from, to, signal));
            let told = u32::try_from(told.count()).expect("there are few");
            (counted - f64::from(told)).abs() < 0.5
        });
    }

    /// Waits until a node's log tells of this change in this channel.
    fn expect(&mut self, node: usize, channel: &str, transition: Transition) {
        self.expect_of_one(&[node], channel, transition);
    }

    /// Waits until the log of one of these nodes tells of this change in this channel.
    fn expect_of_one(&mut self, nodes: &[usize], channel: &str, transition: Transition) {
        let (from, to, signal) = transition;
        let names: Vec<&str> = nodes
            .iter()
            .map(|one| &*self.mesh.nodes[*one].name)
            .collect();
        let names = names.join(" or ");
        let what = format!("{channel} on {names}: {from} -> {to} by {signal}");
        let expected = change(channel, transition);
        eventually(&what, || {
            let mut nodes = nodes.iter();
            nodes.any(|node| self.changes_of(*node).contains(&expected))
        });
        self.seen.insert(transition);
    }

    /// Every change of a role that a node has told of, with its channel.
    fn changes_of(&self, node: usize) -> Vec<(String, Transition)> {
        let log = self.mesh.nodes[node].log();
        // The last line may be half written.
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.filter_map(|line: Value| told_in(&line)).collect()
    }

    /// Creates a channel on all nodes but the one apart.
    fn create(&self, channel: &str) {
        let label = not(self.apart);
        let order = ["channel", "create", channel, "--replicas", "3"];
        let order = [&order[..], &["--require", &label]].concat();
        // Nodes whose disks were full are known to have room again a moment after they have.
        eventually("there is room for a channel", || {
            self.mesh.run(&order).code == Some(0)
        });
        assert!(!self.mesh.holders_of(channel).contains(&self.apart));
    }

    fn delete(&self, channel: &str) {
        let deleted = self.mesh.run(&["channel", "delete", channel]);
        drop(deleted.expect_success("deleting a channel"));
    }

    /// Makes a node lead a channel.
    fn lead(&self, channel: &str, node: usize) {
        let name = &self.mesh.nodes[node].name;
        eventually(&format!("{name} leads {channel}"), || {
            let order = ["channel", "relinquish", channel, "--to", name];
            // It is refused as long as there is no leader, and if this node is it already.
            leads(&self.mesh, node, channel)
                || self.mesh.run(&order).code == Some(0) && leads(&self.mesh, node, channel)
        });
    }

    /// From now on it hears of its channels nothing, and of the catalog everything.
    fn cut_off_the_patient_one(&self) {
        self.cut(self.patient, self.first);
        self.cut(self.patient, self.second);
    }

    fn cut(&self, one: usize, other: usize) {
        self.links.set(one, other, LinkFaults::CUT);
        self.links.set(other, one, LinkFaults::CUT);
    }

    fn is_in_role(&self, node: usize, channel: &str, role: ReplicaRole) -> bool {
        is_in_role(&self.mesh, node, channel, role)
    }
}

/// The node that leads the catalog, which is not to be the patient one, and the two that are left.
fn cast(mesh: &Mesh, links: &Links, patient: usize) -> [usize; 3] {
    let others = || (0..NODES).filter(|node| *node != patient);
    let leader = || (0..NODES).find(|node| leads(mesh, *node, CATALOG));
    if eventually_some("the catalog has a leader", leader) == patient {
        for other in others() {
            links.set(patient, other, LinkFaults::CUT);
            links.set(other, patient, LinkFaults::CUT);
        }
    }
    let apart = eventually_some("another node leads the catalog", || {
        others().find(|node| leads(mesh, *node, CATALOG))
    });
    links.heal();
    let mut rest = others().filter(|node| *node != apart);
    let mut next = || rest.next().expect("there are four nodes");
    [apart, next(), next()]
}

/// The label of all nodes but this one.
fn not(node: usize) -> String {
    format!("not-n{}=yes", node + 1)
}

fn leads(mesh: &Mesh, node: usize, channel: &str) -> bool {
    is_in_role(mesh, node, channel, Leader)
}

fn is_in_role(mesh: &Mesh, node: usize, channel: &str, role: ReplicaRole) -> bool {
    let series = format!("tetrarch_channel_role{{channel=\"{channel}\",role=\"{role}\"}}");
    mesh.nodes[node].metric(&series) > 0.0
}

fn change(channel: &str, transition: Transition) -> (String, Transition) {
    (channel.to_owned(), transition)
}

/// The change of a role that a line of the log tells of, which says all there is to say.
fn told_in(line: &Value) -> Option<(String, Transition)> {
    if line["target"] != "tetrarch::role" {
        return None;
    }
    let text = |field: &str| line[field].as_str().unwrap_or_else(|| panic!("no {field}"));
    for number in ["tail", "durable", "commit"] {
        assert!(line[number].is_u64(), "{number} in {line}");
    }
    assert!(!text("epoch").is_empty() && !text("reason").is_empty());
    let legal = LEGAL_TRANSITIONS.into_iter().find(|(from, to, signal)| {
        (from.name(), to.name(), signal.name()) == (text("from"), text("to"), text("signal"))
    });
    Some(change(text("channel"), legal.expect("it is in the table")))
}
