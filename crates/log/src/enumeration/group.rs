//! Writing down a commit group in a few words.

use std::collections::BTreeMap;

use tetrarch_wire::{HardState, Seq};

use super::batches::{Log, open_op, request, vote};
use crate::{WriteOp, WriteRequest};

/// A channel's name is so long from this number on that its state takes more than a block, and two
/// copies of it can be torn apart.
const LONG_NAMES: u8 = 200;

/// A group that is being written down. Changes of one channel that follow each other are one
/// request.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    logs: &'a mut BTreeMap<u8, Log>,
    requests: Vec<WriteRequest>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(logs: &'a mut BTreeMap<u8, Log>) -> Self {
        Self {
            logs,
            requests: Vec::new(),
        }
    }

    pub(crate) fn requests(self) -> Vec<WriteRequest> {
        self.requests
    }

    /// Opens a channel.
    pub(crate) fn open(self, channel: u8) -> Self {
        self.logs.insert(channel, Log::numbered(channel.into()));
        let long = if channel < LONG_NAMES { 0 } else { 4800 };
        self.push(channel, open_op(&format!("c{channel:x<long$}")))
    }

    /// Appends batches with payloads of `size` bytes.
    pub(crate) fn append(mut self, channel: u8, count: usize, size: usize) -> Self {
        let batches = self.log(channel).batches(count, size);
        self.push(channel, WriteOp::Append(batches))
    }

    /// Cuts the log to its first `count` batches.
    pub(crate) fn truncate(mut self, channel: u8, count: usize) -> Self {
        let log = self.log(channel);
        log.truncate(count);
        let end = log.tail();
        self.push(channel, WriteOp::Truncate(end))
    }

    /// The log begins anew at a seq.
    pub(crate) fn begin(mut self, channel: u8, seq: u64) -> Self {
        let at = self.log(channel).begin(Seq::new(seq));
        self.push(channel, WriteOp::Begin(at))
    }

    /// Promises a vote in the epoch of this number.
    pub(crate) fn vote(self, channel: u8, n: u64) -> Self {
        self.push(channel, WriteOp::HardState(vote(n)))
    }

    /// Learns of the epoch of this number while it may have forgotten what it promised.
    pub(crate) fn learn_in_limbo(self, channel: u8, n: u64) -> Self {
        let promise = HardState::in_limbo(n - 1);
        self.push(channel, WriteOp::HardState(promise))
    }

    /// Notes what is committed.
    pub(crate) fn hint(self, channel: u8, seq: u64) -> Self {
        self.push(channel, WriteOp::CommitHint(Seq::new(seq)))
    }

    /// Lets go what ends at or before `upto`.
    pub(crate) fn trim(self, channel: u8, upto: u64) -> Self {
        let upto = Seq::new(upto);
        self.push(channel, WriteOp::Trim { upto })
    }

    /// Lets go of the channel.
    pub(crate) fn release(mut self, channel: u8) -> Self {
        let log = self.log(channel);
        log.truncate(0);
        self.push(channel, WriteOp::Release)
    }

    /// Takes a channel up again.
    pub(crate) fn come_back(self, channel: u8) -> Self {
        self.push(channel, WriteOp::TakeUp)
    }

    /// Ends the channel.
    pub(crate) fn delete(self, channel: u8) -> Self {
        self.push(channel, WriteOp::Delete)
    }

    fn log(&mut self, channel: u8) -> &mut Log {
        self.logs
            .get_mut(&channel)
            .expect("a script opens a channel before it writes to it")
    }

    fn push(mut self, channel: u8, op: WriteOp) -> Self {
        let next = request(channel, vec![op]);
        match self.requests.last_mut() {
            Some(last) if last.channel == next.channel => last.ops.extend(next.ops),
            _ => self.requests.push(next),
        }
        self
    }
}
