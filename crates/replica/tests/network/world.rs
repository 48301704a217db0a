//! Time, events and effects: everything that happens to the nodes, in one order.

use std::collections::BTreeMap;

use tetrarch_replica::{PersistToken, ReadTicket, Settings, Ticket};
use tetrarch_wire::{
    ChannelClass, ChannelConfig, ChannelUid, LogPosition, NodeId, Seq, StoreId, Voter,
};

use super::{
    chance::Dice,
    clients::{Asked, Client},
    disk::Disk,
    faults::Plan,
    invariants::Chronicle,
    links::{Links, Packet},
    node::Node,
    tally::Tally,
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const HEARTBEAT: u64 = 150 * MS;
pub(crate) const ELECTION_TIMEOUT: u64 = 600 * MS;

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Arrive {
        from: usize,
        to: usize,
        connection: u64,
        packet: Packet,
    },
    Written {
        node: usize,
        boot: u64,
        token: PersistToken,
    },
    Read {
        node: usize,
        boot: u64,
        ticket: ReadTicket,
        from: Seq,
        max_bytes: u32,
    },
    Tick {
        node: usize,
        boot: u64,
    },
    Beats {
        node: usize,
        boot: u64,
    },
    Flush {
        node: usize,
        boot: u64,
    },
    Client {
        client: usize,
    },
    Forgotten {
        client: usize,
        ticket: Ticket,
    },
    Housekeeping,
    Fault,
    Resume {
        node: usize,
    },
    Start {
        node: usize,
    },
    Lost {
        node: usize,
        peer: usize,
    },
    Found {
        node: usize,
        peer: usize,
    },
}

/// The whole.
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) order: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    pub(crate) dice: Dice,
    pub(crate) jitter: Dice,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Links,
    pub(crate) plan: Plan,
    pub(crate) chronicle: Chronicle,
    pub(crate) clients: Vec<Client>,
    pub(crate) asked: BTreeMap<Ticket, Asked>,
    pub(crate) reads: BTreeMap<Ticket, Seq>,
    pub(crate) last_ticket: u64,
    pub(crate) config: ChannelConfig,
    pub(crate) channel: ChannelUid,
    pub(crate) settings: Settings,
    pub(crate) tally: Tally,
    pub(crate) tell: bool,
}

impl World {
    pub(crate) fn new(seed: u64, tell: bool) -> Self {
        let mut dice = Dice::new(seed);
        let count = [3, 3, 3, 5, 5, 1, 2][dice.index(7)];
        let voters: Vec<Voter> = (1..=count)
            .map(|byte| Voter {
                node: NodeId::from_bytes([byte; 16]),
                store: StoreId::from_bytes([byte; 16]),
            })
            .collect();
        let config = ChannelConfig::genesis(ChannelClass::Quorum, voters).unwrap();
        let origin = LogPosition::origin(config.genesis_link());
        let ids = config.voters().iter().map(Voter::id);
        let nodes: Vec<Node> = ids.map(|id| Node::new(id, Disk::new(origin))).collect();
        let plan = Plan::new(&mut dice);
        let clients = (0..dice.index(4) + 1)
            .map(|index| Client::new(index, nodes.len(), &mut dice))
            .collect();
        let settings = plan.settings(&mut dice);
        let mut world = Self {
            now: MS,
            order: 0,
            queue: BTreeMap::new(),
            jitter: Dice::new(seed ^ 0xABCD),
            chronicle: Chronicle::new(nodes.len()),
            links: Links::new(nodes.len()),
            nodes,
            plan,
            clients,
            asked: BTreeMap::new(),
            reads: BTreeMap::new(),
            last_ticket: 0,
            channel: ChannelUid::derive("test", &[0; 16]),
            config,
            settings,
            tally: Tally::default(),
            tell,
            dice,
        };
        world.begin();
        world
    }

    pub(crate) fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let delay = self.dice.below(50) * MS;
            self.at(delay, Event::Start { node });
        }
        for client in 0..self.clients.len() {
            self.at(MS, Event::Client { client });
        }
        self.at(300 * MS, Event::Fault);
        self.at(100 * MS, Event::Housekeeping);
    }

    pub(crate) fn at(&mut self, delay: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), event);
    }

    pub(crate) fn tell(&self, text: impl FnOnce() -> String) {
        if self.tell {
            println!("{:>9.3} ms  {}", self.now as f64 / MS as f64, text());
        }
    }

    /// Runs with faults.
    pub(crate) fn chaos(&mut self) {
        let end = self.now + self.plan.duration;
        self.run_until(end);
    }

    /// Stops the faults, and demands progress and agreement (I27, I9).
    pub(crate) fn heal(&mut self) {
        self.plan.stop();
        self.links.heal();
        for a in 0..self.nodes.len() {
            self.nodes[a].disk.full = false;
            self.nodes[a].slowness = 2;
            if self.nodes[a].paused_since.is_some() {
                self.at(0, Event::Resume { node: a });
            }
            if !self.nodes[a].is_running() {
                self.at(0, Event::Start { node: a });
            }
            for b in 0..a {
                self.reconnect(a, b);
            }
        }
        let before = self.tally.acked;
        self.run_until(self.now + 10 * ELECTION_TIMEOUT);
        assert!(
            self.tally.acked > before,
            "I27: nothing was acknowledged within ten election timeouts after the heal"
        );
        self.clients.clear();
        let patience = self.now + 200 * ELECTION_TIMEOUT;
        while self.now < patience && !self.chronicle.all_caught_up(&self.nodes) {
            self.run_until(self.now + ELECTION_TIMEOUT);
        }
        self.chronicle
            .i9_everything_acknowledged_is_everywhere(&self.nodes);
    }

    pub(crate) fn tally(self) -> Tally {
        self.tally
    }

    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            self.now = entry.key().0;
            let event = entry.remove();
            self.happen(event);
        }
        self.now = end;
    }
}
