//! Every source file: its length, its opening, its name, and words that must not be left in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::workspace;

const MOST_LINES: usize = 700;

/// Folders that hold sources.
const FOLDERS: [&str; 4] = ["crates", "xtask", "tests", "fuzz"];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "helper", "helpers", "manager", "managers", "misc", "stuff",
];

/// Words that mean unfinished, switched off, or thrown away. They are written in two parts here,
/// so that this file passes its own test.
const LEFTOVERS: [&str; 6] = [
    concat!("to", "do!("),
    concat!("un", "implemented!("),
    concat!("#[", "ignore"),
    concat!("let ", "_ ="),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// What breaks a rule.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn findings() -> Result<Vec<String>, String> {
    let root = workspace::root();
    let mut findings = Vec::new();
    for path in rust_files(&root)? {
        let text = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        let name = path.strip_prefix(&root).unwrap_or(&path);
        findings.extend(check(name, &text));
    }
    Ok(findings)
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let folder = root.join(folder);
        if folder.exists() {
            files.extend(workspace::files(&folder, "rs")?);
        }
    }
    Ok(files)
}

fn check(path: &Path, text: &str) -> Vec<String> {
    let shown = path.display();
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        findings.push(format!(
            "{shown} has {lines} lines, more than {MOST_LINES}: it holds more than one idea"
        ));
    }
    if !text.starts_with("//!") {
        findings.push(format!("{shown} does not open with what it is for"));
    }
    if let Some(name) = empty_name(path) {
        findings.push(format!(
            "{shown}: the name '{name}' says nothing of what is inside"
        ));
    }
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let found = LEFTOVERS.iter().find(|word| line.contains(*word));
        findings.extend(found.map(|word| format!("{shown}:{number} holds '{word}'")));
    }
    findings
}

fn empty_name(path: &Path) -> Option<&str> {
    path.iter()
        .filter_map(|part| part.to_str())
        .map(|part| part.strip_suffix(".rs").unwrap_or(part))
        .find(|part| EMPTY_NAMES.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_are_tidy() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_sources_are_found() {
        let files = rust_files(&workspace::root()).unwrap();
        assert!(
            files
                .iter()
                .any(|file| file.ends_with("src/tidy/sources.rs"))
        );
        assert!(files.iter().any(|file| file.ends_with("fsm/src/table.rs")));
    }

    fn found(path: &str, text: &str) -> usize {
        check(Path::new(path), text).len()
    }

    #[test]
    fn each_rule_finds_what_breaks_it_and_nothing_else() {
        let good = "//! What it is for.\n";
        assert_eq!(found("src/good.rs", good), 0);
        assert_eq!(found("src/bare.rs", "fn bare() {}\n"), 1);
        assert_eq!(found("src/utils.rs", good), 1);
        assert_eq!(found("src/manager/good.rs", good), 1);
        let lines = |count| good.to_owned() + &"\n".repeat(count - 1);
        assert_eq!(found("src/long.rs", &lines(MOST_LINES)), 0);
        assert_eq!(found("src/long.rs", &lines(MOST_LINES + 1)), 1);
        for word in LEFTOVERS {
            assert_eq!(found("src/left.rs", &format!("{good}    {word}\n")), 1);
        }
    }
}
