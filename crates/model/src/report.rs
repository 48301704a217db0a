//! What is printed.

use tetrarch_model::{Exhausted, Kill, Violation, Walked};

/// Tells what visiting every state has shown. `lacks` names the option without which a thing cannot
/// happen.
pub(crate) fn exhausted(
    found: &Exhausted,
    lacks: impl Fn(&str) -> Option<&'static str>,
) -> Result<(), String> {
    let Exhausted {
        unique,
        made,
        depth,
        elapsed,
        ..
    } = found;
    let seconds = elapsed.as_secs_f64();
    println!("{unique} states, {made} made, {depth} deep, {seconds:.1} s");
    for name in &found.missing {
        let note = lacks(name).map(|option| format!(" (needs {option})"));
        println!("never: {name}{}", note.unwrap_or_default());
    }
    match &found.violation {
        Some(violation) => Err(told(violation)),
        None => Ok(()),
    }
}

/// Tells what walks have shown.
pub(crate) fn walked(walked: &Walked) -> Result<(), String> {
    let (count, steps) = (walked.walks, walked.steps);
    let seconds = walked.elapsed.as_secs_f64();
    println!("{count} walks, {steps} steps, {seconds:.1} s");
    match &walked.violation {
        Some((seed, violation)) => Err(format!("seed {seed}: {}", told(violation))),
        None => Ok(()),
    }
}

fn told(violation: &Violation) -> String {
    let mut told = format!("not so: {}", violation.property);
    for step in &violation.steps {
        told += &format!("\n  {step}");
    }
    told
}

/// Tells what became of each mutant.
pub(crate) fn mutants(kills: impl IntoIterator<Item = Kill>) -> Result<(), String> {
    println!("| mutant | every state | | random walks | |");
    println!("|---|---|---|---|---|");
    let mut survivors = Vec::new();
    for kill in kills {
        let (mutant, states) = (kill.mutant, by_states(&kill));
        println!("| {mutant} | {states} | {} |", by_walks(&kill));
        if !kill.is_certain() {
            survivors.push(mutant);
        }
    }
    if survivors.is_empty() {
        Ok(())
    } else {
        Err(format!("not noticed: {}", survivors.join(", ")))
    }
}

fn by_states(kill: &Kill) -> String {
    let Some(found) = &kill.exhausted else {
        return "too deep | –".into();
    };
    let (unique, seconds) = (found.unique, found.elapsed.as_secs_f64());
    match &found.violation {
        Some(violation) => {
            let (property, steps) = (violation.property, violation.steps.len());
            format!("{property} | {steps} steps, {unique} states, {seconds:.1} s")
        }
        None => format!("**survives** | {unique} states, {seconds:.1} s"),
    }
}

fn by_walks(kill: &Kill) -> String {
    let walked = &kill.walked;
    let (walks, seconds) = (walked.walks, walked.elapsed.as_secs_f64());
    match &walked.violation {
        Some((_, violation)) => {
            let (property, steps) = (violation.property, violation.steps.len());
            format!("{property} | walk {walks}, {steps} steps, {seconds:.2} s")
        }
        None => format!("**survives** | {walks} walks, {seconds:.1} s"),
    }
}
