//! What goes into the next commit group: everything that has arrived, in order, as far as one
//! group goes. There is no timer; while one group is being synced, the next one gathers.

use std::collections::VecDeque;

use crate::WriteRequest;

/// Requests that wait for the next group, each with what its sender wants back.
#[derive(Debug)]
pub struct GroupQueue<T> {
    group_max_bytes: usize,
    total_max_bytes: usize,
    waiting: VecDeque<(WriteRequest, T, usize)>,
    bytes: usize,
}

/// What is committed together.
#[derive(Debug)]
pub struct Group<T> {
    /// The requests, in the order of their arrival.
    pub requests: Vec<WriteRequest>,
    /// What their senders want back, in the same order.
    pub tags: Vec<T>,
}

/// A request that was not taken in.
#[derive(Debug)]
pub struct QueueFull<T> {
    /// The request.
    pub request: WriteRequest,
    /// What its sender wants back.
    pub tag: T,
}

impl<T> GroupQueue<T> {
    /// An empty queue. A group gathers requests up to `group_max_bytes` (at least one request);
    /// no more than `total_max_bytes` wait (but one request always may).
    #[must_use]
    pub fn new(group_max_bytes: usize, total_max_bytes: usize) -> Self {
        Self {
            group_max_bytes,
            total_max_bytes,
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes a request in.
    ///
    /// # Errors
    /// If too much waits; the request comes back.
    pub fn push(&mut self, request: WriteRequest, tag: T) -> Result<(), QueueFull<T>> {
        let bytes = request.encoded_len();
        if !self.waiting.is_empty() && self.bytes + bytes > self.total_max_bytes {
            return Err(QueueFull { request, tag });
        }
        self.bytes += bytes;
        self.waiting.push_back((request, tag, bytes));
        Ok(())
    }

    /// Takes the next group out; `None` if nothing waits.
    pub fn next_group(&mut self) -> Option<Group<T>> {
        let mut group = Group {
            requests: Vec::new(),
            tags: Vec::new(),
        };
        let mut room = self.group_max_bytes;
        while let Some((_, _, bytes)) = self.waiting.front() {
            if *bytes > room && !group.requests.is_empty() {
                break;
            }
            room = room.saturating_sub(*bytes);
            let (request, tag, bytes) = self.waiting.pop_front()?;
            self.bytes -= bytes;
            group.requests.push(request);
            group.tags.push(tag);
        }
        (!group.requests.is_empty()).then_some(group)
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

    #[test]
    fn a_request_too_large_for_any_group_goes_alone() {
        let one = request(1).encoded_len();
        let mut queue = GroupQueue::new(2 * one, 100 * one);
        for (ops, tag) in [(1, 'a'), (5, 'b'), (1, 'c'), (1, 'd'), (1, 'e')] {
            queue.push(request(ops), tag).unwrap();
        }
        let groups: Vec<Vec<char>> =
            std::iter::from_fn(|| queue.next_group().map(|group| group.tags)).collect();
        assert_eq!(groups, [vec!['a'], vec!['b'], vec!['c', 'd'], vec!['e']]);
    }

    #[test]
    fn a_full_queue_gives_the_request_back() {
        let one = request(1).encoded_len();
        let mut queue = GroupQueue::new(one, 2 * one);
        queue.push(request(1), 1).unwrap();
        queue.push(request(1), 2).unwrap();
        let full = queue.push(request(1), 3).unwrap_err();
        assert_eq!(full.tag, 3);
        assert_eq!(queue.next_group().unwrap().tags, [1]);
        queue.push(full.request, 3).unwrap();
        assert_eq!((queue.len(), queue.bytes()), (2, 2 * one));
    }

    proptest! {
        #[test]
        fn order_is_kept_and_groups_are_bounded(sizes in prop::collection::vec(1_usize..9, 0..60)) {
            let one = request(1).encoded_len();
            let mut queue = GroupQueue::new(6 * one, usize::MAX);
            for (tag, size) in sizes.iter().enumerate() {
                queue.push(request(*size), tag).unwrap();
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
