//! What a store was given and what it has promised, channel by channel and change by change, written
//! without the store's help.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tetrarch_log::{WriteOp, WriteRequest, reference::Reference};
use tetrarch_wire::{Batch, ChannelUid, LogPosition, Seq};

use super::history::GENESIS;

/// One change of a channel.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The group that brought it.
    pub(super) group: u64,
    /// What the channel is after it; `None`: deleted.
    pub(super) state: Option<Reference>,
    /// Whether it is the last change of its group.
    pub(super) ends_group: bool,
}

/// Everything that happened to the channels.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) steps: BTreeMap<ChannelUid, Vec<Step>>,
    /// Every batch that was ever given to a channel.
    pub(super) written: BTreeMap<ChannelUid, BTreeSet<Vec<u8>>>,
    /// Every snapshot that was ever given, the latest last.
    pub(super) snapshots: BTreeMap<ChannelUid, Vec<(Seq, Bytes)>>,
    /// The latest group of which it was reported that it is durable.
    pub(super) reported: u64,
}

impl Ledger {
    /// What a channel is now, after all that was given.
    pub(super) fn now(&self, channel: ChannelUid) -> Option<&Reference> {
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
                        let mut state = before.unwrap_or_else(untouched);
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

/// A channel to which nothing was written.
fn untouched() -> Reference {
    Reference::new(LogPosition::origin(GENESIS.genesis_link()))
}

/// The exact bytes of a batch.
pub(super) fn bytes_of(batch: &Batch) -> Vec<u8> {
    batch.chunks().into_iter().flatten().copied().collect()
}
