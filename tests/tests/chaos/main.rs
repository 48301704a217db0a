//! Overlapping faults over real processes, and one log that must explain what clients saw.
//!
//! `TETRARCH_CHAOS_SECONDS` makes the trouble last longer, `TETRARCH_CHAOS_SEED` repeats its faults.

mod clients;
mod damage;
mod experiment;
mod fault;
mod full_disk;
mod impose;
mod produce;
mod public_failures;
mod read;
mod record;
mod workload;

use std::sync::{Mutex, MutexGuard, PoisonError};

use experiment::Experiment;
use fault::Kind;

/// The channel of all experiments.
const CHANNEL: &str = "orders";

/// Experiments need the machine for themselves, also where tests are run without nextest.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn nodes_are_killed_again_and_again() {
    let _alone = alone();
    Experiment {
        name: "kill storm",
        nodes: 3,
        kinds: &[Kind::Kill, Kind::Kill, Kind::Kill, Kind::Relinquish],
        interval: (300, 1_500),
    }
    .run();
}

#[test]
fn nodes_stand_still_again_and_again() {
    let _alone = alone();
    Experiment {
        name: "pause storm",
        nodes: 3,
        kinds: &[Kind::Pause, Kind::Pause, Kind::Pause, Kind::Relinquish],
        interval: (500, 2_000),
    }
    .run();
}

#[test]
fn the_whole_mesh_is_killed_again_and_again() {
    let _alone = alone();
    Experiment {
        name: "whole-mesh kills",
        nodes: 3,
        kinds: &[Kind::KillAll, Kind::KillAll, Kind::Kill],
        interval: (1_500, 4_000),
    }
    .run();
}

#[test]
fn links_lose_double_delay_and_reorder() {
    let _alone = alone();
    Experiment {
        name: "lossy links",
        nodes: 3,
        kinds: &[
            Kind::Degrade,
            Kind::Degrade,
            Kind::Degrade,
            Kind::Relinquish,
        ],
        interval: (300, 1_500),
    }
    .run();
}

#[test]
fn the_network_falls_apart_in_every_way() {
    let _alone = alone();
    Experiment {
        name: "partitions",
        nodes: 5,
        kinds: &[Kind::CutOneWay, Kind::Isolate, Kind::Bridge],
        interval: (500, 2_500),
    }
    .run();
}

#[test]
fn everything_at_once() {
    let _alone = alone();
    Experiment {
        name: "everything",
        nodes: 3,
        kinds: &[
            Kind::Kill,
            Kind::Kill,
            Kind::KillAll,
            Kind::Pause,
            Kind::Pause,
            Kind::Degrade,
            Kind::Degrade,
            Kind::CutOneWay,
            Kind::Isolate,
            Kind::Bridge,
            Kind::Relinquish,
        ],
        interval: (300, 1_500),
    }
    .run();
}
