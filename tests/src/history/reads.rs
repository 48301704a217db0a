//! Rules 3 and 4: a read tells a piece of the log as it is in the end, and a linearizable one
//! misses nothing that anybody knew of when it began.

use super::{Append, EventName, Outcome, Read, Stored, Violation};

pub(super) fn check_slices(reads: &[Read], log: &[Stored]) -> Vec<Violation> {
    let checked = reads.iter().enumerate().flat_map(|(index, read)| {
        let differs = difference(read, log).map(|seq| Violation::WrongSlice {
            read: index,
            node: read.node.clone(),
            seq,
        });
        let beyond =
            (read.end > read.bound + 1 && read.end > read.from).then(|| Violation::BeyondBound {
                read: index,
                node: read.node.clone(),
                end: read.end,
                bound: read.bound,
            });
        differs.into_iter().chain(beyond)
    });
    checked.collect()
}

/// The first seq at which a read is not what the log has in `from..end`.
fn difference(read: &Read, log: &[Stored]) -> Option<u64> {
    let begin = log.partition_point(|stored| stored.seq < read.from);
    let end = log.partition_point(|stored| stored.seq < read.end);
    let wanted = log.get(begin..end).unwrap_or_default();
    let differs = wanted
        .iter()
        .zip(&read.events)
        .find(|(one, other)| one != other);
    if let Some((wanted, told)) = differs {
        return Some(wanted.seq.min(told.seq));
    }
    let missing = wanted.get(read.events.len());
    let added = read.events.get(wanted.len());
    missing.or(added).map(|stored| stored.seq)
}

/// What was known to be committed: by an acknowledgement or by a read that had ended.
#[derive(Clone, Copy, Debug)]
enum Known<'a> {
    Append(&'a EventName),
    Read(usize),
}

/// Sweeps over the moments at which linearizable reads began.
pub(super) fn check_bounds(appends: &[Append], reads: &[Read]) -> Vec<Violation> {
    let acknowledged = appends.iter().filter_map(|append| match append.outcome {
        Outcome::Acknowledged { seq, .. } => {
            Some((append.completed, seq, Known::Append(&append.name)))
        }
        Outcome::Indeterminate | Outcome::Refused | Outcome::Forgotten => None,
    });
    let told = reads
        .iter()
        .enumerate()
        .map(|(index, read)| (read.completed, read.bound, Known::Read(index)));
    let mut known: Vec<(u64, u64, Known<'_>)> = acknowledged.chain(told).collect();
    known.sort_unstable_by_key(|(when, _, _)| *when);
    let mut begun: Vec<(usize, &Read)> = reads
        .iter()
        .enumerate()
        .filter(|(_, read)| read.linearizable)
        .collect();
    begun.sort_unstable_by_key(|(_, read)| read.invoked);

    let mut known = known.into_iter().peekable();
    let mut highest: Option<(u64, Known<'_>)> = None;
    let mut violations = Vec::new();
    for (index, read) in begun {
        while let Some((_, seq, by)) = known.next_if(|(when, _, _)| *when < read.invoked) {
            if highest.is_none_or(|(top, _)| top < seq) {
                highest = Some((seq, by));
            }
        }
        if let Some((seq, by)) = highest
            && read.bound < seq
        {
            violations.push(missed(index, read.bound, seq, by));
        }
    }
    violations
}

fn missed(read: usize, bound: u64, seq: u64, by: Known<'_>) -> Violation {
    match by {
        Known::Append(event) => Violation::MissedAppend {
            read,
            bound,
            event: event.clone(),
            seq,
        },
        Known::Read(earlier) => Violation::WentBack {
            read,
            bound,
            earlier,
            seen: seq,
        },
    }
}
