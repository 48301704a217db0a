//! Rules 1, 5 and 6: an acknowledged event is where it was acknowledged, and nothing is in the log
//! twice or although it was refused.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use super::{Append, EventName, Outcome, Stored, Violation};

pub(super) fn check(appends: &[Append], log: &[Stored]) -> Vec<Violation> {
    let (mut violations, places) = places(appends, log);
    let mut first_ack: BTreeMap<&EventName, u64> = BTreeMap::new();
    let mut taken: HashMap<u64, &EventName> = HashMap::new();
    for append in appends {
        let place = places.get(&*append.payload).copied();
        match append.outcome {
            Outcome::Acknowledged { seq, .. } => {
                violations.extend(check_place(append, seq, place));
                let first = *first_ack.entry(&append.name).or_insert(seq);
                if first != seq {
                    violations.push(Violation::DuplicateElsewhere {
                        event: append.name.clone(),
                        first,
                        again: seq,
                    });
                }
                let holder = *taken.entry(seq).or_insert(&append.name);
                if *holder != append.name {
                    violations.push(Violation::SharedPosition {
                        one: holder.clone(),
                        other: append.name.clone(),
                        seq,
                    });
                }
            }
            Outcome::Refused => violations.extend(place.map(|found| Violation::RefusedButThere {
                event: append.name.clone(),
                seq: found.seq,
            })),
            Outcome::Forgotten => violations.push(Violation::Forgotten {
                event: append.name.clone(),
            }),
            Outcome::Indeterminate => {}
        }
    }
    violations
}

fn check_place(append: &Append, seq: u64, place: Option<&Stored>) -> Option<Violation> {
    let event = append.name.clone();
    match place {
        None => Some(Violation::Lost { event, seq }),
        Some(found) if found.seq != seq => Some(Violation::Moved {
            event,
            seq,
            found: found.seq,
        }),
        Some(found) => check_epoch(append, found),
    }
}

/// A leader acknowledges what it appended itself; a later one may confirm it to who asks again.
fn check_epoch(append: &Append, stored: &Stored) -> Option<Violation> {
    let Outcome::Acknowledged {
        epoch, duplicate, ..
    } = append.outcome
    else {
        return None;
    };
    let fits = stored.epoch == epoch || (duplicate && stored.epoch < epoch);
    (!fits).then(|| Violation::WrongEpoch {
        event: append.name.clone(),
        told: epoch,
        stored: stored.epoch,
    })
}

type Places<'a> = HashMap<&'a str, &'a Stored>;

/// Where each payload is, and those that are there more than once.
fn places<'a>(appends: &[Append], log: &'a [Stored]) -> (Vec<Violation>, Places<'a>) {
    let mut places = Places::new();
    let mut repeated = HashMap::new();
    for stored in log {
        match places.entry(&stored.payload) {
            Entry::Vacant(entry) => {
                entry.insert(stored);
            }
            Entry::Occupied(_) => {
                repeated.entry(&*stored.payload).or_insert(stored.seq);
            }
        }
    }
    let violations = appends.iter().filter_map(|append| {
        let again = repeated.remove(&*append.payload)?;
        Some(Violation::Repeated {
            event: append.name.clone(),
            first: places[&*append.payload].seq,
            again,
        })
    });
    (violations.collect(), places)
}
