//! Cuts the power of a store everywhere, and changes every byte of a store, for minutes. The tests
//! do the same in small.
//!
//! `cargo run --release -p tetrarch-log --features simulation --example crash_enumeration`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for the terminal that measures time"
)]

use std::any::Any;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use tetrarch_log::enumeration::{
    Bits, Condition, Flips, Plan, Tally, Violation, flips, flips_beneath, power_cuts, replay,
    scripts,
};

const USAGE: &str = "\
usage: crash_enumeration [OPTION]...
       crash_enumeration replay PLACE

  --images N       look at no fewer than so many images (1,000,000)
  --script NAME    of one script only, and flip nothing
  --quick          as many as the tests look at
  --directory N    flip the bytes of a directory N times as large as the smallest (1)
  --bits each|one  which bits of a byte are flipped (each)
  --threads N      on so many threads (one for each core)
  --seed N         draw others
  --report FILE    write what was tried and found as JSON";

/// What is asked for.
struct Wanted {
    plan: Plan,
    flips: bool,
    directory: usize,
    bits: Bits,
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [word, place] if word == "replay" => replay(place).map(|()| true),
        _ => wanted(&arguments).and_then(|wanted| {
            // A panic is a violation, and told as one.
            std::panic::set_hook(Box::new(|_| {}));
            let run = std::panic::catch_unwind(|| run(&wanted));
            run.unwrap_or_else(|panic| Err(format!("without any power cut: {}", said(&*panic))))
        }),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(arguments: &[String]) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        plan: Plan::long(scripts()),
        flips: true,
        directory: 1,
        bits: Bits::Each,
        report: None,
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        match option.as_str() {
            "--quick" => wanted.plan = Plan::quick(wanted.plan.scripts),
            _ => {
                let value = rest.next().ok_or_else(|| format!("{option} and then?"))?;
                set(&mut wanted, option, value)?;
            }
        }
    }
    Ok(wanted)
}

fn set(wanted: &mut Wanted, option: &str, value: &str) -> Result<(), String> {
    let number = || {
        value
            .parse::<u64>()
            .map_err(|error| format!("{option} {value}: {error}"))
    };
    let small = || number().map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    match option {
        "--images" => wanted.plan.at_least = number()?,
        "--report" => wanted.report = Some(value.into()),
        "--seed" => wanted.plan.seed = number()?,
        "--threads" => wanted.plan.threads = small()?,
        "--directory" => wanted.directory = small()?.max(1),
        "--bits" if value == "each" => wanted.bits = Bits::Each,
        "--bits" if value == "one" => wanted.bits = Bits::One,
        "--script" => {
            wanted.flips = false;
            wanted.plan.scripts.retain(|script| script.name == value);
            if wanted.plan.scripts.is_empty() {
                return Err(format!("there is no script '{value}'"));
            }
        }
        _ => return Err(format!("there is no option '{option} {value}'")),
    }
    Ok(())
}

/// Says whether everything held.
fn run(wanted: &Wanted) -> Result<bool, String> {
    let begun = Instant::now();
    let tally = power_cuts(&wanted.plan);
    let cut_seconds = begun.elapsed().as_secs_f64();
    tell_cuts(&tally, cut_seconds);
    let all = if wanted.flips {
        flip(wanted)
    } else {
        Vec::new()
    };
    let flipped: u64 = all.iter().map(|(_, found)| found.flips).sum();
    let seconds = begun.elapsed().as_secs_f64();
    let wrong: Vec<&Violation> = all
        .iter()
        .flat_map(|(_, found)| &found.violations)
        .chain(&tally.violations)
        .collect();
    println!(
        "{} images of {} cuts, {flipped} flips, {} violations, {seconds:.0} s",
        tally.images,
        tally.cuts,
        wrong.len()
    );
    if let Some(path) = &wanted.report {
        let report = as_json(&tally, &all, &wrong, (cut_seconds, seconds));
        std::fs::write(path, format!("{report:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(wrong.is_empty())
}

fn said(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

/// Flips everything, in each condition of a directory and beneath an open store.
fn flip(wanted: &Wanted) -> Vec<(String, Flips)> {
    let Wanted {
        plan,
        directory,
        bits,
        ..
    } = wanted;
    let stopped = Condition::ALL.into_iter().map(|condition| {
        let found = flips(condition, *directory, *bits, plan.threads);
        (format!("{condition:?}").to_lowercase(), found)
    });
    let open = std::iter::once_with(|| ("open".to_owned(), flips_beneath(*directory, *bits)));
    stopped
        .chain(open)
        .inspect(|(condition, found)| tell_flips(condition, found))
        .collect()
}

fn tell_cuts(tally: &Tally, seconds: f64) {
    for (script, images) in &tally.by_script {
        eprintln!("{images:>10}  images of {script}");
    }
    let Tally {
        combinations,
        with_more,
        unformatted,
        refused,
        kills,
        ..
    } = tally;
    eprintln!("{combinations:>10}  combinations tried");
    eprintln!("{with_more:>10}  images with the group that was under way");
    eprintln!("{unformatted:>10}  images that were to be formatted once more");
    eprintln!("{refused:>10}  images that could not be opened for want of room");
    eprintln!("{kills:>10}  kills");
    eprintln!("{:>10.0}  images a second", tally.images as f64 / seconds);
    tell_violations(&tally.violations);
}

fn tell_flips(condition: &str, found: &Flips) {
    let Flips {
        bytes,
        flips,
        harmless,
        noticed,
        torn,
        ..
    } = found;
    eprintln!(
        "{flips:>10}  flips of {bytes} bytes, {condition}: {harmless} harmless, {noticed} noticed, \
         {torn} in the last group"
    );
    tell_violations(&found.violations);
}

fn tell_violations(violations: &[Violation]) {
    for Violation { place, before, why } in violations.iter().take(20) {
        eprintln!("{place} before {before}: {why}");
    }
}

fn as_json(
    tally: &Tally,
    all: &[(String, Flips)],
    wrong: &[&Violation],
    (cut_seconds, seconds): (f64, f64),
) -> serde_json::Value {
    let flips: serde_json::Map<String, serde_json::Value> = all
        .iter()
        .map(|(condition, found)| {
            let counts = json!({
                "bytes": found.bytes,
                "flips": found.flips,
                "harmless": found.harmless,
                "noticed": found.noticed,
                "last_group": found.torn,
            });
            (condition.clone(), counts)
        })
        .collect();
    let wrong: Vec<serde_json::Value> = wrong
        .iter()
        .map(|one| json!({"place": one.place, "before": one.before, "why": one.why}))
        .collect();
    json!({
        "cuts": tally.cuts,
        "combinations": tally.combinations,
        "images": tally.images,
        "images_by_script": tally.by_script,
        "kills": tally.kills,
        "cut_seconds": cut_seconds,
        "flips": flips,
        "violations": wrong,
        "seconds": seconds,
    })
}
