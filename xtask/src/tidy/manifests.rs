//! Every manifest of the workspace: the lints of the house, and what is said of the package.

use std::fs;

use crate::workspace;

/// Lines that each member's manifest holds.
const LINES: [&str; 6] = [
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
    "[lints]\nworkspace = true",
    "description = \"",
];

/// What breaks a rule.
///
/// # Errors
/// If a manifest cannot be read.
pub(super) fn findings() -> Result<Vec<String>, String> {
    let root = workspace::root();
    let mut findings = Vec::new();
    for folder in ["crates", "xtask", "tests"] {
        let folder = root.join(folder);
        if !folder.exists() {
            continue;
        }
        for path in workspace::files(&folder, "toml")? {
            if path.file_name().is_some_and(|name| name == "Cargo.toml") {
                let text =
                    fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
                let name = path.strip_prefix(&root).unwrap_or(&path);
                findings.extend(check(&name.display().to_string(), &text));
            }
        }
    }
    Ok(findings)
}

fn check(name: &str, text: &str) -> Vec<String> {
    let missing = LINES.iter().filter(|line| !text.contains(*line));
    missing
        .map(|line| format!("{name} lacks '{}'", line.replace('\n', " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_are_tidy() {
        assert_eq!(findings().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_missing_line_is_named() {
        let whole = LINES.join("\n");
        assert!(check("Cargo.toml", &whole).is_empty());
        let without = whole.replace("[lints]", "");
        assert_eq!(
            check("Cargo.toml", &without),
            ["Cargo.toml lacks '[lints] workspace = true'"]
        );
    }
}
