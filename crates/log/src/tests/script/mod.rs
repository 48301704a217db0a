//! Long lives, drawn at random: groups of every kind of change, flushes with a commit in the middle
//! of them, a disk that refuses, runs full and fails to sync, and stops of all kinds at any step,
//! one after the other on the same store, recovery included. After every stop the store is held
//! against what it has promised, from outside by `verify` and from inside by `open`.
//!
//! `TETRARCH_CRASH_CASES` says how many lives, `TETRARCH_CRASH_SEED` which.

mod act;
mod player;

use proptest::test_runner::{Config, RngSeed, TestRunner};

/// A number from the environment.
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_long_life_with_crashes_keeps_every_promise() {
    let cases = from_environment("TETRARCH_CRASH_CASES").unwrap_or(1500);
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        rng_seed: RngSeed::Fixed(from_environment("TETRARCH_CRASH_SEED").unwrap_or(1)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let lived = TestRunner::new(config).run(&act::life(), |life| {
        player::play(&life);
        Ok(())
    });
    if let Err(failure) = lived {
        panic!("{failure}");
    }
}
