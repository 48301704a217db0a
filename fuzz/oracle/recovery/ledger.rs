//! What a store was given and what it has promised, channel by channel and change by change, written
//! without the store's help.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tetrarch_log::{WriteOp, WriteRequest};
use tetrarch_wire::{Batch, ChannelConfig, ChannelUid, EpochStart, HardState, LogPosition, Seq};

/// What a channel is after some change of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// From the very beginning on, also what was trimmed.
    pub(super) log: Vec<Batch>,
    pub(super) hard_state: HardState,
    pub(super) hint: Seq,
    /// What may be gone.
    pub(super) trim: Seq,
}

impl State {
    fn new() -> Self {
        Self {
            log: Vec::new(),
            hard_state: HardState::INITIAL,
            hint: Seq::ZERO,
            trim: Seq::ZERO,
        }
    }

    /// The end of the first `count` batches.
    pub(super) fn position(&self, count: usize, genesis: &ChannelConfig) -> LogPosition {
        match count.checked_sub(1) {
            Some(last) => self.log[last].position(),
            None => LogPosition::origin(genesis.genesis_link()),
        }
    }

    /// Where its epochs begin, as far as a log that begins after `start` must know.
    pub(super) fn epochs(&self, start: Seq, genesis: &ChannelConfig) -> Vec<EpochStart> {
        let mut epochs: Vec<EpochStart> = Vec::new();
        let mut before = self.position(0, genesis).epoch;
        for batch in &self.log {
            if batch.epoch() != before {
                if batch.base_seq() <= start {
                    epochs.clear();
                }
                epochs.push(EpochStart {
                    epoch: batch.epoch(),
                    start: batch.base_seq(),
                    link: batch.link(),
                });
            }
            before = batch.epoch();
        }
        epochs
    }

    fn follow(&mut self, op: &WriteOp) {
        match op {
            WriteOp::Append(batches) => self.log.extend(batches.iter().cloned()),
            WriteOp::Truncate(at) => self.log.retain(|batch| batch.last_seq() <= at.seq),
            WriteOp::HardState(state) => self.hard_state = *state,
            WriteOp::CommitHint(seq) => self.hint = self.hint.max(*seq),
            WriteOp::Trim { upto } => self.trim = self.trim.max(*upto),
            WriteOp::Open { .. } | WriteOp::Delete => {}
        }
    }
}

/// One change of a channel.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The group that brought it.
    pub(super) group: u64,
    /// What the channel is after it; `None`: deleted.
    pub(super) state: Option<State>,
    /// Whether it is the last change of its group.
    pub(super) ends_group: bool,
}

/// Everything that happened to the channels.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) steps: BTreeMap<ChannelUid, Vec<Step>>,
    /// Every batch that was ever given to a channel.
    pub(super) written: BTreeMap<ChannelUid, BTreeSet<Vec<u8>>>,
    /// Every snapshot of producers that was ever given, the latest last.
    pub(super) producers: BTreeMap<ChannelUid, Vec<(Seq, Bytes)>>,
    /// The latest group of which it was reported that it is durable.
    pub(super) reported: u64,
}

impl Ledger {
    /// What a channel is now, after all that was given.
    pub(super) fn now(&self, channel: ChannelUid) -> Option<&State> {
        self.steps.get(&channel)?.last()?.state.as_ref()
    }

    /// A group is on its way.
    pub(super) fn gives(&mut self, group: u64, requests: &[WriteRequest]) {
        for request in requests {
            for op in &request.ops {
                if let WriteOp::Append(batches) = op {
                    let written = self.written.entry(request.channel).or_default();
                    written.extend(batches.iter().map(bytes_of));
                }
                let before = self.now(request.channel).cloned();
                let state = match op {
                    WriteOp::Delete => None,
                    _ => {
                        let mut state = before.unwrap_or_else(State::new);
                        state.follow(op);
                        Some(state)
                    }
                };
                let steps = self.steps.entry(request.channel).or_default();
                if let Some(last) = steps.last_mut().filter(|last| last.group == group) {
                    last.ends_group = false;
                }
                steps.push(Step {
                    group,
                    state,
                    ends_group: true,
                });
            }
        }
    }

    /// The group was written.
    pub(super) fn reports(&mut self, group: u64) {
        self.reported = group;
    }

    /// Whether something of a group is left, or nothing, as a start has shown, is what it is.
    pub(super) fn forgets_after(&mut self, group: u64) {
        for steps in self.steps.values_mut() {
            steps.retain(|step| step.group <= group);
        }
        self.steps.retain(|_, steps| !steps.is_empty());
    }
}

/// The exact bytes of a batch.
pub(super) fn bytes_of(batch: &Batch) -> Vec<u8> {
    batch.chunks().into_iter().flatten().copied().collect()
}
