//! Time, the order of events, and everything that exists in a run.

use std::collections::{BTreeMap, BTreeSet};

use tetrarch_replica::{
    PersistToken, ReadTicket, Settings, Ticket,
    beat::{ChannelFact, Repeat},
};
use tetrarch_wire::{
    Batch, ChannelClass, ChannelConfig, ChannelUid, ForkId, MinCopies, Seq, Voter,
};

use crate::{
    check::Chronicle,
    client::{Asked, Consumer, Producer},
    dice::Dice,
    network::{Network, Packet},
    node::{Node, SimCatalog},
    swarm::{Limits, Swarm},
    tally::Tally,
    trace::Trace,
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const HEARTBEAT: u64 = 150 * MS;
pub(crate) const ELECTION_TIMEOUT: u64 = 600 * MS;

/// More events at the same time are a loop that does not end.
const MOST_AT_ONCE: u64 = 1_000_000;

/// For how many times ten election timeouts a replica may go on catching up before its channel
/// acknowledges.
const MOST_ROUNDS: usize = 60;

/// Which of the run's channels.
pub(crate) type ChannelIndex = usize;

/// A channel, as it was created.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) uid: ChannelUid,
    pub(crate) genesis: ChannelConfig,
    /// The node that is to lead first.
    pub(crate) first: usize,
    /// The nodes that hold it, or are to.
    pub(crate) holders: Vec<usize>,
    /// Those of them that know of it.
    pub(crate) known_to: BTreeSet<usize>,
    /// Nodes that found it damaged.
    pub(crate) given_up_by: BTreeSet<usize>,
    pub(crate) is_created: bool,
    pub(crate) is_deleted: bool,
}

impl Channel {
    pub(crate) fn is_available(&self) -> bool {
        match self.genesis.class {
            ChannelClass::Quorum => false,
            ChannelClass::Available(_) => true,
        }
    }
}

/// Something that will happen. What concerns a process of a node names its start, because the next
/// start knows nothing of it.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Arrive {
        from: usize,
        to: usize,
        connection: u64,
        /// Boxed, because events are moved about in the queue.
        packet: Box<Packet>,
    },
    GroupWritten {
        node: usize,
        start: u64,
    },
    /// A write was not taken, because an earlier one failed.
    NotWritten {
        node: usize,
        start: u64,
        channel: ChannelIndex,
        token: PersistToken,
    },
    FlusherRuns {
        node: usize,
        start: u64,
    },
    LogRead {
        node: usize,
        start: u64,
        channel: ChannelIndex,
        ticket: ReadTicket,
        /// Of this fork; else of the log.
        source: Option<ForkId>,
        from: Seq,
        max_bytes: u32,
    },
    /// A replica is told whether a snapshot is kept.
    SnapshotSaved {
        node: usize,
        start: u64,
        channel: ChannelIndex,
        save: u64,
        worked: bool,
    },
    /// The flusher comes to a damaged segment.
    Mend {
        node: usize,
        start: u64,
        channel: ChannelIndex,
        segment: Seq,
        batches: Vec<Batch>,
    },
    /// The flusher goes on with the first log whose end is to be sealed.
    Seal {
        node: usize,
        start: u64,
    },
    Timer {
        node: usize,
        start: u64,
    },
    BeatTick {
        node: usize,
        start: u64,
    },
    BeatFlush {
        node: usize,
        start: u64,
    },
    /// Beats have said something of channels.
    Heard {
        node: usize,
        start: u64,
        facts: (Vec<ChannelFact>, Vec<Repeat>),
    },
    Settle {
        node: usize,
        start: u64,
    },
    LookAtDisk {
        node: usize,
        start: u64,
    },
    PeerLost {
        node: usize,
        start: u64,
        peer: usize,
    },
    PeerFound {
        node: usize,
        start: u64,
        peer: usize,
    },
    Produce {
        producer: usize,
    },
    GiveUp {
        producer: usize,
        ticket: Ticket,
    },
    Consume {
        consumer: usize,
    },
    /// Somebody asks this node up to where a linearizable read may go.
    AskIndex {
        node: usize,
        channel: ChannelIndex,
    },
    Operate,
    /// A channel is in the catalog.
    Created {
        channel: ChannelIndex,
    },
    /// A channel is not in the catalog any more.
    Deleted {
        channel: ChannelIndex,
    },
    /// A leader says that what the catalog wants is carried out.
    Placed {
        channel: ChannelIndex,
        version: u64,
    },
    /// A node reads in the catalog what has become of a channel.
    HearsOf {
        node: usize,
        channel: ChannelIndex,
    },
    Fault,
    /// Trouble has followed a leader that was elected.
    Hunt {
        node: usize,
        channel: ChannelIndex,
    },
    Resume {
        node: usize,
    },
    /// Nothing has got through for so long that the connection is given up.
    TimeOut {
        from: usize,
        to: usize,
        connection: u64,
    },
    /// The time for handing over is up.
    Close {
        node: usize,
        start: u64,
    },
    Start {
        node: usize,
    },
}

impl Event {
    /// The node whose process it concerns: while that stands still, it waits.
    pub(crate) const fn process(&self) -> Option<usize> {
        match self {
            Self::Arrive { to, .. } => Some(*to),
            Self::GroupWritten { node, .. }
            | Self::NotWritten { node, .. }
            | Self::FlusherRuns { node, .. }
            | Self::LogRead { node, .. }
            | Self::SnapshotSaved { node, .. }
            | Self::Mend { node, .. }
            | Self::Seal { node, .. }
            | Self::Timer { node, .. }
            | Self::BeatTick { node, .. }
            | Self::BeatFlush { node, .. }
            | Self::Heard { node, .. }
            | Self::Settle { node, .. }
            | Self::LookAtDisk { node, .. }
            | Self::Close { node, .. }
            | Self::PeerLost { node, .. }
            | Self::PeerFound { node, .. } => Some(*node),
            Self::Produce { .. }
            | Self::GiveUp { .. }
            | Self::Consume { .. }
            | Self::AskIndex { .. }
            | Self::Operate
            | Self::Created { .. }
            | Self::Deleted { .. }
            | Self::Placed { .. }
            | Self::HearsOf { .. }
            | Self::Fault
            | Self::Hunt { .. }
            | Self::Resume { .. }
            | Self::TimeOut { .. }
            | Self::Start { .. } => None,
        }
    }
}

/// The whole.
pub(crate) struct World {
    /// Nanoseconds since the run began.
    pub(crate) now: u64,
    order: u64,
    /// Events that have happened since time has moved.
    at_once: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(crate) dice: Dice,
    /// What the shipped code draws from.
    pub(crate) jitter: Dice,
    pub(crate) swarm: Swarm,
    pub(crate) settings: Settings,
    pub(crate) channels: Vec<Channel>,
    pub(crate) catalog: SimCatalog,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) producers: Vec<Producer>,
    pub(crate) consumers: Vec<Consumer>,
    pub(crate) asked: BTreeMap<Ticket, Asked>,
    /// Linearizable reads on their way: the channel, and what they must see.
    pub(crate) looking: BTreeMap<Ticket, (ChannelIndex, Seq)>,
    last_ticket: u64,
    /// Nodes whose disks have been damaged.
    pub(crate) damaged: BTreeSet<usize>,
    /// Nodes whose stores have failed in this step.
    pub(crate) store_failed: BTreeSet<usize>,
    pub(crate) chronicle: Chronicle,
    pub(crate) tally: Tally,
    pub(crate) trace: Trace,
}

impl World {
    /// The world of a seed.
    pub(crate) fn new(seed: u64, limits: &Limits, trace: Trace) -> Self {
        let mut dice = Dice::new(seed);
        let mut swarm = Swarm::draw(&mut dice, limits);
        // Of its own, so that the others stay what they were.
        swarm.draw_moves(&mut Dice::new(seed ^ 0x4D0E));
        let mut classes = Dice::new(seed ^ 0xC1A5);
        swarm.draw_classes(&mut classes);
        let settings = swarm.settings(&mut dice);
        let voters: Vec<Voter> = (0..swarm.nodes).map(Node::voter).collect();
        let channels: Vec<Channel> = (0..swarm.channels)
            .map(|index| {
                let class = class(&swarm, &mut classes);
                channel(index, class, &voters, &mut dice)
            })
            .collect();
        let nodes = (0..swarm.nodes)
            .map(|index| Node::format(index, &channels, &swarm, &mut dice))
            .collect();
        let producers = (0..swarm.producers)
            .map(|index| Producer::draw(index, channels.len(), &mut dice))
            .collect();
        let consumers = (0..swarm.consumers)
            .map(|_| Consumer::new(dice.index(channels.len())))
            .collect();
        let mut world = Self {
            now: MS,
            order: 0,
            at_once: 0,
            queue: BTreeMap::new(),
            jitter: Dice::new(seed ^ 0xABCD),
            chronicle: Chronicle::new(swarm.nodes, &channels),
            network: Network::new(swarm.nodes),
            swarm,
            settings,
            catalog: SimCatalog::new(&channels),
            channels,
            nodes,
            producers,
            consumers,
            asked: BTreeMap::new(),
            looking: BTreeMap::new(),
            last_ticket: 0,
            damaged: BTreeSet::new(),
            store_failed: BTreeSet::new(),
            tally: Tally::default(),
            trace,
            dice,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            let delay = self.dice.below(50) * MS;
            self.at(delay, Event::Start { node });
        }
        for producer in 0..self.producers.len() {
            self.at(MS, Event::Produce { producer });
        }
        for consumer in 0..self.consumers.len() {
            self.at(MS, Event::Consume { consumer });
        }
        self.plan_births_and_deaths();
        self.at(300 * MS, Event::Fault);
        self.at(100 * MS, Event::Operate);
    }

    /// Lets something happen after a while.
    pub(crate) fn at(&mut self, delay: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), event);
    }

    /// A number for a request.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// The channel with this id.
    pub(crate) fn index_of(&self, uid: ChannelUid) -> ChannelIndex {
        let index = self.channels.iter().position(|channel| channel.uid == uid);
        index.unwrap_or_else(|| panic!("I28: nobody created {uid}"))
    }

    /// A node that holds the channel.
    pub(crate) fn any_holder(&mut self, channel: ChannelIndex) -> usize {
        let holders = &self.channels[channel].holders;
        holders[self.dice.index(holders.len())]
    }

    /// Runs with faults; safety is checked after every step.
    pub(crate) fn chaos(&mut self) {
        let end = self.now + self.swarm.duration;
        self.run_until(end);
    }

    /// Stops the faults, and demands progress and agreement (I27, I9).
    pub(crate) fn heal(&mut self) {
        self.swarm.stop();
        self.leave_a_core();
        self.i27_every_channel_acknowledges();
        self.stop_faults();
        self.i27_every_channel_acknowledges();
        self.producers.clear();
        // Small windows make a long log slow to catch up with; standing still is what is wrong.
        let (mut moved, mut furthest) = (self.now, self.durable_everywhere());
        while !self.is_whole_everywhere() && self.now < moved + 50 * ELECTION_TIMEOUT {
            self.run_until(self.now + ELECTION_TIMEOUT);
            let durable = self.durable_everywhere();
            if is_further(&durable, &furthest) {
                moved = self.now;
            }
            for (most, now) in furthest.iter_mut().zip(durable) {
                *most = now.max(*most);
            }
        }
        self.i27_every_move_is_carried_out();
        self.chronicle.i9_everything_acknowledged_is_everywhere(
            &self.nodes,
            &self.channels,
            &self.damaged,
        );
        self.i21_only_what_is_halted_is_in_limbo();
        for node in 0..self.nodes.len() {
            for channel in self.held_by(node) {
                self.i14_knows_what_everybody_knows(node, channel);
            }
        }
        self.tally.nanoseconds += self.now;
    }

    /// Whether everybody has everything, as far as a look at all bytes can tell. A file that is gone can be
    /// read as long as it is open: it is looked for twice, because few are open at a time.
    fn is_whole_everywhere(&self) -> bool {
        if (0..self.channels.len()).any(|channel| !self.is_placed(channel)) {
            return false;
        }
        self.look_for_damage();
        self.look_for_damage();
        self.chronicle
            .all_caught_up(&self.nodes, &self.channels, &self.damaged)
    }

    /// I27: each channel acknowledges again within ten election timeouts. Where another disk is
    /// gone, that may take a replica that lags far behind: then it must come nearer all the time.
    fn i27_every_channel_acknowledges(&mut self) {
        let before = self.chronicle.acknowledged_by_channel();
        let mut wanted: Vec<ChannelIndex> = self.producers.iter().map(|one| one.channel).collect();
        wanted.retain(|channel| !self.channels[*channel].is_deleted);
        wanted.sort_unstable();
        wanted.dedup();
        // Who has withdrawn from a full disk comes back when there has been room for a while.
        self.run_until(self.now + self.swarm.dwell_ns() + 2 * ELECTION_TIMEOUT);
        for _ in 0..MOST_ROUNDS {
            let durable: Vec<Vec<u64>> = wanted.iter().map(|c| self.durable_of(*c)).collect();
            self.run_until(self.now + 10 * ELECTION_TIMEOUT);
            let after = self.chronicle.acknowledged_by_channel();
            let stalled = wanted.iter().zip(durable).find(|(channel, durable)| {
                after[**channel] <= before[**channel]
                    && !is_further(&self.durable_of(**channel), durable)
            });
            if let Some((channel, _)) = stalled {
                panic!(
                    "I27: nothing of channel {channel} was acknowledged within ten election \
                     timeouts after the heal"
                );
            }
            wanted.retain(|channel| after[*channel] <= before[*channel]);
            if wanted.is_empty() {
                return;
            }
        }
        panic!("I27: channels {wanted:?} only ever catch up");
    }

    /// How far each node has a channel durably; one that does not hold it has nothing.
    fn durable_of(&self, channel: ChannelIndex) -> Vec<u64> {
        let disks = self.nodes.iter().map(|node| &node.expected[channel]);
        disks
            .map(|disk| disk.as_ref().map_or(0, |disk| disk.tail().seq.get()))
            .collect()
    }

    /// The same of all channels.
    fn durable_everywhere(&self) -> Vec<u64> {
        (0..self.channels.len())
            .flat_map(|channel| self.durable_of(channel))
            .collect()
    }

    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            if entry.key().0 > self.now {
                self.now = entry.key().0;
                self.at_once = 0;
            }
            self.at_once += 1;
            assert!(self.at_once < MOST_AT_ONCE, "I24: time stands still");
            let event = entry.remove();
            self.tally.events += 1;
            self.happen(event);
        }
        self.now = end;
    }
}

/// Whether some log has got further. Their sum does not tell: it falls when a node lets go of a channel that
/// was moved, and what comes to other nodes meanwhile would look like standing still.
fn is_further(now: &[u64], before: &[u64]) -> bool {
    now.iter().zip(before).any(|(now, before)| now > before)
}

/// With no more copies than there are nodes. A channel has fewer holders only if there are more than three.
fn class(swarm: &Swarm, dice: &mut Dice) -> ChannelClass {
    if !dice.permille(swarm.available) {
        return ChannelClass::Quorum;
    }
    let copies = dice.pick(&[1, 1, 2]).min(swarm.nodes);
    let copies = u8::try_from(copies).expect("two at most");
    ChannelClass::Available(MinCopies::new(copies).expect("so few are allowed"))
}

fn channel(index: usize, class: ChannelClass, voters: &[Voter], dice: &mut Dice) -> Channel {
    let mut holders: Vec<usize> = (0..voters.len()).collect();
    // Some channels live on a part of the nodes.
    if voters.len() > 3 && dice.permille(500) {
        while holders.len() > 3 {
            holders.remove(dice.index(holders.len()));
        }
    }
    let members = holders.iter().map(|node| voters[*node]).collect();
    let genesis =
        ChannelConfig::genesis(class, members).expect("a few distinct voters are a configuration");
    Channel {
        uid: ChannelUid::derive(&format!("c{index}"), &[0; 16]),
        genesis,
        first: holders[0],
        known_to: holders.iter().copied().collect(),
        given_up_by: BTreeSet::new(),
        holders,
        is_created: true,
        is_deleted: false,
    }
}
