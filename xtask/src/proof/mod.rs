//! The long ladder: everything that can be tried for hours, one rung after the other, and what it
//! came to, as `RELIABILITY.json` for programs and `docs/reliability.md` for people.

mod rung;
mod summary;

use std::fs;

use serde_json::{Value, json};

use crate::workspace;
use rung::rungs;

/// Climbs every rung for about so many hours altogether, and writes what it came to. A rung that
/// fails is written down as well.
///
/// # Errors
/// If a rung has failed, or the reports cannot be written.
pub(crate) fn run(hours: &str) -> Result<(), String> {
    let hours: f64 = match hours.parse() {
        Ok(hours) if hours > 0.0 && hours < 10_000.0 => hours,
        _ => return Err(format!("{hours} is no number of hours")),
    };
    let folder = workspace::root().join("target/proof");
    fs::create_dir_all(&folder).map_err(|error| format!("{folder:?}: {error}"))?;
    let mut results = Vec::new();
    for rung in rungs(hours, &folder) {
        println!("── {} ──", rung.name);
        results.push(rung.climb());
    }
    let failed: Vec<String> = results
        .iter()
        .filter(|result| result["passed"] != json!(true))
        .map(|result| result["name"].to_string())
        .collect();
    let proof = json!({
        "revision": revision(),
        "toolchain": said("rustc", &["--version"]),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "rungs": results,
    });
    write("RELIABILITY.json", &format!("{proof:#}\n"))?;
    write("docs/reliability.md", &summary::markdown(&proof))?;
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("these have failed: {}", failed.join(", ")))
    }
}

fn write(name: &str, text: &str) -> Result<(), String> {
    let path = workspace::root().join(name);
    fs::write(&path, text).map_err(|error| format!("{path:?}: {error}"))
}

/// The commit that is tried, and whether anything was changed since.
fn revision() -> Value {
    let commit = said("git", &["rev-parse", "HEAD"]);
    let changed = !said("git", &["status", "--porcelain"]).is_empty();
    json!({ "commit": commit, "changed_since": changed })
}

/// What a program says, or nothing.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program)
        .args(arguments)
        .current_dir(workspace::root())
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_a_positive_number() {
        for wrong in ["", "many", "-1", "0", "NaN", "1e9"] {
            assert!(run(wrong).is_err(), "{wrong}");
        }
    }
}
