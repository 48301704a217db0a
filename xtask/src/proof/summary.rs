//! The proof in words and tables.

use std::fmt::Write;

use serde_json::Value;

const HEAD: &str = "\
# What the long ladder came to

Written by `cargo xtask proof`; `RELIABILITY.json` holds the same for programs. What each rung tries
is in [proof.md](proof.md).
";

/// Everything that a proof says.
pub(super) fn markdown(proof: &Value) -> String {
    let mut text = HEAD.to_owned();
    let commit = proof["revision"]["commit"].as_str().unwrap_or("unknown");
    say(
        &mut text,
        format_args!(
            "\nCommit `{commit}`, {} cores, {}.\n",
            proof["cores"],
            word(&proof["toolchain"])
        ),
    );
    let rungs: &[Value] = proof["rungs"].as_array().map_or(&[], Vec::as_slice);
    text.push_str("\n| rung | command | took | result |\n|---|---|---|---|\n");
    for rung in rungs {
        let result = if rung["passed"] == true {
            "passed"
        } else {
            "**failed**"
        };
        say(
            &mut text,
            format_args!(
                "| {} | `{}` | {} s | {result} |\n",
                word(&rung["name"]),
                word(&rung["command"]),
                rung["seconds"]
            ),
        );
    }
    for rung in rungs {
        match rung["name"].as_str() {
            Some("simulation") => simulation(&mut text, &rung["report"]),
            Some("mutants") => mutants(&mut text, &rung["report"]),
            Some(name) => say(
                &mut text,
                format_args!("\n## {name}\n\n`{}`\n", word(&rung["last_words"])),
            ),
            None => {}
        }
    }
    text
}

fn simulation(text: &mut String, report: &Value) {
    let failures = report["failures"].as_array().map_or(0, Vec::len);
    say(
        text,
        format_args!(
            "\n## simulation\n\n{} seeds, {failures} failed; {:.0} virtual hours; {} events \
             acknowledged and checked; fingerprint `{}`.\n\n| what was met | times |\n|---|---|\n",
            report["seeds"],
            report["virtual_hours"].as_f64().unwrap_or(0.0),
            report["acknowledged_and_checked"],
            word(&report["fingerprint"]),
        ),
    );
    for (what, times) in report["counts"].as_object().into_iter().flatten() {
        say(text, format_args!("| {what} | {times} |\n"));
    }
}

fn mutants(text: &mut String, report: &Value) {
    text.push_str("\n## mutants\n\n| mistake | noticed by | seed | s |\n|---|---|---|---|\n");
    for row in report.as_array().into_iter().flatten() {
        let seconds = row["seconds"].as_f64().unwrap_or(0.0);
        say(
            text,
            format_args!(
                "| {} | {} | {} | {seconds:.1} |\n",
                word(&row["mistake"]).trim_end_matches('.'),
                row["noticed_by"].as_str().unwrap_or("**nothing**"),
                row["seed"],
            ),
        );
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn say(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_failed_and_what_was_not_noticed_is_said() {
        let row = json!({ "mistake": "Wrong.", "noticed_by": null, "seed": null, "seconds": 1.25 });
        let proof = json!({ "rungs": [
            { "name": "mutants", "command": "cargo x", "passed": false, "seconds": 3, "report": [row] },
            { "name": "simulation", "passed": true, "report": { "seeds": 7, "failures": [1], "counts": { "kills": 5 } } },
        ]});
        let text = markdown(&proof);
        assert!(
            text.contains("| mutants | `cargo x` | 3 s | **failed** |"),
            "{text}"
        );
        assert!(
            text.contains("| Wrong | **nothing** | null | 1.2 |"),
            "{text}"
        );
        assert!(text.contains("7 seeds, 1 failed"), "{text}");
        assert!(text.contains("| kills | 5 |"), "{text}");
    }
}
