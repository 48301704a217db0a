//! A small network in memory that drives real replicas through everything that can go wrong, one
//! seed at a time, and looks at the invariants of protocol §18 after every step.
//!
//! ```text
//! cargo test -p tetrarch-replica --test network             # a few hundred seeds
//! TETRARCH_SEEDS=5000 cargo test -p tetrarch-replica …      # more of them
//! TETRARCH_SEED=1234 cargo test -p tetrarch-replica …       # that one, with its story
//! ```
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a seed tells its story"
)]

mod chance;
mod clients;
mod demand;
mod disk;
mod effects;
mod faults;
mod happenings;
mod invariants;
mod links;
mod node;
mod tally;
mod world;

use tally::Tally;
use world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, tell: bool) -> Tally {
    let mut world = World::new(seed, tell);
    world.chaos();
    world.heal();
    world.tally()
}

fn run_all(first: u64, count: u64) -> Tally {
    let mut total = Tally::default();
    for seed in first..first + count {
        let result = std::panic::catch_unwind(|| run(seed, false));
        match result {
            Ok(tally) => total.add(&tally),
            Err(cause) => {
                eprintln!("seed {seed} failed; run it alone with TETRARCH_SEED={seed}");
                std::panic::resume_unwind(cause);
            }
        }
    }
    total
}

/// Every seed keeps every invariant, and makes progress within ten election timeouts once the
/// faults stop (I27).
#[test]
fn chaos_keeps_the_invariants_and_heals() {
    if let Some(seed) = number("TETRARCH_SEED") {
        let tally = run(seed, true);
        println!("{tally:#?}");
        return;
    }
    let count = number("TETRARCH_SEEDS").unwrap_or(200);
    let tally = run_all(number("TETRARCH_FIRST").unwrap_or(1), count);
    println!("{tally:#?}");
    if count >= 200 {
        tally.assert_everything_happened();
    }
}

/// The same seed twice tells the same story (I29).
#[test]
fn a_run_is_determined_by_its_seed() {
    for seed in [3, 77] {
        assert_eq!(run(seed, false), run(seed, false));
    }
}
