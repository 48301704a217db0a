//! The configuration of one node: `node.toml` and the `TETRARCH_*` variables that override it.
//!
//! Every setting is declared once, where it is read (`sections/`): name, default, bounds and
//! meaning. The reader refuses what it does not know, all mistakes at once and each with its place;
//! the reference in the documentation and the commented file that `init` writes are made from the
//! same declarations.

mod address;
mod check;
mod document;
mod key;
mod parse;
mod problem;
mod reader;
mod reference;
mod section;
pub mod sections;
mod template;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use address::HostPort;
pub use key::Key;
pub use problem::{Problem, Refusal};
pub use reference::markdown as reference;
pub use sections::NodeFile;
pub use template::render as template;

use crate::error::Error;
use reader::Reader;

/// The variables that may override settings, by name.
pub type Environment = BTreeMap<String, String>;

/// The variables of this process.
#[must_use]
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Reads a node's configuration; relative paths in it are relative to the file's directory.
///
/// # Errors
/// If the file cannot be read, or with every problem that was found in it.
pub fn load(path: &Path, environment: &Environment) -> Result<NodeFile, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
    parse(&text, base, environment).map_err(|problems| {
        Error::Configuration(Refusal {
            file: path.to_path_buf(),
            problems,
        })
    })
}

/// Reads a configuration from text.
///
/// # Errors
/// With every problem that was found.
pub fn parse(
    text: &str,
    base: PathBuf,
    environment: &Environment,
) -> Result<NodeFile, Vec<Problem>> {
    let (entries, problems) = document::parse(text);
    let mut reader = Reader::new(entries, base, environment, problems);
    let file = NodeFile::read(&mut reader);
    reader.refuse_unknown();
    check::check(&file, &mut reader);
    let problems = reader.into_problems();
    if problems.is_empty() {
        Ok(file)
    } else {
        Err(problems)
    }
}

/// Every setting there is, in the order of the reference.
#[must_use]
pub fn keys() -> Vec<Key> {
    let mut reader = Reader::new(Vec::new(), PathBuf::new(), &Environment::new(), Vec::new());
    NodeFile::read(&mut reader);
    reader.into_keys()
}

#[cfg(test)]
mod tests;
