//! The table of roles in print, and the copy of it in the documentation.

use std::fs;

use tetrarch_fsm::render;

use crate::workspace;

const PAGE: &str = "docs/fsm.md";

const INTRODUCTION: &str = "\
# The table of roles

Written by `cargo xtask fsm --write` from the `const` table in `crates/fsm/src/table.rs`, which is
the only place where a transition can be added. A test compares this page with it.

A node has one of four roles in each channel that it knows. A role changes by one of the
transitions below or not at all: any other (from, to, signal) is refused with `InvalidPair` where
no signal connects the two roles, and with `SignalMismatch` where another one does. The single
transition that changes nothing, closing what is closed, is allowed and has no effect.

";

/// Prints the table.
///
/// # Errors
/// If the format is unknown.
pub(crate) fn print(format: &str) -> Result<(), String> {
    print!("{}", rendered(format)?);
    Ok(())
}

fn rendered(format: &str) -> Result<String, String> {
    match format {
        "markdown" => Ok(render::markdown()),
        "mermaid" => Ok(render::mermaid()),
        "json" => Ok(render::json()),
        _ => Err(format!(
            "no such format: {format} (there are markdown, mermaid and json)"
        )),
    }
}

/// The whole page of the documentation.
fn page() -> String {
    format!(
        "{INTRODUCTION}```mermaid\n{}```\n\n{}",
        render::mermaid(),
        render::markdown()
    )
}

/// Compares the page in the documentation with the table.
///
/// # Errors
/// If they differ.
pub(crate) fn check() -> Result<(), String> {
    let path = workspace::root().join(PAGE);
    let written = fs::read_to_string(&path).map_err(|error| format!("{PAGE}: {error}"))?;
    if written == page() {
        Ok(())
    } else {
        Err(format!(
            "{PAGE} is not what the table says\nhint: cargo xtask fsm --write"
        ))
    }
}

/// Writes the page.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write() -> Result<(), String> {
    fs::write(workspace::root().join(PAGE), page()).map_err(|error| format!("{PAGE}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_what_the_table_says() {
        assert_eq!(check(), Ok(()));
    }

    #[test]
    fn the_json_is_json_and_counts_its_own_rows() {
        let table: serde_json::Value = serde_json::from_str(&render::json()).unwrap();
        let rows = |name: &str| table[name].as_array().map(Vec::len);
        assert_eq!(rows("roles"), Some(4));
        assert_eq!(rows("signals"), Some(12));
        assert_eq!(rows("transitions"), Some(17));
        assert_eq!(table["roles"][3]["value"], 3);
        assert_eq!(table["cells"]["signal_mismatch"], 91);
    }

    #[test]
    fn an_unknown_format_is_named() {
        assert!(rendered("yaml").unwrap_err().contains("yaml"));
    }
}
