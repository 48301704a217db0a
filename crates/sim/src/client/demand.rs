//! What clients and operators ask for, and what they are told.

use tetrarch_replica::{Input, Proposal, Ticket};
use tetrarch_wire::{ReplicaRole, Seq, frame::ProduceOutcome};

use super::producer;
use crate::check::available;
use crate::world::{ChannelIndex, Event, MS, World};

/// After how long a producer asks somebody else, in milliseconds.
const PATIENCE: u64 = 700;

impl World {
    pub(crate) fn produce(&mut self, index: usize) {
        let Some(one) = self.producers.get(index) else {
            return;
        };
        if one.waiting_for.is_some() || self.channels[one.channel].is_deleted {
            return;
        }
        let channel = one.channel;
        let node = match one.node {
            Some(node) => node,
            None => self.any_holder(channel),
        };
        let ticket = self.ticket();
        let one = &mut self.producers[index];
        one.node = Some(node);
        let (request, asked) = one.request(index, ticket, &mut self.dice);
        self.asked.insert(ticket, asked);
        // Nobody is there, or it does not have the channel: that is known soon.
        let answers = self.member(node, channel).is_some();
        let patience = if answers { PATIENCE } else { 20 };
        self.at(
            patience * MS,
            Event::GiveUp {
                producer: index,
                ticket,
            },
        );
        if self.nodes[node].paused_since.is_some() {
            return;
        }
        if self.dice.permille(100) {
            self.ask_index(node, channel);
        }
        self.step(node, channel, Input::Produce(request));
    }

    pub(crate) fn ask_index(&mut self, node: usize, channel: ChannelIndex) {
        // Which leader of an `available` channel would be asked?
        if self.nodes[node].paused_since.is_some() || self.channels[channel].is_available() {
            return;
        }
        let ticket = self.ticket();
        let at_least = self.chronicle.highest_acknowledged(channel);
        self.looking.insert(ticket, (channel, at_least));
        self.step(node, channel, Input::ReadIndex { ticket });
    }

    /// Another node that believes to lead.
    fn other_leader(&self, node: usize, channel: ChannelIndex) -> Option<usize> {
        let mut others = (0..self.nodes.len()).filter(|other| *other != node);
        others.find(|other| {
            let member = self.member(*other, channel);
            member.is_some_and(|(_, member)| member.role == ReplicaRole::Leader)
        })
    }

    pub(crate) fn give_up(&mut self, producer: usize, ticket: Ticket) {
        let waits = self
            .producers
            .get(producer)
            .is_some_and(|one| one.waiting_for == Some(ticket));
        if waits {
            if let Some(asked) = self.asked.get(&ticket) {
                self.producers[producer].leaves_open(*asked);
            }
            self.producers[producer].node = None;
            self.producers[producer].waiting_for = None;
            self.at(0, Event::Produce { producer });
        }
    }

    pub(crate) fn replied(&mut self, node: usize, ticket: Ticket, outcome: &ProduceOutcome) {
        let Some(asked) = self.asked.remove(&ticket) else {
            panic!("{ticket:?} was answered twice or never asked");
        };
        let is_available = self.channels[asked.channel].is_available();
        let deposed = match outcome {
            ProduceOutcome::Appended { .. } if !is_available => {
                self.other_leader(node, asked.channel)
            }
            _ => None,
        };
        let Some(one) = self.producers.get_mut(asked.producer) else {
            return;
        };
        let wait = match outcome {
            ProduceOutcome::Appended {
                runs,
                epoch,
                copies,
                ..
            } => {
                self.tally.acknowledged += asked.count;
                for _ in runs.iter().filter(|run| run.duplicate) {
                    self.tally.count("duplicates");
                }
                let placed = one.answered(asked, runs, is_available);
                // Whoever goes on believing to lead must not be believed.
                one.node = deposed.or(Some(node));
                self.chronicle.acknowledged(asked, &placed);
                if is_available {
                    let told = (node, *copies);
                    available::i15_durable_on_so_many(&self.nodes, asked.channel, told, &placed);
                } else {
                    self.chronicle.i8_durable_on_a_majority(
                        &self.nodes,
                        &self.damaged,
                        asked,
                        &placed,
                    );
                }
                if !is_available && let Some(expected) = &self.nodes[node].expected[asked.channel] {
                    self.chronicle
                        .i12_fencing(node, asked.channel, expected, *epoch);
                }
                match deposed {
                    Some(node) => {
                        self.tally.count("deposed leaders asked");
                        let channel = asked.channel;
                        self.at(0, Event::AskIndex { node, channel });
                        1
                    }
                    None => self.swarm.pace,
                }
            }
            ProduceOutcome::OutOfOrder { expected } => {
                assert!(
                    is_available || expected.get() >= one.next,
                    "I14: acknowledged events are unknown: {expected:?} < {}",
                    one.next
                );
                5
            }
            other => {
                if *other == ProduceOutcome::Indeterminate {
                    self.tally.count("indeterminate answers");
                    one.leaves_open(asked);
                }
                one.node = None;
                producer::wait_after(other)
            }
        };
        let one = &mut self.producers[asked.producer];
        if one.waiting_for == Some(ticket) {
            one.waiting_for = None;
            let wait = self.dice.below(2 * wait * MS) + 1;
            self.at(
                wait,
                Event::Produce {
                    producer: asked.producer,
                },
            );
        }
    }

    /// What operators and the node's own tasks do from time to time.
    pub(crate) fn operate(&mut self) {
        self.at(100 * MS, Event::Operate);
        let channel = self.dice.index(self.channels.len());
        let node = self.any_holder(channel);
        if self.nodes[node].paused_since.is_some() {
            return;
        }
        if self.dice.permille(self.swarm.transfers) {
            let ticket = self.ticket();
            let to = self.any_holder(channel);
            let to = self.dice.permille(500).then(|| self.nodes[to].voter);
            let forced = self.dice.permille(100);
            self.step(node, channel, Input::Transfer { ticket, to, forced });
        }
        if self.dice.permille(self.swarm.trims) {
            let commit = self.member(node, channel).map(|(_, member)| member.commit);
            let upto = Seq::new(self.dice.below(commit.map_or(0, Seq::get) + 1));
            self.step(node, channel, Input::Propose(Proposal::Trim { upto }));
        }
        if self.dice.permille(self.swarm.trims.max(self.swarm.moves)) {
            self.save_snapshot(node, channel);
        }
        if self.dice.permille(self.swarm.moves) {
            self.move_somewhere(channel);
        }
    }
}
