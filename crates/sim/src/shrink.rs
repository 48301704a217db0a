//! The smallest mesh in which a seed still fails.

use std::process::ExitCode;

use crate::{
    run::{Failure, try_run},
    swarm::Limits,
    trace::Trace,
};

/// One bound, made smaller.
type Bound = fn(&Limits, u64) -> Limits;

const BOUNDS: [Bound; 5] = [
    |limits, n| Limits {
        nodes: small(n),
        ..limits.clone()
    },
    |limits, n| Limits {
        channels: small(n),
        ..limits.clone()
    },
    |limits, n| Limits {
        clients: small(n),
        ..limits.clone()
    },
    |limits, n| Limits {
        seconds: n * n,
        ..limits.clone()
    },
    |limits, n| Limits {
        faults: n * n * n,
        ..limits.clone()
    },
];

/// Each bound is made as small as it can be while the seed still fails, until none can be made
/// smaller. Another bound draws another run, so what fails in the end may be another failure of the
/// same code.
pub(crate) fn run(seed: u64) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let mut smallest = Limits::default();
    let Some(mut failure) = fails(seed, &smallest) else {
        eprintln!("seed {seed} keeps every invariant");
        return ExitCode::SUCCESS;
    };
    let mut is_smaller = true;
    while is_smaller {
        is_smaller = false;
        for bound in BOUNDS {
            let tried = (1..16).map(|n| bound(&smallest, n));
            let smaller = tried.filter(|limits| limits.are_within(&smallest));
            let found = smaller
                .into_iter()
                .find_map(|limits| Some((fails(seed, &limits)?, limits)));
            if let Some((why, limits)) = found {
                println!("{limits:?}");
                (failure, smallest, is_smaller) = (why, limits, true);
            }
        }
    }
    println!("{}", failure.why);
    let Limits {
        nodes,
        channels,
        clients,
        faults,
        seconds,
    } = smallest;
    println!(
        "tetrarch-sim replay --seed {seed} --nodes {nodes} --channels {channels} \
         --clients {clients} --faults {faults} --seconds {seconds} --trace out.ndjson"
    );
    ExitCode::FAILURE
}

fn fails(seed: u64, limits: &Limits) -> Option<Failure> {
    try_run(seed, limits, Trace::silent()).err()
}

fn small(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
