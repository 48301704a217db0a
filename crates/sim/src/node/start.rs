//! Starts and ends of processes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tetrarch_log::{CrashDisk, GroupQueue, OpenedStore, RecoveredChannel, WriteOp};
use tetrarch_replica::{
    DiskGauge, Input, LogWrite, Recovered, Replica, Settings,
    beat::{BeatHub, BeatSettings},
    shard::Shard,
};
use tetrarch_wire::{HardState, LogPosition, ReplicaRole, Seq};

use super::mending::can_be_read;
use super::{KEEPER, Member, Origin, Process};
use crate::check::{Expected, available};
use crate::timeline::Mark;
use crate::world::{ChannelIndex, Event, HEARTBEAT, MS, World};

/// Most bytes of requests that wait for the write-ahead log.
const QUEUE_BYTES: usize = 1 << 24;

impl World {
    /// A node starts with what its disk holds.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].is_running() {
            return;
        }
        let power_ends = self.nodes[node].power_ends_in_start();
        let opened = self.nodes[node].open();
        if self.nodes[node].disk.steps() >= power_ends {
            return self.power_ended_in_start(node);
        }
        self.nodes[node].disk.cut_power_at(u64::MAX);
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) if self.is_damaged(node) || self.nodes[node].may_refuse(error.failure()) => {
                self.tally.count("starts that the disk refused");
                self.trace
                    .say(self.now, node, || format!("does not start: {error}"));
                self.nodes[node].start_ended_early = true;
                self.at(500 * MS, Event::Start { node });
                return;
            }
            Err(error) => panic!("the store of n{node} does not open: {error}"),
        };
        assert!(
            opened.lost.is_empty() || self.is_damaged(node),
            "n{node} has lost {:?}",
            opened.lost
        );
        let forgotten = self.notice_damage(node, &opened);
        self.compare(node, &opened, &forgotten);
        self.nodes[node].starts += 1;
        let start = self.nodes[node].starts;
        let OpenedStore {
            boot,
            writer,
            flusher,
            reader,
            channels,
            limbo,
            ..
        } = opened;
        let mut shard = Shard::new(KEEPER, self.settings.heartbeat);
        let mut queue = GroupQueue::new(writer.group_limit(), QUEUE_BYTES);
        for found in channels {
            let channel = self.index_of(found.channel);
            if self.nodes[node].expected[channel].is_some() && !found.is_held {
                // The catalog says whether it is taken up again.
                self.channels[channel].known_to.remove(&node);
            } else if self.nodes[node].expected[channel].is_some() {
                let is_whole = can_be_read(&reader, &found);
                let found = Some(recovered(found, is_whole));
                self.open(node, channel, found, &mut shard);
            } else if !self.is_held(node, channel) {
                let created = &self.channels[channel];
                super::store::order(&mut queue, created, channel, vec![WriteOp::Delete]);
            }
        }
        for channel in 0..self.channels.len() {
            let is_held = self.nodes[node].expected[channel].is_some();
            let created = &self.channels[channel];
            if is_held && created.known_to.contains(&node) && !shard.contains(created.uid) {
                let promise = limbo.filter(|_| forgotten.contains(&channel));
                self.open_new(node, channel, promise, (&mut shard, &mut queue));
            }
        }
        let settings = BeatSettings {
            interval: self.settings.heartbeat,
            ..BeatSettings::default()
        };
        self.trace.say(self.now, node, || {
            format!("starts, {} channels", shard.iter().count())
        });
        self.trace.mark(self.now, node, || Mark::Up);
        self.nodes[node].process = Some(Process {
            boot,
            writer,
            flusher,
            reader,
            queue,
            writing: None,
            gauge: DiskGauge::new(self.swarm.wal_file_bytes(), self.swarm.dwell),
            flusher_has_no_room: false,
            found_no_room: false,
            hub: BeatHub::new(boot, settings),
            releasing: BTreeMap::new(),
            shard,
            sealing: VecDeque::new(),
            timer_at: u64::MAX,
            is_settling: false,
        });
        self.tally.count("starts");
        let phase = self.dice.below(HEARTBEAT);
        self.at(phase, Event::BeatTick { node, start });
        let pause = self.dice.between(1, 50) * MS;
        self.at(pause, Event::FlusherRuns { node, start });
        self.look_at_disk(node);
        self.write_next(node);
        for channel in self.held_by(node) {
            self.step(node, channel, Input::Select);
        }
        self.reads_catalog(node);
        for peer in 0..self.nodes.len() {
            if peer != node {
                self.reconnect(node, peer);
            }
        }
    }

    /// The channels in a node's process.
    pub(crate) fn held_by(&self, node: usize) -> Vec<ChannelIndex> {
        let process = self.nodes[node].process.as_ref();
        process.map_or_else(Vec::new, |process| {
            let members = process.shard.iter();
            members.map(|(_, _, member)| member.channel).collect()
        })
    }

    /// A channel of which the store knows nothing is taken up, with the promise of one of which it knew
    /// something once.
    pub(super) fn open_new(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        promise: Option<HardState>,
        (shard, queue): (&mut Shard<Member>, &mut GroupQueue<Origin>),
    ) {
        let genesis = self.channels[channel].genesis.clone();
        let found = promise.map(|hard_state| Recovered {
            hard_state,
            ..Recovered::empty(&genesis)
        });
        self.open(node, channel, found, shard);
        let name = format!("c{channel}");
        let ops = [WriteOp::Open { name, genesis }].into_iter();
        let ops = ops.chain(promise.map(WriteOp::HardState)).collect();
        super::store::order(queue, &self.channels[channel], channel, ops);
    }

    /// A channel that the store has let go of is taken up again, with what it has promised.
    pub(super) fn open_again(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        (hard_state, reached, releases): (HardState, LogPosition, u64),
        process: &mut Process,
    ) {
        let recovered = Recovered {
            hard_state,
            reached,
            releases,
            ..Recovered::empty(&self.channels[channel].genesis)
        };
        self.open(node, channel, Some(recovered), &mut process.shard);
        let uid = self.channels[channel].uid;
        process.queue.forget_failures(uid);
        let created = &self.channels[channel];
        super::store::order(&mut process.queue, created, channel, vec![WriteOp::TakeUp]);
    }

    /// A channel that was halted from the start on is opened once more.
    pub(super) fn reopen(&mut self, node: usize, channel: ChannelIndex, found: RecoveredChannel) {
        let Some(mut process) = self.nodes[node].process.take() else {
            return;
        };
        let uid = self.channels[channel].uid;
        let before = process
            .shard
            .get(uid)
            .map(|(replica, _)| replica.last_read());
        drop(process.shard.remove(uid));
        let found = Some(recovered(found, true));
        self.open(node, channel, found, &mut process.shard);
        if let Some(last) = before {
            process.shard.number_reads_after(uid, last);
        }
        self.nodes[node].process = Some(process);
        self.select(node, channel);
    }

    fn open(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        found: Option<Recovered>,
        shard: &mut Shard<Member>,
    ) {
        let created = &self.channels[channel];
        let settings = Settings {
            stand_first: found.is_none() && created.first == node,
            ..self.settings.clone()
        };
        let expected = self.nodes[node].expected[channel].as_ref();
        let log = expected.map_or(&[][..], |expected| &expected.log);
        let mut recovered = found.unwrap_or_else(|| Recovered::empty(&created.genesis));
        recovered.forks =
            expected.map_or_else(Vec::new, |expected| available::told(&expected.forks));
        let is_whole = !recovered.damaged;
        let covered = recovered
            .snapshot
            .as_ref()
            .map_or(Seq::ZERO, |(seq, _)| *seq);
        let covered = covered.max(recovered.log_start.seq);
        let now = self.nodes[node].clock.read(self.now);
        let genesis = created.genesis.clone();
        let voter = self.nodes[node].voter;
        let commit = recovered.log_start.seq;
        let made = Replica::new(voter, created.uid, genesis, settings, recovered, now);
        let mut replica = match made {
            Ok(replica) => replica,
            Err(_) if self.is_damaged(node) => return self.gives_up(node, channel),
            Err(error) => panic!("n{node} cannot open channel {channel}: {error}"),
        };
        // The log was read back and compared with what is expected: it need not be read once more.
        let replayed = log.iter().filter(|batch| batch.last_seq() > covered);
        for batch in replayed.filter(|_| is_whole) {
            let control = batch.control().expect("a checked batch holds what it says");
            replica.replay(batch.header(), control.as_ref());
        }
        let member = Member {
            channel,
            shadow: log.to_vec(),
            role: ReplicaRole::Idle,
            commit,
        };
        assert!(
            shard.add(created.uid, replica, member),
            "channel {channel} is on n{node} twice"
        );
    }

    /// Everything reported durable is there; of the groups that nobody was told of, the first few.
    /// Of channels that have forgotten something it is known already what is left.
    fn compare(
        &mut self,
        node: usize,
        opened: &OpenedStore<CrashDisk>,
        forgotten: &BTreeSet<ChannelIndex>,
    ) {
        let interrupted = std::mem::take(&mut self.nodes[node].interrupted);
        let mut expected = std::mem::take(&mut self.nodes[node].expected);
        if self.is_damaged(node) {
            self.give_back_what_was_trimmed(&mut expected, opened);
        }
        let mut differences = Vec::new();
        let mut rest = interrupted.iter();
        while let Err(difference) = self.fits(&expected, opened, forgotten) {
            differences.push(difference);
            let Some(group) = rest.next() else {
                panic!("I8: n{node} started with another state: {differences:#?}");
            };
            self.tally.count("groups found that nobody was told of");
            for origin in group {
                let is_refused = forgotten.contains(&origin.channel)
                    || self.may_be_refused(node, origin, &expected, opened);
                if let Some(expected) = &mut expected[origin.channel]
                    && !is_refused
                    && expected.takes(&origin.writes)
                {
                    if expected.apply(&origin.writes) {
                        self.tally.count("channels that left limbo");
                    }
                    expected.follow(&origin.order);
                }
            }
        }
        self.nodes[node].expected = expected;
        for found in &opened.channels {
            let channel = self.index_of(found.channel);
            let Some(expected) = &mut self.nodes[node].expected[channel] else {
                continue;
            };
            expected.trimmed(found.log_start);
            let is_damaged = self.damaged.contains(&node);
            expected.check_bytes(found.channel, &opened.reader, is_damaged);
            available::i15_forks_outlive_a_start(node, found.channel, expected, &opened.reader);
            self.chronicle
                .i4_promises_never_go_back(node, channel, expected.hard_state);
        }
    }

    /// The store refuses to cut where it cannot read what it would cut to, and writes the rest of the
    /// group: of a group that nobody was told of, nobody was told that either.
    fn may_be_refused(
        &self,
        node: usize,
        origin: &Origin,
        expected: &[Option<Expected>],
        opened: &OpenedStore<CrashDisk>,
    ) -> bool {
        let uid = self.channels[origin.channel].uid;
        let found = opened.channels.iter().find(|found| found.channel == uid);
        let found = found.map(|found| found.tail);
        let before = expected[origin.channel].as_ref().map(Expected::tail);
        let mut writes = origin.writes.iter();
        let cuts = writes.any(|write| matches!(write, LogWrite::Truncate(_)));
        self.is_damaged(node) && cuts && found == before
    }

    /// A channel whose state is lost is made anew from the write-ahead log if that has all of it, from the
    /// first batch on: then it holds again what was trimmed since.
    fn give_back_what_was_trimmed(
        &self,
        expected: &mut [Option<Expected>],
        opened: &OpenedStore<CrashDisk>,
    ) {
        for found in &opened.channels {
            let channel = self.index_of(found.channel);
            if let Some(expected) = &mut expected[channel]
                && found.log_start.seq < expected.start.seq
            {
                expected.untrimmed(found.log_start, self.chronicle.committed(channel));
            }
        }
    }

    /// What is damaged beyond mending is given up, if the node knows that it is. Gives the channels that
    /// have forgotten something, and whose stores now hold what they say they hold.
    fn notice_damage(
        &mut self,
        node: usize,
        opened: &OpenedStore<CrashDisk>,
    ) -> BTreeSet<ChannelIndex> {
        let mut forgotten = BTreeSet::new();
        let earlier_ended = std::mem::take(&mut self.nodes[node].start_ended_early);
        if !self.is_damaged(node) {
            return forgotten;
        }
        for (uid, damage) in &opened.lost {
            let channel = self.index_of(*uid);
            match opened.limbo.filter(|_| damage.may_begin_anew()) {
                Some(promise) if self.nodes[node].expected[channel].is_some() => {
                    let origin = self.channels[channel].genesis.genesis_link();
                    let nothing = Expected::new(LogPosition::origin(origin));
                    self.enters_limbo(node, channel, promise, nothing);
                    forgotten.insert(channel);
                }
                _ => self.gives_up(node, channel),
            }
        }
        for found in &opened.channels {
            let channel = self.index_of(found.channel);
            if let Some(damage) = &found.halted {
                assert!(
                    !damage.may_begin_anew(),
                    "I21: n{node} is halted by damage to its write-ahead log: {damage}"
                );
                self.gives_up(node, channel);
            } else if let Some(before) = &self.nodes[node].expected[channel]
                && (found.doubt.is_some() || (earlier_ended && before.is_deeper_in_limbo(found)))
            {
                match before.what_is_left(found, &opened.reader) {
                    Some(left) => self.enters_limbo(node, channel, found.hard_state, left),
                    // Segments are damaged as well: what they held nobody can tell here.
                    None => self.gives_up(node, channel),
                }
                forgotten.insert(channel);
            }
        }
        forgotten
    }

    /// I21: whatever the channel had promised on this node, it promises more now.
    fn enters_limbo(
        &mut self,
        node: usize,
        channel: ChannelIndex,
        promise: HardState,
        mut left: Expected,
    ) {
        let before = self.nodes[node].expected[channel].as_ref();
        let is_in_limbo = before.is_some_and(|before| before.hard_state.limbo.is_some());
        self.tally.count(match is_in_limbo {
            false => "channels that entered limbo",
            true => "channels that entered limbo once more",
        });
        let promised = before.map_or(0, |before| before.hard_state.epoch_seen.n);
        assert!(
            promise.limbo.is_some_and(|limbo| limbo.claim >= promised)
                && promise.epoch_seen.n > promised,
            "I21: n{node} had promised {promised} in channel {channel} and forgets it: {promise:?}"
        );
        left.hard_state = promise;
        self.nodes[node].expected[channel] = Some(left);
    }

    /// What the start has done so far is as durable as a power cut leaves it.
    fn power_ended_in_start(&mut self, node: usize) {
        self.tally.count("power cuts during a start");
        self.trace
            .say(self.now, node, || "its power goes in its start".to_owned());
        self.nodes[node].start_ended_early = true;
        let dice = &mut self.dice;
        let crashed = self.nodes[node]
            .disk
            .crash(&mut |choices| dice.index(choices));
        self.nodes[node].disk = crashed;
        let room = self.nodes[node].room;
        self.nodes[node].set_room(room);
        let delay = self.dice.between(1, 500) * MS;
        self.at(delay, Event::Start { node });
    }

    fn fits(
        &self,
        expected: &[Option<Expected>],
        opened: &OpenedStore<CrashDisk>,
        forgotten: &BTreeSet<ChannelIndex>,
    ) -> Result<(), String> {
        for (channel, expected) in expected.iter().enumerate() {
            let Some(expected) = expected else { continue };
            let uid = self.channels[channel].uid;
            let found = opened.channels.iter().find(|found| found.channel == uid);
            match found {
                Some(found) => expected
                    .compare(found)
                    .map_err(|why| format!("channel {channel}: {why}"))?,
                None if expected.is_untouched() || forgotten.contains(&channel) => {}
                None => return Err(format!("channel {channel} is not there")),
            }
        }
        Ok(())
    }
}

fn recovered(found: RecoveredChannel, is_whole: bool) -> Recovered {
    Recovered {
        hard_state: found.hard_state,
        log_start: found.log_start,
        tail: found.tail,
        epochs: found.epochs,
        commit_hint: found.commit_hint,
        snapshot: found.snapshot,
        damaged: found.halted.is_some() || !is_whole,
        reached: found.reached,
        releases: found.releases,
        forks: Vec::new(),
    }
}
