//! One seed again, told: every step as a line of JSON, and what happened to whom as text or as a
//! picture.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use crate::{
    Bounds,
    run::try_run,
    timeline::{self, Timeline},
    trace::Trace,
};

/// Without `--from` and `--to` this much before the end is told in words, in nanoseconds.
const LAST: u64 = 3_000_000_000;

#[derive(Args)]
pub(crate) struct Options {
    /// Which.
    #[arg(long)]
    seed: u64,
    /// Where to write the steps, a line of JSON each.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Where to draw who had which role when, and what went wrong.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// From this second of the run on.
    #[arg(long)]
    from: Option<f64>,
    /// Until this second of the run.
    #[arg(long)]
    to: Option<f64>,
    #[command(flatten)]
    limits: Bounds,
}

/// Runs it, and fails if it breaks an invariant.
pub(crate) fn run(options: Options) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    match told(options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn told(options: Options) -> io::Result<ExitCode> {
    let seed = options.seed;
    let timeline = timeline::Shared::default();
    let trace = match &options.trace {
        Some(path) => Trace::to(BufWriter::new(create(path)?)),
        None => Trace::silent(),
    };
    let outcome = try_run(seed, &options.limits.into(), trace.with(&timeline));
    let timeline = timeline.borrow();
    let (said, code) = match &outcome {
        Ok(outcome) => (
            format!("keeps every invariant, fingerprint {:016x}", outcome.hash),
            ExitCode::SUCCESS,
        ),
        Err(failure) => (failure.why.clone(), ExitCode::FAILURE),
    };
    let whole = stretch(&timeline, (options.from, options.to), u64::MAX);
    if let Some(path) = &options.svg {
        let title = format!("seed {seed}: {}", said.lines().next().unwrap_or_default());
        let picture = timeline::draw(&timeline, whole, &title);
        std::fs::write(path, picture).map_err(|error| unwritten(path, &error))?;
    }
    let last = stretch(&timeline, (options.from, options.to), LAST);
    print!("{}", timeline::tell(&timeline, last));
    eprintln!("seed {seed}: {said}");
    Ok(code)
}

/// What is wanted of a run, or the last `most` nanoseconds of it.
fn stretch(timeline: &Timeline, (from, to): (Option<f64>, Option<f64>), most: u64) -> (u64, u64) {
    let nanoseconds = |seconds: f64| std::time::Duration::try_from_secs_f64(seconds);
    let at = |seconds: Option<f64>| {
        let span = nanoseconds(seconds?).ok()?;
        u64::try_from(span.as_nanos()).ok()
    };
    let end = at(to).unwrap_or_else(|| timeline.end());
    (at(from).unwrap_or_else(|| end.saturating_sub(most)), end)
}

fn create(path: &PathBuf) -> io::Result<File> {
    File::create(path).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &std::path::Path, error: &io::Error) -> io::Error {
    let said = format!("{} cannot be written: {error}", path.display());
    io::Error::new(error.kind(), said)
}
