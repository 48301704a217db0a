//! What can happen in a life, and how likely it is.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rustix::io::Errno;

/// A life of a store.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// Which of several sizes the store works with.
    pub(super) sizes: u8,
    pub(super) acts: Vec<Act>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A group is committed.
    Commit(Vec<Change>),
    /// The flusher does what is due.
    Flush { budget: u64 },
    /// The flusher does everything.
    FlushAll,
    /// While the flusher works, after so many steps of the disk, a group is committed.
    Meanwhile {
        after: u64,
        all: bool,
        group: Vec<Change>,
    },
    /// A snapshot is kept.
    Snapshot { slot: u8, size: usize },
    /// The files of deleted channels go.
    Purge,
    /// A channel is read from somewhere on.
    Read { slot: u8, from: u16, bytes: usize },
    /// Coming writes fail.
    FailWrites {
        name: &'static str,
        count: u32,
        bytes: usize,
        errno: i32,
        end: End,
    },
    /// The next sync of such a file fails.
    FailSync { name: &'static str, end: End },
    /// So many blocks are free from now on; `None`: plenty.
    Capacity(Option<u64>),
    /// Everything is written out and the process stops.
    Rest,
    /// The process stops, at once or after so many steps.
    Stop { after: Option<u64>, end: End },
}

/// How a process ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The process is gone; what it wrote stays readable, durable or not.
    Kill,
    /// The power is gone. The seed says what that did to what was not durable.
    Power(u64),
}

/// Changes of one channel in a group. A channel that is not there is opened first.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) slot: u8,
    pub(super) ops: Vec<Op>,
}

/// One change. Places in the log are given as parts of what is possible.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Append {
        count: usize,
        size: usize,
    },
    Truncate {
        to: u16,
    },
    Begin {
        further: u8,
    },
    Vote,
    Hint {
        at: u16,
    },
    Trim {
        upto: u16,
    },
    /// The store lets go of the channel. It is opened again by the next change.
    Release,
    Delete,
}

const FILES: [&str; 7] = [
    ".wal",
    "seg-",
    ".idx",
    "state.",
    "store.meta",
    "snapshot",
    "/store",
];

/// Any life.
pub(super) fn life() -> impl Strategy<Value = Life> {
    (0..4_u8, vec(act(), 1..60)).prop_map(|(sizes, acts)| Life { sizes, acts })
}

fn act() -> impl Strategy<Value = Act> {
    let budget = prop_oneof![Just(u64::MAX), 1..8000_u64];
    prop_oneof![
        20 => group().prop_map(Act::Commit),
        8 => budget.prop_map(|budget| Act::Flush { budget }),
        4 => Just(Act::FlushAll),
        6 => (0..40_u64, any::<bool>(), group())
            .prop_map(|(after, all, group)| Act::Meanwhile { after, all, group }),
        2 => (0..3_u8, 1..6000_usize).prop_map(|(slot, size)| Act::Snapshot { slot, size }),
        1 => Just(Act::Purge),
        4 => (0..3_u8, any::<u16>(), 1..9000_usize)
            .prop_map(|(slot, from, bytes)| Act::Read { slot, from, bytes }),
        3 => failing_writes(),
        1 => (name(), end()).prop_map(|(name, end)| Act::FailSync { name, end }),
        2 => option::of(0..24_u64).prop_map(Act::Capacity),
        2 => Just(Act::Rest),
        7 => (option::of(0..60_u64), end()).prop_map(|(after, end)| Act::Stop { after, end }),
    ]
}

fn failing_writes() -> impl Strategy<Value = Act> {
    let bytes = prop_oneof![0..9000_usize, Just(usize::MAX)];
    let errno = prop_oneof![
        6 => Just(Errno::NOSPC),
        3 => Just(Errno::AGAIN),
        1 => Just(Errno::IO),
    ];
    (name(), 1..4_u32, bytes, errno, end()).prop_map(|(name, count, bytes, errno, end)| {
        Act::FailWrites {
            name,
            count,
            bytes,
            errno: errno.raw_os_error(),
            end,
        }
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&FILES[..])
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Kill), any::<u64>().prop_map(End::Power)]
}

fn group() -> impl Strategy<Value = Vec<Change>> {
    let change = (0..3_u8, vec(op(), 0..4)).prop_map(|(slot, ops)| Change { slot, ops });
    vec(change, 1..4)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (1..5_usize, 8..1500_usize).prop_map(|(count, size)| Op::Append { count, size }),
        4 => any::<u16>().prop_map(|to| Op::Truncate { to }),
        1 => (1..40_u8).prop_map(|further| Op::Begin { further }),
        3 => Just(Op::Vote),
        1 => any::<u16>().prop_map(|at| Op::Hint { at }),
        2 => any::<u16>().prop_map(|upto| Op::Trim { upto }),
        1 => Just(Op::Release),
        1 => Just(Op::Delete),
    ]
}
