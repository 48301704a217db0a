//! What goes into the next commit group: everything that has arrived, in order, as far as one
//! group goes. There is no timer; while one group is being synced, the next one gathers.
//!
//! The writes of a channel are durable in the order in which they were issued, also when some of them
//! fail: whatever was issued by a replica that had not heard of a failure yet fails with it. Otherwise
//! a batch could be durable whose election promise is not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::ChannelUid;

use crate::WriteRequest;

/// Whose write it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// The node's own: it opens, trims or deletes a channel. If it fails it is tried again before
    /// any later write of the same channel.
    Node,
    /// A replica's, which has been told of so many failures of its writes.
    Replica {
        /// How many.
        failures: u64,
    },
}

/// Requests that wait for the next group, each with what its sender wants back.
#[derive(Debug)]
pub struct GroupQueue<T> {
    group_max_bytes: usize,
    total_max_bytes: usize,
    waiting: VecDeque<Waiting<T>>,
    bytes: usize,
    /// How many writes of a channel's replica have failed, where any have.
    failures: BTreeMap<ChannelUid, u64>,
}

#[derive(Debug)]
struct Waiting<T> {
    request: WriteRequest,
    issuer: Issuer,
    tag: T,
    bytes: usize,
}

/// What is committed together.
#[derive(Debug)]
pub struct Group<T> {
    /// The requests, in the order of their arrival.
    pub requests: Vec<WriteRequest>,
    /// What their senders want back, in the same order.
    pub tags: Vec<T>,
    issuers: Vec<Issuer>,
}

/// A request that was not taken in.
#[derive(Debug)]
pub struct NotTaken<T> {
    /// What its sender wants back.
    pub tag: T,
    /// Why.
    pub why: NotTakenBecause,
}

/// Why a request was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTakenBecause {
    /// Too much waits.
    Full,
    /// An earlier write of the channel has failed, and whoever issued this one did not know.
    EarlierFailed,
}

impl<T> GroupQueue<T> {
    /// An empty queue. A group gathers requests up to `group_max_bytes` (at least one request);
    /// no more than `total_max_bytes` of replicas' requests wait (but one request always may).
    #[must_use]
    pub fn new(group_max_bytes: usize, total_max_bytes: usize) -> Self {
        Self {
            group_max_bytes,
            total_max_bytes,
            waiting: VecDeque::new(),
            bytes: 0,
            failures: BTreeMap::new(),
        }
    }

    /// Takes a request in.
    ///
    /// # Errors
    /// If too much waits, or an earlier write of the channel failed. Its sender must be told that it
    /// failed, and counts that among the failures.
    pub fn push(
        &mut self,
        request: WriteRequest,
        issuer: Issuer,
        tag: T,
    ) -> Result<(), NotTaken<T>> {
        let bytes = request.encoded_len();
        if let Some(why) = self.objection(&request, issuer, bytes) {
            *self.failures.entry(request.channel).or_default() += 1;
            return Err(NotTaken { tag, why });
        }
        self.bytes += bytes;
        self.waiting.push_back(Waiting {
            request,
            issuer,
            tag,
            bytes,
        });
        Ok(())
    }

    fn objection(
        &self,
        request: &WriteRequest,
        issuer: Issuer,
        bytes: usize,
    ) -> Option<NotTakenBecause> {
        let Issuer::Replica { failures } = issuer else {
            return None;
        };
        if failures != self.failures_of(request.channel) && !planted(Mutant::LaterWritesGoAhead) {
            return Some(NotTakenBecause::EarlierFailed);
        }
        let is_full = !self.waiting.is_empty() && self.bytes + bytes > self.total_max_bytes;
        is_full.then_some(NotTakenBecause::Full)
    }

    fn failures_of(&self, channel: ChannelUid) -> u64 {
        self.failures.get(&channel).copied().unwrap_or(0)
    }

    /// Takes the next group out; `None` if nothing waits.
    pub fn next_group(&mut self) -> Option<Group<T>> {
        let mut group = Group {
            requests: Vec::new(),
            tags: Vec::new(),
            issuers: Vec::new(),
        };
        let mut room = self.group_max_bytes;
        while let Some(next) = self.waiting.front() {
            if next.bytes > room && !group.requests.is_empty() {
                break;
            }
            room = room.saturating_sub(next.bytes);
            let Waiting {
                request,
                issuer,
                tag,
                bytes,
            } = self.waiting.pop_front()?;
            self.bytes -= bytes;
            group.requests.push(request);
            group.issuers.push(issuer);
            group.tags.push(tag);
        }
        (!group.requests.is_empty()).then_some(group)
    }

    /// Nothing of a group was written. The node's own writes wait again, before everything else; the
    /// replicas' have failed, and so have those that wait of the same channels. Gives what the senders
    /// of those that failed want back, in the order in which they were issued.
    pub fn failed(&mut self, group: Group<T>) -> Vec<T> {
        let channels: BTreeSet<ChannelUid> = group
            .requests
            .iter()
            .map(|request| request.channel)
            .collect();
        let mut failed = Vec::new();
        let mut again = VecDeque::new();
        let Group {
            requests,
            tags,
            issuers,
        } = group;
        for ((request, tag), issuer) in requests.into_iter().zip(tags).zip(issuers) {
            match issuer {
                Issuer::Node => {
                    let bytes = request.encoded_len();
                    self.bytes += bytes;
                    again.push_back(Waiting {
                        request,
                        issuer,
                        tag,
                        bytes,
                    });
                }
                Issuer::Replica { .. } => {
                    *self.failures.entry(request.channel).or_default() += 1;
                    failed.push(tag);
                }
            }
        }
        for one in std::mem::take(&mut self.waiting) {
            let is_replicas = one.issuer != Issuer::Node;
            let fails = is_replicas && channels.contains(&one.request.channel);
            if fails && !planted(Mutant::LaterWritesGoAhead) {
                self.bytes -= one.bytes;
                *self.failures.entry(one.request.channel).or_default() += 1;
                failed.push(one.tag);
            } else {
                again.push_back(one);
            }
        }
        self.waiting = again;
        failed
    }

    /// The store is lost: nothing that was issued will be written any more. Gives what all senders
    /// want back.
    pub fn lost(&mut self, group: Group<T>) -> Vec<T> {
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let waiting = waiting.into_iter().map(|one| one.tag);
        group.tags.into_iter().chain(waiting).collect()
    }

    /// The channel begins anew here, with a replica that knows of no failure.
    pub fn forget_failures(&mut self, channel: ChannelUid) {
        self.failures.remove(&channel);
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tetrarch_wire::{ChannelUid, Seq};

    use super::*;
    use crate::WriteOp;

    /// A request of `ops` small operations.
    fn request(ops: usize) -> WriteRequest {
        WriteRequest {
            channel: ChannelUid::from_bytes([1; 32]),
            ops: vec![WriteOp::CommitHint(Seq::FIRST); ops],
        }
    }

    const FRESH: Issuer = Issuer::Replica { failures: 0 };

    fn of(channel: u8) -> WriteRequest {
        WriteRequest {
            channel: ChannelUid::from_bytes([channel; 32]),
            ops: vec![WriteOp::CommitHint(Seq::FIRST)],
        }
    }

    #[test]
    fn a_request_too_large_for_any_group_goes_alone() {
        let one = request(1).encoded_len();
        let mut queue = GroupQueue::new(2 * one, 100 * one);
        for (ops, tag) in [(1, 'a'), (5, 'b'), (1, 'c'), (1, 'd'), (1, 'e')] {
            queue.push(request(ops), FRESH, tag).unwrap();
        }
        let groups: Vec<Vec<char>> =
            std::iter::from_fn(|| queue.next_group().map(|group| group.tags)).collect();
        assert_eq!(groups, [vec!['a'], vec!['b'], vec!['c', 'd'], vec!['e']]);
    }

    #[test]
    fn a_full_queue_takes_no_more_of_replicas() {
        let one = request(1).encoded_len();
        let mut queue = GroupQueue::new(one, 2 * one);
        queue.push(of(1), FRESH, 1).unwrap();
        queue.push(of(1), FRESH, 2).unwrap();
        let full = queue.push(of(2), FRESH, 3).unwrap_err();
        assert_eq!((full.tag, full.why), (3, NotTakenBecause::Full));
        queue.push(of(2), Issuer::Node, 4).unwrap();
        assert_eq!(queue.next_group().unwrap().tags, [1]);
        assert_eq!((queue.len(), queue.bytes()), (2, 2 * one));
    }

    #[test]
    fn what_was_issued_before_a_failure_was_heard_of_fails_too() {
        let one = request(1).encoded_len();
        let mut queue = GroupQueue::new(2 * one, 100 * one);
        for (channel, tag) in [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd'), (2, 'e')] {
            queue.push(of(channel), FRESH, tag).unwrap();
        }
        let group = queue.next_group().unwrap();
        assert_eq!(queue.failed(group), ['a', 'b', 'c', 'e'], "'d' waits still");
        let late = queue.push(of(1), FRESH, 'f').unwrap_err();
        assert_eq!(late.why, NotTakenBecause::EarlierFailed);
        // Of channel 1, 'a', 'c' and 'f' have failed.
        let early = Issuer::Replica { failures: 2 };
        assert!(queue.push(of(1), early, 'g').is_err());
        let told = Issuer::Replica { failures: 4 };
        queue.push(of(1), told, 'h').unwrap();
        assert_eq!(queue.next_group().unwrap().tags, ['d', 'h']);
    }

    #[test]
    fn a_write_of_the_nodes_own_that_failed_comes_first_again() {
        let one = request(1).encoded_len();
        let mut queue = GroupQueue::new(2 * one, 100 * one);
        queue.push(of(1), Issuer::Node, 'a').unwrap();
        queue.push(of(1), FRESH, 'b').unwrap();
        queue.push(of(1), FRESH, 'c').unwrap();
        queue.push(of(2), FRESH, 'd').unwrap();
        let group = queue.next_group().unwrap();
        assert_eq!(queue.failed(group), ['b', 'c']);
        assert_eq!(queue.next_group().unwrap().tags, ['a', 'd']);
        assert_eq!(queue.bytes(), 0);
        assert!(queue.push(of(1), FRESH, 'e').is_err());
        queue.forget_failures(ChannelUid::from_bytes([1; 32]));
        queue.push(of(1), FRESH, 'f').unwrap();
    }

    proptest! {
        #[test]
        fn order_is_kept_and_groups_are_bounded(sizes in prop::collection::vec(1_usize..9, 0..60)) {
            let one = request(1).encoded_len();
            let mut queue = GroupQueue::new(6 * one, usize::MAX);
            for (tag, size) in sizes.iter().enumerate() {
                queue.push(request(*size), FRESH, tag).unwrap();
            }
            let mut tags = Vec::new();
            while let Some(group) = queue.next_group() {
                let bytes: usize = group.requests.iter().map(WriteRequest::encoded_len).sum();
                prop_assert!(bytes <= 6 * one || group.requests.len() == 1);
                tags.extend(group.tags);
            }
            prop_assert_eq!(tags, (0..sizes.len()).collect::<Vec<_>>());
            prop_assert_eq!(queue.bytes(), 0);
        }
    }
}
