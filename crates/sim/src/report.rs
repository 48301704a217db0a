//! What many runs came to, for the terminal and as JSON.

use serde_json::{Value, json};

use crate::run::Sum;

/// How many failures are told.
const MOST_TOLD: usize = 20;

/// Prints the failures and the counts.
pub(crate) fn print(sum: &Sum, seconds: f64) {
    for failure in sum.failures.iter().take(MOST_TOLD) {
        eprintln!("seed {}: {}", failure.seed, failure.why);
        eprintln!(
            "  tetrarch-sim replay --seed {} --trace out.ndjson",
            failure.seed
        );
    }
    for (what, count) in sum.tally.counts() {
        println!("{count:>12}  {what}");
    }
    let tally = &sum.tally;
    println!("{:>12}  steps", tally.steps);
    println!("{:>12}  events", tally.events);
    println!("{:>12}  packets lost", tally.lost_packets);
    println!(
        "{:>12}  events acknowledged and checked",
        tally.acknowledged
    );
    println!(
        "{} seeds, {} failed, {:.1} virtual hours in {seconds:.1} s: {:.0} times real time, fingerprint {:016x}",
        sum.seeds,
        sum.failures.len(),
        virtual_hours(sum),
        virtual_hours(sum) * 3600.0 / seconds,
        sum.hash
    );
}

/// The same for programs.
pub(crate) fn json(sum: &Sum, seconds: f64) -> Value {
    let counts: serde_json::Map<String, Value> = sum
        .tally
        .counts()
        .map(|(what, count)| (what.to_owned(), json!(count)))
        .collect();
    let failures = sum.failures.iter();
    let failures: Vec<Value> = failures
        .map(|failure| json!({ "seed": failure.seed, "why": failure.why }))
        .collect();
    json!({
        "seeds": sum.seeds,
        "failures": failures,
        "virtual_hours": virtual_hours(sum),
        "seconds": seconds,
        "acknowledged_and_checked": sum.tally.acknowledged,
        "steps": sum.tally.steps,
        "packets_lost": sum.tally.lost_packets,
        "fingerprint": format!("{:016x}", sum.hash),
        "counts": counts,
    })
}

fn virtual_hours(sum: &Sum) -> f64 {
    sum.tally.nanoseconds as f64 / 1e9 / 3600.0
}
