//! Rules that no compiler knows: which crate may know which, how long a file may be, how it
//! opens, what must not stand in it, and what the page for operators must say. They run as tests of
//! this package and as `cargo xtask tidy`.

mod direction;
mod links;
mod manifests;
mod operations;
mod sources;

use crate::fsm;

/// Checks everything and names every finding.
///
/// # Errors
/// The findings.
pub(crate) fn run() -> Result<(), String> {
    let mut findings = Vec::new();
    findings.extend(direction::findings()?);
    findings.extend(manifests::findings()?);
    findings.extend(sources::findings()?);
    findings.extend(links::findings()?);
    findings.extend(operations::findings()?);
    findings.extend(fsm::check().err());
    if findings.is_empty() {
        println!("tidy");
        Ok(())
    } else {
        Err(findings.join("\n       "))
    }
}
