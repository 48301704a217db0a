//! What clients and operators ask for, and what they are told.

use tetrarch_replica::{Input, Proposal, Ticket};
use tetrarch_wire::{Seq, frame::ProduceOutcome};

use super::{
    clients,
    world::{Event, MS, World},
};

impl World {
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    pub(crate) fn client_acts(&mut self, client: usize) {
        if self
            .clients
            .get(client)
            .is_none_or(|c| c.waiting_for.is_some())
        {
            return;
        }
        let ticket = self.ticket();
        let (request, asked) = self.clients[client].request(client, ticket, &mut self.dice);
        self.asked.insert(ticket, asked);
        self.at(700 * MS, Event::Forgotten { client, ticket });
        let node = self.clients[client].node;
        if self.dice.permille(100) {
            self.look(node);
        }
        self.step(node, Input::Produce(request));
    }

    pub(crate) fn look(&mut self, node: usize) {
        let ticket = self.ticket();
        self.reads.insert(ticket, self.chronicle.highest_acked());
        self.step(node, Input::ReadIndex { ticket });
    }

    pub(crate) fn replied(&mut self, node: usize, ticket: Ticket, outcome: ProduceOutcome) {
        let Some(asked) = self.asked.remove(&ticket) else {
            panic!("{ticket:?} was answered twice or never asked");
        };
        let Some(client) = self.clients.get_mut(asked.client) else {
            return;
        };
        let wait = match &outcome {
            ProduceOutcome::Appended { runs, epoch, .. } => {
                self.tally.acked += 1;
                self.tally.duplicates += runs.iter().filter(|run| run.duplicate).count() as u64;
                let placed = client.answered(asked, runs);
                self.chronicle.acknowledged(asked.client, &placed);
                self.chronicle
                    .i8_durable_on_a_majority(&self.nodes, asked.client, &placed);
                self.chronicle
                    .i12_no_ack_under_a_known_higher_epoch(&self.nodes[node], *epoch);
                client.node = node;
                12
            }
            ProduceOutcome::OutOfOrder { expected } => {
                assert!(
                    expected.get() >= client.next,
                    "acknowledged events are unknown: {expected:?} < {}",
                    client.next
                );
                5
            }
            other => {
                if *other == ProduceOutcome::Indeterminate {
                    self.tally.indeterminate += 1;
                }
                client.node = self.dice.index(self.nodes.len());
                clients::wait_after(other)
            }
        };
        if client.waiting_for == Some(ticket) {
            client.waiting_for = None;
            let client = asked.client;
            let wait = self.dice.below(wait * MS) + 1;
            self.at(wait, Event::Client { client });
        }
    }

    pub(crate) fn housekeeping(&mut self) {
        self.at(100 * MS, Event::Housekeeping);
        let node = self.dice.index(self.nodes.len());
        if self.dice.permille(self.plan.transfers) {
            let ticket = self.ticket();
            let to = self.dice.index(self.nodes.len());
            let to = self.dice.permille(500).then(|| self.nodes[to].id);
            let forced = self.dice.permille(100);
            self.step(node, Input::Transfer { ticket, to, forced });
        }
        if self.dice.permille(self.plan.trims) {
            let upto = Seq::new(self.dice.below(self.nodes[node].commit.get() + 1));
            let proposal = Proposal::Trim { upto };
            self.step(node, Input::Propose(proposal));
        }
        if self.dice.permille(100)
            && let Some(replica) = &self.nodes[node].replica
        {
            let snapshot = replica.producer_snapshot();
            if snapshot.0 <= self.nodes[node].disk.tail().seq
                && snapshot.0 >= self.nodes[node].disk.start.seq
            {
                self.nodes[node].disk.snapshot = Some(snapshot);
            }
        }
    }
}
