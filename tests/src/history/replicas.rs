//! Rule 8: there is one log, and all nodes tell it.

use super::{Drained, Stored, Violation};

/// Compares every node with the first one.
pub(super) fn check(drained: &[Drained]) -> Vec<Violation> {
    let Some((first, others)) = drained.split_first() else {
        return Vec::new();
    };
    let differs = others.iter().filter_map(|other| {
        let seq = difference(&first.events, &other.events)?;
        Some(Violation::Diverged {
            node: other.node.clone(),
            other: first.node.clone(),
            seq,
        })
    });
    differs.collect()
}

fn difference(one: &[Stored], other: &[Stored]) -> Option<u64> {
    let differs = one.iter().zip(other).find(|(one, other)| one != other);
    if let Some((one, other)) = differs {
        return Some(one.seq.min(other.seq));
    }
    let longer = one.get(other.len()).or_else(|| other.get(one.len()));
    longer.map(|stored| stored.seq)
}

/// The first place where a log does not ascend.
pub(super) fn check_ascending(log: &[Stored]) -> Option<Violation> {
    let mut pairs = log.windows(2);
    pairs.find_map(|pair| match pair {
        [one, next] if next.seq <= one.seq => Some(Violation::NotAscending {
            seq: one.seq,
            next: next.seq,
        }),
        _ => None,
    })
}
