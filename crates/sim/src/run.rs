//! Runs: one seed, or many of them on several threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{swarm::Limits, tally::Tally, trace::Trace, world::World};

/// What a run came to.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) hash: u64,
}

/// A run that broke an invariant.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) why: String,
}

/// Runs one seed: chaos, then the heal.
///
/// # Panics
/// If an invariant is broken; the message begins with its number.
pub(crate) fn run(seed: u64, limits: &Limits, trace: Trace) -> Outcome {
    let mut world = World::new(seed, limits, trace);
    world.chaos();
    world.heal();
    Outcome {
        tally: world.tally,
        hash: world.trace.hash(),
    }
}

/// As [`run`], with the broken invariant as an error.
pub(crate) fn try_run(seed: u64, limits: &Limits, trace: Trace) -> Result<Outcome, Failure> {
    let caught = catch_unwind(AssertUnwindSafe(|| run(seed, limits, trace)));
    caught.map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Failure {
            seed,
            why: text.unwrap_or_else(|| "no message".to_owned()),
        }
    })
}

/// What many runs came to.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) seeds: u64,
    pub(crate) tally: Tally,
    /// Does not depend on which thread ran which seed.
    pub(crate) hash: u64,
    pub(crate) failures: Vec<Failure>,
}

/// Runs `count` seeds from `first` on, as long as `goes_on` says so after each.
pub(crate) fn run_while(
    (first, count): (u64, u64),
    threads: usize,
    limits: &Limits,
    goes_on: impl Fn(&Sum) -> bool + Sync,
) -> Sum {
    let next = AtomicU64::new(first);
    let is_over = AtomicBool::new(false);
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = try_run(seed, limits, Trace::silent());
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.seeds += 1;
                    match outcome {
                        Ok(outcome) => {
                            sum.tally.add(&outcome.tally);
                            sum.hash ^= outcome.hash.wrapping_mul(seed | 1);
                        }
                        Err(failure) => sum.failures.push(failure),
                    }
                    is_over.fetch_or(!goes_on(&sum), Ordering::Relaxed);
                }
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.failures.sort_by_key(|failure| failure.seed);
    sum
}
