//! Faults that overlap: each is imposed, lasts, and is taken back, whatever happened meanwhile.

use std::{
    collections::BTreeMap,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tetrarch_tests::{LinkFaults, Links, Mesh, Output, Signal, tetrarch};

use super::{
    CHANNEL,
    fault::{Drawn, Fault, Kind},
};

/// What becomes due when a fault is over.
#[derive(Debug)]
enum End {
    /// These nodes are started, if nobody has.
    Start(Vec<usize>),
    /// This node goes on, if it is still the process that was stopped: so many starts ago.
    Continue(usize, u64),
    /// The links lose this fault.
    Links,
}

#[derive(Debug)]
struct LinkFault {
    ways: Vec<(usize, usize)>,
    faults: LinkFaults,
}

/// A mesh, what is imposed on it now, and what was so far.
pub(crate) struct Imposed<'a> {
    mesh: &'a mut Mesh,
    links: &'a Links,
    ends: BTreeMap<(Instant, u64), End>,
    link_faults: BTreeMap<u64, LinkFault>,
    starts: Vec<u64>,
    killed: Vec<bool>,
    number: u64,
    handovers: Vec<JoinHandle<Output>>,
    counts: BTreeMap<&'static str, u32>,
}

impl<'a> Imposed<'a> {
    /// A mesh that has no trouble yet.
    pub(crate) fn on(mesh: &'a mut Mesh, links: &'a Links) -> Self {
        let (starts, killed) = (vec![0; mesh.nodes.len()], vec![false; mesh.nodes.len()]);
        Self {
            mesh,
            links,
            ends: BTreeMap::new(),
            link_faults: BTreeMap::new(),
            starts,
            killed,
            number: 0,
            handovers: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Imposes a fault.
    pub(crate) fn impose(&mut self, drawn: Drawn) {
        *self.counts.entry(name_of(drawn.kind)).or_default() += 1;
        self.number += 1;
        let end = match drawn.fault {
            Fault::Kill(nodes) => {
                for node in &nodes {
                    if self.runs(*node) {
                        self.mesh.nodes[*node].kill();
                        self.killed[*node] = true;
                    }
                }
                End::Start(nodes)
            }
            Fault::Pause(node) => {
                if !self.runs(node) {
                    return;
                }
                self.mesh.nodes[node].signal(Signal::Stop);
                End::Continue(node, self.starts[node])
            }
            Fault::Links(ways, faults) => {
                self.link_faults
                    .insert(self.number, LinkFault { ways, faults });
                self.renew_links();
                End::Links
            }
            Fault::Relinquish => return self.relinquish(),
        };
        let due = Instant::now() + drawn.lasting;
        self.ends.insert((due, self.number), end);
    }

    /// Takes back what is over by now, and says when something is over next.
    pub(crate) fn take_back_due(&mut self) -> Option<Instant> {
        loop {
            let (due, number) = *self.ends.first_key_value()?.0;
            if due > Instant::now() {
                return Some(due);
            }
            if let Some(end) = self.ends.remove(&(due, number)) {
                self.take_back(number, &end);
            }
        }
    }

    /// Takes everything back, and returns how often each kind of fault happened.
    pub(crate) fn heal(mut self) -> BTreeMap<&'static str, u32> {
        for ((_, number), end) in std::mem::take(&mut self.ends) {
            self.take_back(number, &end);
        }
        self.links.heal();
        for node in 0..self.mesh.nodes.len() {
            self.start(node);
        }
        for handover in self.handovers {
            // Whether it was carried out depends on the faults of the moment.
            handover.join().expect("the command was run");
        }
        self.counts
    }

    fn take_back(&mut self, number: u64, end: &End) {
        match end {
            End::Start(nodes) => nodes.iter().for_each(|node| self.start(*node)),
            End::Continue(node, starts) => {
                if self.starts[*node] == *starts && self.runs(*node) {
                    self.mesh.nodes[*node].signal(Signal::Continue);
                }
            }
            End::Links => {
                self.link_faults.remove(&number);
                self.renew_links();
            }
        }
    }

    fn start(&mut self, node: usize) {
        if !self.runs(node) {
            self.starts[node] += 1;
            self.killed[node] = false;
            self.mesh.nodes[node].start();
        }
    }

    /// Whether a node runs; one that does not must have been killed by us.
    fn runs(&mut self, node: usize) -> bool {
        let runs = self.mesh.nodes[node].is_running();
        assert!(runs || self.killed[node], "n{} ended by itself", node + 1);
        runs
    }

    fn renew_links(&self) {
        let nodes = self.mesh.nodes.len();
        for way in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
            let here = self
                .link_faults
                .values()
                .filter(|one| one.ways.contains(&way));
            let faults = here.fold(LinkFaults::default(), |all, one| all.with(one.faults));
            self.links.set(way.0, way.1, faults);
        }
    }

    fn relinquish(&mut self) {
        let mesh = self.mesh.dir().display().to_string();
        self.handovers.push(std::thread::spawn(move || {
            tetrarch([
                "channel",
                "relinquish",
                CHANNEL,
                "--timeout",
                "3",
                "--mesh",
                &mesh,
            ])
        }));
    }
}

/// How long a pause is that may be cut short by `due`.
pub(crate) fn until(due: Option<Instant>, next: Instant) -> Duration {
    due.map_or(next, |due| due.min(next))
        .saturating_duration_since(Instant::now())
}

const fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Kill => "nodes killed",
        Kind::KillAll => "whole meshes killed",
        Kind::Pause => "pauses",
        Kind::Degrade => "degraded links",
        Kind::CutOneWay => "one-way cuts",
        Kind::Isolate => "isolations",
        Kind::Bridge => "bridges",
        Kind::Relinquish => "handovers",
    }
}
