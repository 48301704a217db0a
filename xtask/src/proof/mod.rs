//! The long ladder: everything that can be tried for hours, one rung after the other, and what it
//! came to, as `RELIABILITY.json` for programs and `docs/reliability.md` for people.

mod rung;
mod summary;

use std::{fs, io::ErrorKind};

use serde_json::{Map, Value, json};

use crate::workspace;
use rung::rungs;

/// Climbs every rung, or those of these names, for their shares of so many hours, and writes what it
/// came to. What other rungs came to before stays, with the commit that was tried then. A rung that
/// fails is written down as well.
///
/// # Errors
/// If there is no such rung, one has failed, or the reports cannot be read or written.
pub(crate) fn run(hours: &str, names: &[&str]) -> Result<(), String> {
    let hours: f64 = match hours.parse() {
        Ok(hours) if hours > 0.0 && hours < 10_000.0 => hours,
        _ => return Err(format!("{hours} is no number of hours")),
    };
    let folder = workspace::root().join("target/proof");
    fs::create_dir_all(&folder).map_err(|error| format!("{folder:?}: {error}"))?;
    let rungs = rungs(hours, &folder);
    if let Some(unknown) = names
        .iter()
        .find(|name| !rungs.iter().any(|rung| rung.name == **name))
    {
        return Err(format!("there is no rung '{unknown}'"));
    }
    let mut failed = Vec::new();
    for rung in &rungs {
        if !names.is_empty() && !names.contains(&rung.name) {
            continue;
        }
        println!("── {} ──", rung.name);
        let mut result = rung.climb();
        result["tried"] = tried();
        if result["passed"] != json!(true) {
            failed.push(rung.name);
        }
        // Another ladder may be climbed beside this one.
        let mut proof = earlier()?;
        proof.insert(rung.name.to_owned(), result);
        let order = rungs.iter().map(|rung| rung.name);
        write("RELIABILITY.json", &format!("{:#}\n", json!(proof)))?;
        write("docs/reliability.md", &summary::markdown(&proof, order))?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("these have failed: {}", failed.join(", ")))
    }
}

/// What the rungs came to before, by name.
fn earlier() -> Result<Map<String, Value>, String> {
    let path = workspace::root().join("RELIABILITY.json");
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| format!("{path:?}: {error}")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(format!("{path:?}: {error}")),
    }
}

/// What is tried, and on what.
fn tried() -> Value {
    let commit = said("git", &["rev-parse", "HEAD"]);
    let reports = [":!RELIABILITY.json", ":!docs/reliability.md"];
    let changes = [&["status", "--porcelain", "--", "."][..], &reports[..]].concat();
    json!({
        "commit": commit,
        "changed_since": !said("git", &changes).is_empty(),
        "toolchain": said("rustc", &["--version"]),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
    })
}

fn write(name: &str, text: &str) -> Result<(), String> {
    let path = workspace::root().join(name);
    fs::write(&path, text).map_err(|error| format!("{path:?}: {error}"))
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
            assert!(run(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_done_if_one_of_the_rungs_is_none() {
        let refused = run("1", &["model", "modell"]);
        assert_eq!(refused, Err("there is no rung 'modell'".to_owned()));
    }
}
