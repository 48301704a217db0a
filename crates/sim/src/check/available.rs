//! The invariants of protocol §18 that channels of class `available` must keep. Their logs may part and be
//! brought together again; what must not happen is that an event that was acknowledged is in none of them.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::rc::Rc;

use tetrarch_log::Reader;
use tetrarch_wire::{
    Batch, BatchKind, ChannelUid, ForkId, LogPosition, ReplicaRole, Seq, frame::ForkReport,
};

use super::Expected;
use crate::{
    client::sender_of,
    node::Node,
    world::{Channel, ChannelIndex},
};

/// Whose event it is, and which.
type EventName = (u8, u64);

/// The forks that a node's disk holds of a channel.
pub(crate) type Forks = BTreeMap<ForkId, Fork>;

/// What was sealed of a log.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    base: LogPosition,
    batches: Vec<Rc<Batch>>,
}

impl Fork {
    /// What a log holds after `base`.
    pub(crate) fn of(disk: &Expected, base: LogPosition) -> Self {
        let after = disk.log.iter().filter(|batch| batch.base_seq() > base.seq);
        Self {
            base,
            batches: after.cloned().collect(),
        }
    }

    /// What a start found that was sealed when the power went.
    pub(crate) fn found(base: LogPosition, batches: Vec<Batch>) -> Self {
        Self {
            base,
            batches: batches.into_iter().map(Rc::new).collect(),
        }
    }

    pub(crate) fn end(&self) -> LogPosition {
        self.batches
            .last()
            .map_or(self.base, |last| last.position())
    }

    fn holds(&self, batch: &Batch) -> bool {
        let before = |one: &Rc<Batch>| one.last_seq() < batch.last_seq();
        let found = self.batches.get(self.batches.partition_point(before));
        found.is_some_and(|one| one.position() == batch.position())
    }
}

/// What a replica is told of them.
pub(crate) fn told(forks: &Forks) -> Vec<ForkReport> {
    let reports = forks.iter().map(|(id, fork)| ForkReport {
        fork: *id,
        base: fork.base,
        end: fork.end(),
        events: events_of(&fork.batches).len() as u64,
        bytes: fork.batches.iter().map(|batch| batch.size() as u64).sum(),
    });
    reports.collect()
}

/// The events of some batches, each as often as it is there.
fn events_of<'a>(batches: impl IntoIterator<Item = &'a Rc<Batch>>) -> Vec<EventName> {
    let data = batches
        .into_iter()
        .filter(|batch| batch.kind() == BatchKind::Data);
    let mut names = Vec::new();
    for batch in data {
        let events = batch.events().expect("a checked batch holds what it says");
        names.extend(events.iter().filter_map(|event| sender_of(&event.payload)));
    }
    names
}

/// I15: events that are acknowledged are durable on as many stores as the acknowledgement says, in a log
/// or, by now, in a fork.
pub(crate) fn i15_durable_on_so_many(
    nodes: &[Node],
    channel: ChannelIndex,
    (leader, copies): (usize, u8),
    placed: &[(u64, Seq)],
) {
    let disks = || {
        nodes
            .iter()
            .filter_map(|node| node.expected[channel].as_ref())
    };
    let leading = nodes[leader].expected[channel].as_ref();
    let leading = leading.expect("I15: acknowledged by a node without a disk");
    for (number, seq) in placed {
        let batch = leading.batch_at(*seq);
        let batch =
            batch.unwrap_or_else(|| panic!("I15: {number} is acknowledged and not at {seq}"));
        let holds = |disk: &&Expected| {
            disk.holds(batch.last_seq(), batch.link())
                || disk.forks.values().any(|fork| fork.holds(batch))
        };
        let found = disks().filter(holds).count();
        assert!(
            found >= usize::from(copies),
            "I15: event {number} at {seq} is on {found} stores, {copies} are told"
        );
    }
}

/// I18: what is cut off a log is in a fork of the same disk, durably.
pub(crate) fn i18_what_is_cut_is_in_a_fork(node: usize, disk: &Expected, point: LogPosition) {
    let cut = disk.log.iter().filter(|batch| batch.last_seq() > point.seq);
    for batch in cut.filter(|batch| batch.kind() == BatchKind::Data) {
        assert!(
            disk.forks.values().any(|fork| fork.holds(batch)),
            "I18: n{node} cuts {batch:?}, which is in no fork"
        );
    }
}

/// I28: a fork goes only when each of its events is in the log, durably.
pub(crate) fn i28_a_fork_that_goes_is_in_the_log(node: usize, disk: &Expected, fork: ForkId) {
    let Some(going) = disk.forks.get(&fork) else {
        return;
    };
    let there: BTreeSet<EventName> = events_of(&disk.log).into_iter().collect();
    for event in events_of(&going.batches) {
        assert!(
            there.contains(&event),
            "I28: n{node} drops a fork, and its event {event:?} is not in the log"
        );
    }
}

/// I15: what was sealed is there after every start. What was not told of may be.
pub(crate) fn i15_forks_outlive_a_start(
    node: usize,
    uid: ChannelUid,
    disk: &mut Expected,
    reader: &Reader<tetrarch_log::CrashDisk>,
) {
    let found = reader.forks(uid);
    for (id, fork) in &disk.forks {
        let same = found.iter().find(|one| one.id == *id);
        assert!(
            same.is_some_and(|one| one.end == fork.end()),
            "I15: n{node} has lost the fork {id}"
        );
    }
    for summary in found {
        if let Entry::Vacant(unknown) = disk.forks.entry(summary.id) {
            let mut batches = Vec::new();
            let mut next = summary.base.seq.next();
            while next <= summary.end.seq {
                let read = reader.read_fork(uid, summary.id, next, 1 << 20);
                let read = read.unwrap_or_else(|error| panic!("I15: n{node}: {error}"));
                next = read.last().map_or(next, Batch::last_seq).next();
                batches.extend(read);
            }
            unknown.insert(Fork::found(summary.base, batches));
        }
    }
}

/// Whether one node leads, all logs are the same, and no fork is left.
pub(crate) fn is_healed(nodes: &[Node], index: ChannelIndex, channel: &Channel) -> bool {
    let mut tails = BTreeSet::new();
    let mut leaders = 0;
    for node in &channel.holders {
        let Some(disk) = &nodes[*node].expected[index] else {
            return false;
        };
        let process = nodes[*node].process.as_ref();
        let Some((replica, member)) = process.and_then(|process| process.shard.get(channel.uid))
        else {
            return false;
        };
        leaders += usize::from(member.role == ReplicaRole::Leader);
        let is_known = member.commit == disk.tail().seq && replica.view().tail == disk.tail();
        if !disk.forks.is_empty() || !is_known {
            return false;
        }
        tails.insert((disk.tail().seq, disk.tail().link.as_bytes().to_vec()));
    }
    leaders == 1 && tails.len() == 1
}

/// I16: at the end every event that was acknowledged is in the one log that there is, once.
pub(crate) fn i16_everything_acknowledged_is_there_once(
    nodes: &[Node],
    (index, channel): (ChannelIndex, &Channel),
    acknowledged: impl Iterator<Item = (usize, u64)>,
) {
    assert!(
        is_healed(nodes, index, channel),
        "I16: channel {index} is not one again: {:?}",
        channel
            .holders
            .iter()
            .map(|node| (
                node,
                nodes[*node].expected[index]
                    .as_ref()
                    .map(|disk| (disk.tail(), disk.forks.len()))
            ))
            .collect::<Vec<_>>()
    );
    let disk = channel
        .holders
        .iter()
        .find_map(|node| nodes[*node].expected[index].as_ref());
    let disk = disk.expect("a channel has holders");
    let mut there: BTreeMap<EventName, usize> = BTreeMap::new();
    for event in events_of(&disk.log) {
        *there.entry(event).or_default() += 1;
    }
    for (event, times) in &there {
        assert_eq!(
            *times, 1,
            "I16: event {event:?} of channel {index} is there {times} times"
        );
    }
    for (producer, number) in acknowledged {
        let producer = u8::try_from(producer).expect("there are few producers");
        assert!(
            there.contains_key(&(producer, number)),
            "I16: event {number} of producer {producer} was acknowledged in channel {index} and is gone"
        );
    }
}
