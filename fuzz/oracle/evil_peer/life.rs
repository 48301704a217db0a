//! A life of the honest replica among liars: what happens next is read off the fuzzer's bytes.

use std::{collections::BTreeMap, time::Duration};

use tetrarch_replica::{Effect, Input, MendOutcome, Proposal, Ticket};
use tetrarch_wire::{
    Epoch, Seq,
    frame::{ChannelMessage, DiskLevel},
};

use super::{
    Cursor,
    cast::Cast,
    forgery::Forgery,
    lies::{Liars, Overheard, Wants},
    node::Node,
    past::past,
    tally::{Tally, name_of},
    trace,
    witness::{Witness, log::check_read},
};

/// One life.
pub(crate) struct Life<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) cast: Cast,
    pub(super) node: Node,
    pub(super) forgery: Forgery,
    pub(super) witness: Witness,
    pub(super) known: Overheard,
    /// What a committed trim point allows to go.
    pub(super) may_go: Seq,
    /// The segment that the store is to mend.
    mending: Option<Seq>,
    pub(super) tickets: u64,
    /// The number that comes next for each producer.
    pub(super) produced: BTreeMap<u8, u64>,
    pub(crate) tally: Tally,
}

impl<'a> Life<'a> {
    pub(crate) fn begin(bytes: &'a [u8]) -> Self {
        let mut cursor = Cursor::new(bytes);
        let cast = Cast::choose(&mut cursor);
        let disk = past(&cast, &mut cursor);
        let witness = Witness::new(&cast, &disk);
        let seed = u64::from(cursor.byte());
        let node = Node::start(&cast, disk, Duration::from_secs(1), seed);
        Self {
            cursor,
            cast,
            node,
            forgery: Forgery::default(),
            witness,
            known: Overheard::default(),
            may_go: Seq::ZERO,
            mending: None,
            tickets: 0,
            produced: BTreeMap::new(),
            tally: Tally::new(),
        }
    }

    /// Lives until the bytes end.
    pub(crate) fn live(&mut self) {
        self.give(Input::Select);
        while !self.cursor.is_empty() {
            if self.node.is_full() {
                self.finish_write(None);
            }
            self.next();
        }
        // Whatever is under way comes to an end, and every request is answered.
        self.give(Input::Deselect);
        while self.node.is_writing() {
            self.finish_write(None);
        }
    }

    fn next(&mut self) {
        if self.node.replica.view().halted.is_some() && self.cursor.happens(64) {
            return self.restart();
        }
        match self.cursor.byte() {
            0..=104 => self.somebody_lies(),
            105..=144 => self.finish_write(None),
            145..=149 => self.fail_write(),
            150..=172 => self.wait(),
            173..=180 => self.voters_vote(),
            181..=188 => self.followers_follow(),
            189..=204 => self.produce(),
            205..=212 => self.give(Input::Flush),
            213..=215 => {
                let ticket = self.ticket();
                self.give(Input::ReadIndex { ticket });
            }
            216..=220 => self.beat_acked(),
            221..=226 => self.leader_heard(),
            227..=228 => {
                let epoch = self.known.follows.unwrap_or(Epoch::NONE);
                self.give(Input::LeaderWithdrew { epoch });
            }
            229..=230 => {
                let upto = Seq::new(self.cursor.number());
                self.give(Input::Propose(Proposal::Trim { upto }));
            }
            231..=232 => self.transfer(),
            233..=235 => {
                let peer = self.cast.somebody(&mut self.cursor);
                let is_there = self.cursor.happens(128);
                self.give(if is_there {
                    Input::PeerFound { peer }
                } else {
                    Input::PeerLost { peer }
                });
            }
            236..=241 => {
                if let Some(input) = self.node.finish_read() {
                    self.give(input);
                }
            }
            242..=244 => self.trim(),
            245..=247 => self.placed(),
            248..=249 => self.restart(),
            250 => {
                let level = match self.cursor.below(4) {
                    0 => DiskLevel::Green,
                    1 => DiskLevel::Low,
                    2 => DiskLevel::Critical,
                    _ => DiskLevel::Full,
                };
                self.give(Input::DiskLevel(level));
            }
            251 => self.damage(),
            252..=255 => {
                let back = self.cursor.below(8) as u64;
                let from = Seq::new(self.known.commit.get().saturating_sub(back).max(1));
                if check_read(&self.witness, &self.node, from) {
                    self.count("committed reads");
                }
            }
        }
    }

    /// Bytes of the log are damaged, or the store says what it made of the batches for them.
    fn damage(&mut self) {
        let number = self.cursor.number();
        if let Some(segment) = self.mending.take() {
            let after = Seq::new(number);
            let upto = Seq::new(number.saturating_add(9));
            let outcome = match self.cursor.below(4) {
                0 => MendOutcome::Done,
                1 => MendOutcome::Contradicted,
                2 => MendOutcome::Failed,
                _ => MendOutcome::Lacks { after, upto },
            };
            self.give(Input::Mended { segment, outcome });
        } else if self.cursor.happens(32) {
            self.give(Input::Corrupt);
        } else {
            let segment = Seq::new(number);
            self.give(Input::Damaged { segment });
        }
    }

    /// Gives the replica one input, under the eyes of the witness.
    pub(super) fn give(&mut self, input: Input) {
        trace::say(|| format!("> {input:?}"));
        self.witness.hears(&input, self.node.moment());
        for effect in self.node.step(input) {
            trace::say(|| format!("    {effect:?}"));
            self.witness.sees(&effect, &self.node);
            self.carry_out(effect);
        }
        self.witness.settles(&self.node);
        self.overhear();
    }

    fn carry_out(&mut self, effect: Effect) {
        if let Some(what) = name_of(&effect, self.known.leads.is_some()) {
            self.count(what);
        }
        match effect {
            Effect::Persist {
                token,
                failures,
                writes,
            } => self.node.issue(token, failures, writes),
            Effect::ReadLog {
                ticket,
                from,
                max_bytes,
            } => self.node.read_later(ticket, from, max_bytes),
            Effect::Trim { upto } => self.may_go = self.may_go.max(upto),
            Effect::Send { epoch, message, .. } => self.overhear_message(epoch, &message),
            Effect::Mend { segment, .. } => self.mending = Some(segment),
            Effect::SaveSnapshot { .. } => panic!("nobody can have given it a snapshot"),
            Effect::Seal { .. }
            | Effect::ReadFork { .. }
            | Effect::DropFork { .. }
            | Effect::ForkCollected { .. }
            | Effect::Diverged { .. } => panic!("a channel of the class quorum has no forks"),
            Effect::Reply { .. }
            | Effect::ReadIndexReady { .. }
            | Effect::AdminDone { .. }
            | Effect::RoleChanged(_)
            | Effect::TransitionRejected(_)
            | Effect::Committed { .. }
            | Effect::Placed { .. }
            | Effect::Deleted
            | Effect::BeatNow
            | Effect::Halted(_) => {}
        }
    }

    fn overhear(&mut self) {
        let view = self.node.replica.view();
        let leads = self.node.replica.leader_row().map(|row| row.epoch);
        let follows = view.leader.filter(|_| leads.is_none());
        self.known = Overheard {
            seen: view.epoch_seen.n,
            leads,
            follows: follows.map(|leader| Epoch::new(view.epoch_seen.n, leader)),
            commit: view.commit,
            ..self.known
        };
    }

    fn overhear_message(&mut self, epoch: Epoch, message: &ChannelMessage) {
        match message {
            ChannelMessage::VoteRequest(request) => self.known.round = Some((request.kind, epoch)),
            ChannelMessage::FindPoint(find) => {
                self.known.request = find.request;
                self.known.wants = Wants::Point;
            }
            ChannelMessage::SyncRequest(pull) => {
                self.known.request = pull.request;
                self.known.wants = Wants::Batches;
            }
            ChannelMessage::RepairRequest(repair) => self.known.request = repair.request,
            ChannelMessage::SnapshotRequest(ask) => {
                self.known.request = ask.request;
                self.known.wants = Wants::Snapshot;
            }
            _ => {}
        }
    }

    fn somebody_lies(&mut self) {
        let mut liars = Liars {
            cast: &self.cast,
            log: &self.witness.log,
            forgery: &mut self.forgery,
            known: self.known,
        };
        let (from, epoch, message) = liars.say(&mut self.cursor);
        let input = Input::Message {
            from,
            epoch,
            message,
        };
        self.give_from(from, input);
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }
}
