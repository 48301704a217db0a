//! The proof in words and tables.

use std::fmt::Write;

use serde_json::{Map, Value};

const HEAD: &str = "\
# What the long ladder came to

Written by `cargo xtask proof`; `RELIABILITY.json` holds the same for programs. What each rung tries
is in [proof.md](proof.md).
";

/// Everything that the rungs came to, in this order.
pub(super) fn markdown<'a>(
    proof: &Map<String, Value>,
    order: impl Iterator<Item = &'a str>,
) -> String {
    let mut text = HEAD.to_owned();
    let climbed: Vec<(&str, &Value)> = order
        .filter_map(|name| proof.get(name).map(|result| (name, result)))
        .collect();
    text.push_str(
        "\n| rung | commit | cores | command | took | result |\n|---|---|---|---|---|---|\n",
    );
    for (name, result) in &climbed {
        let tried = &result["tried"];
        let changed = tried["changed_since"] == true;
        let came_to = match (&result["passed"], &result["report"]["skipped"]) {
            (Value::Bool(true), Value::String(_)) => "passed, a part **SKIPPED**",
            (Value::Bool(true), _) => "passed",
            _ => "**failed**",
        };
        say(
            &mut text,
            format_args!(
                "| {name} | `{:.10}`{} | {} | `{}` | {} s | {} |\n",
                word(&tried["commit"]),
                if changed { " and changes" } else { "" },
                tried["cores"],
                word(&result["command"]),
                result["seconds"],
                came_to,
            ),
        );
    }
    for (name, result) in climbed {
        let report = &result["report"];
        match name {
            "simulation" => simulation(&mut text, report),
            "mutants" => mutants(&mut text, report),
            "fuzz" => fuzz(&mut text, report),
            "power-cuts" => power_cuts(&mut text, report),
            _ => last_words(&mut text, name, word(&result["last_words"])),
        }
    }
    text
}

/// What a rung without a report said last; one that said nothing is in the table alone.
fn last_words(text: &mut String, name: &str, words: &str) {
    if !words.is_empty() {
        say(text, format_args!("\n## {name}\n\n`{words}`\n"));
    }
}

fn power_cuts(text: &mut String, report: &Value) {
    let wrong = report["violations"].as_array().map_or(0, Vec::len);
    say(
        text,
        format_args!(
            "\n## power-cuts\n\n{} different disks after {} power cuts and {} kills, {wrong} \
             violations.\n\n| a directory | bits flipped | harmless | noticed | in the last group |\n\
             |---|---|---|---|---|\n",
            report["images"], report["cuts"], report["kills"],
        ),
    );
    for (condition, found) in report["flips"].as_object().into_iter().flatten() {
        say(
            text,
            format_args!(
                "| {condition} | {} | {} | {} | {} |\n",
                found["flips"], found["harmless"], found["noticed"], found["last_group"],
            ),
        );
    }
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

fn fuzz(text: &mut String, report: &Value) {
    let kept = report["kept_inputs"].as_object().into_iter().flatten();
    let kept: u64 = kept.filter_map(|(_, count)| count.as_u64()).sum();
    let tests = &report["replay_tests"];
    say(
        text,
        format_args!("\n## fuzz\n\n{kept} kept inputs, replayed by {tests} tests.\n"),
    );
    if let Some(why) = report["skipped"].as_str() {
        say(text, format_args!("\nThe fuzzer was **SKIPPED**: {why}\n"));
        return;
    }
    text.push_str("\n| target | executions | s | MiB | result |\n|---|---|---|---|---|\n");
    for target in report["targets"].as_array().into_iter().flatten() {
        let passed = target["passed"] == true;
        say(
            text,
            format_args!(
                "| {} | {} | {} | {} | {} |\n",
                word(&target["name"]),
                target["executions"],
                target["seconds"],
                target["peak_mib"],
                if passed { "passed" } else { "**failed**" },
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
        let tried = json!({ "commit": "0123456789abcdef", "changed_since": true, "cores": 2 });
        let proof = json!({
            "mutants": { "command": "cargo x", "passed": false, "seconds": 3, "report": [row], "tried": tried },
            "simulation": { "passed": true, "report": { "seeds": 7, "failures": [1], "counts": { "kills": 5 } } },
        });
        let order = ["simulation", "mutants", "chaos"].into_iter();
        let text = markdown(proof.as_object().unwrap(), order);
        assert!(
            text.contains(
                "| mutants | `0123456789` and changes | 2 | `cargo x` | 3 s | **failed** |"
            ),
            "{text}"
        );
        assert!(
            text.contains("| Wrong | **nothing** | null | 1.2 |"),
            "{text}"
        );
        assert!(text.contains("7 seeds, 1 failed"), "{text}");
        assert!(text.contains("| kills | 5 |"), "{text}");
    }

    #[test]
    fn a_fuzzer_that_did_not_run_is_said_to_be_skipped() {
        let report =
            json!({ "kept_inputs": { "wal": 2 }, "replay_tests": 9, "skipped": "no nightly" });
        let told = |report| {
            let proof = json!({ "fuzz": { "passed": true, "report": report } });
            markdown(proof.as_object().unwrap(), ["fuzz"].into_iter())
        };
        let text = told(report);
        assert!(text.contains("| passed, a part **SKIPPED** |"), "{text}");
        assert!(
            text.contains("The fuzzer was **SKIPPED**: no nightly"),
            "{text}"
        );
        let target = json!({ "name": "wal", "executions": 70, "seconds": 2, "peak_mib": 40, "passed": false });
        let text = told(json!({ "skipped": null, "targets": [target] }));
        assert!(
            text.contains("| wal | 70 | 2 | 40 | **failed** |"),
            "{text}"
        );
    }
}
