//! Rules 2 and 7: what was acknowledged before another append began lies before it, each producer's
//! events are in its order, and all events are somebody's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Append, EventName, Outcome, Stored, Tried, Violation};

/// Sweeps over the moments at which appends began. Whatever was acknowledged before bounds the
/// position from below; of an append whose outcome is unknown, the log says where it is.
pub(super) fn check_real_time(appends: &[Append], log: &[Stored]) -> Vec<Violation> {
    let found: HashMap<&str, u64> = log
        .iter()
        .map(|stored| (&*stored.payload, stored.seq))
        .collect();
    let acknowledged = |append: &Append| match append.outcome {
        Outcome::Acknowledged { seq, .. } => Some(seq),
        Outcome::Indeterminate | Outcome::Refused | Outcome::Forgotten => None,
    };
    let mut completed: Vec<(u64, u64, &Append)> = appends
        .iter()
        .filter_map(|append| Some((append.completed, acknowledged(append)?, append)))
        .collect();
    completed.sort_unstable_by_key(|(at, _, _)| *at);
    let mut begun: Vec<&Append> = appends.iter().collect();
    begun.sort_unstable_by_key(|append| append.invoked);

    let mut completed = completed.into_iter().peekable();
    let mut highest: Option<(u64, &Append)> = None;
    let mut seen = BTreeSet::new();
    let mut violations = Vec::new();
    for later in begun {
        while let Some((_, seq, append)) = completed.next_if(|(at, _, _)| *at < later.invoked) {
            if highest.is_none_or(|(top, _)| top < seq) {
                highest = Some((seq, append));
            }
        }
        // A repeated append is acknowledged where the first one is, which may be long before.
        if !seen.insert(&later.name) {
            continue;
        }
        let place = acknowledged(later).or_else(|| found.get(&*later.payload).copied());
        if let (Some((before, earlier)), Some(seq)) = (highest, place)
            && seq <= before
        {
            violations.push(Violation::BackInTime {
                earlier: earlier.name.clone(),
                before,
                later: later.name.clone(),
                seq,
            });
        }
    }
    violations
}

/// Numbers of a producer only grow along the log, whatever became of those between.
pub(super) fn check_producers(tried: &Tried<'_>, log: &[Stored]) -> Vec<Violation> {
    let mut last: BTreeMap<u32, &EventName> = BTreeMap::new();
    let mut violations = Vec::new();
    for stored in log {
        let Some(&event) = tried.get(&*stored.payload) else {
            violations.push(Violation::Stranger {
                seq: stored.seq,
                payload: stored.payload.clone(),
            });
            continue;
        };
        let highest = last.entry(event.producer).or_insert(event);
        if event.number < highest.number {
            violations.push(Violation::Reordered {
                event: event.clone(),
                seq: stored.seq,
                later: highest.clone(),
            });
        } else {
            *highest = event;
        }
    }
    violations
}
