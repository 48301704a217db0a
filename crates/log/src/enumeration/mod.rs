//! Crash enumeration. Scripted lives of a store are cut after every single step of the disk: each
//! block written, each sync, each change of a name. Of what was not synced then, every combination
//! of lost, kept and torn is tried, or a systematic part where there are too many; and the starts
//! after that are cut too. Each image must be explained by what the store had promised.
//!
//! It is the same code for the tests of every change and for a run of minutes
//! (`examples/crash_enumeration.rs`); only the sizes differ.

pub(crate) mod batches;
mod beneath;
mod choice;
mod flip;
mod forks;
mod group;
mod image;
mod life;
mod moment;
mod place;
pub(crate) mod promise;
mod sample;
mod scripts;
pub(crate) mod sizes;
mod steps;
mod tally;

use std::any::Any;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::channel::lock;
use crate::disk::Step;
pub use beneath::flips_beneath;
use choice::Effort;
pub use flip::{Bits, Flips, flips};
use moment::{Depth, Moment, Seen, StartSteps};
use place::Place;
pub use sample::Condition;
pub use scripts::{Script, scripts};
pub use tally::{Tally, Violation};

/// Violations after which it makes no sense to go on.
const ENOUGH: usize = 20;

/// How much is tried.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which scripts.
    pub scripts: Vec<Script>,
    /// Every combination of what a cut may have kept, if there are no more than this.
    pub all_upto: usize,
    /// Else so many images of a cut.
    pub images_per_cut: usize,
    /// The starts after every so many cuts are cut themselves.
    pub starts_after_every: u64,
    /// Of such a start every so many steps are cut.
    pub steps_of_a_start: u64,
    /// So many images of each cut of a start.
    pub images_per_start: usize,
    /// Further rounds, with more at random, until so many images were looked at.
    pub at_least: u64,
    /// What is drawn at random.
    pub seed: u64,
    /// On how many threads.
    pub threads: usize,
}

impl Plan {
    /// What every change must pass.
    #[must_use]
    pub fn quick(scripts: Vec<Script>) -> Self {
        Self {
            scripts,
            all_upto: 16,
            images_per_cut: 12,
            starts_after_every: 9,
            steps_of_a_start: 11,
            images_per_start: 3,
            at_least: 0,
            seed: 1,
            threads: 1,
        }
    }

    /// What is run for minutes.
    #[must_use]
    pub fn long(scripts: Vec<Script>) -> Self {
        Self {
            scripts,
            all_upto: 1300,
            images_per_cut: 400,
            starts_after_every: 3,
            steps_of_a_start: 2,
            images_per_start: 6,
            at_least: 1_000_000,
            seed: 1,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn depth(&self, round: u64, step: u64) -> Depth {
        let seed = self.seed.wrapping_mul(1_000_003) + round * 65_537 + step;
        let more = usize::try_from(round + 1).unwrap_or(1);
        let effort = |all_upto, images| Effort {
            all_upto,
            images: images * more,
            seed,
        };
        let cuts_start = (step + round).is_multiple_of(self.starts_after_every);
        let steps = StartSteps {
            every: self.steps_of_a_start,
            from: round % self.steps_of_a_start,
            // The two numbers have no common divisor.
            are_new: round < self.starts_after_every * self.steps_of_a_start,
        };
        Depth {
            images: effort(self.all_upto, self.images_per_cut),
            again: effort(self.images_per_start, self.images_per_start),
            starts: cuts_start.then_some(steps),
            is_first: round == 0,
        }
    }
}

/// One script with its steps and the images of it that were looked at.
struct Course<'a> {
    script: &'a Script,
    steps: Vec<Step>,
    seen: Seen,
}

/// Tries everything that the plan demands.
#[must_use]
pub fn power_cuts(plan: &Plan) -> Tally {
    let courses: Vec<Course<'_>> = plan
        .scripts
        .iter()
        .map(|script| Course {
            script,
            steps: script.steps(),
            seen: Mutex::new(HashSet::new()),
        })
        .collect();
    let moments: Vec<(&Course<'_>, usize)> = courses
        .iter()
        .flat_map(|course| (0..=course.steps.len()).map(move |step| (course, step)))
        .collect();
    let mut total = Tally::default();
    for round in 0.. {
        let before = total.images;
        total.add(one_round(plan, round, &moments));
        let is_done = total.images >= plan.at_least || total.images == before;
        if is_done || total.violations.len() >= ENOUGH {
            break;
        }
    }
    total
}

fn one_round(plan: &Plan, round: u64, moments: &[(&Course<'_>, usize)]) -> Tally {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                while let Some((course, step)) = moments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if lock(&total).violations.len() >= ENOUGH {
                        break;
                    }
                    let moment = Moment {
                        script: course.script,
                        step: *step as u64,
                        before: course.steps.get(*step),
                        seen: &course.seen,
                    };
                    let explored = moment.explore(&plan.depth(round, *step as u64));
                    lock(&total).add(explored);
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic has said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}

/// Looks once more at one image, by the place that a violation names. Panics as the first look did.
///
/// # Errors
/// If there is no such place.
pub fn replay(place: &str) -> Result<(), String> {
    let place: Place = place.parse()?;
    let all = scripts();
    let script = all.iter().find(|script| script.name == place.script);
    let script = script.ok_or_else(|| format!("there is no script '{}'", place.script))?;
    script.look_at(&place);
    Ok(())
}
