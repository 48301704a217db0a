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

/// The one manifest that may ask for mistakes in the shipped code.
const MAY_PLANT: &str = "crates/sim/Cargo.toml";

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
    let missing = missing.map(|line| format!("{name} lacks '{}'", line.replace('\n', " ")));
    let plants = text.contains("tetrarch-mutant/plant") && name != MAY_PLANT;
    let plants = plants.then(|| format!("{name} makes mistakes; only {MAY_PLANT} may"));
    missing.chain(plants).collect()
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
        let planting = format!("{whole}\nmutants = [\"tetrarch-mutant/plant\"]");
        assert!(check(MAY_PLANT, &planting).is_empty());
        assert_eq!(check("crates/log/Cargo.toml", &planting).len(), 1);
        let without = whole.replace("[lints]", "");
        assert_eq!(
            check("Cargo.toml", &without),
            ["Cargo.toml lacks '[lints] workspace = true'"]
        );
    }
}
