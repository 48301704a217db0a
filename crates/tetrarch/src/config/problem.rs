//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Neither the file nor the environment has it.
    Absent,
    /// The file.
    File {
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// A variable of the environment.
    Environment(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it is wrong.
    pub origin: Origin,
    /// What is wrong, by the name of the setting.
    pub message: String,
}

/// A configuration that is refused, with everything that is wrong with it.
#[derive(Debug)]
pub struct Refusal {
    /// The file.
    pub file: PathBuf,
    /// Everything that was found, in the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{file} is refused, {count} {noun}:")?;
        for Problem { origin, message } in &self.problems {
            match origin {
                Origin::Absent => write!(f, "\n  {file}: {message}")?,
                Origin::File { line, column } => {
                    write!(f, "\n  {file}:{line}:{column}: {message}")?;
                }
                Origin::Environment(name) => write!(f, "\n  environment {name}: {message}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
