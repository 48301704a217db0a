//! The exit codes. They are part of the interface: scripts rely on them.

use std::fmt;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for was done.
    Done = 0,
    /// It was tried and failed.
    Failed = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// A configuration, a mesh directory or a data directory cannot be used.
    Unusable = 3,
    /// The mesh cannot be reached or did not answer in time; trying again may help.
    Unreachable = 4,
    /// The mesh refused the request; trying again does not help.
    Refused = 5,
    /// Events were lost, duplicated or reordered, or bytes on a disk are damaged.
    Damaged = 6,
}

impl Exit {
    /// Every code.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Unusable,
        Self::Unreachable,
        Self::Refused,
        Self::Damaged,
    ];

    /// What it means, for the help text and the documentation.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "what was asked for was done",
            Self::Failed => "it was tried and failed",
            Self::Usage => "the command line cannot be understood",
            Self::Unusable => "a configuration, mesh directory or data directory cannot be used",
            Self::Unreachable => "the mesh cannot be reached or gave no answer in time; try again",
            Self::Refused => "the mesh refused the request; trying again does not help",
            Self::Damaged => "events lost, duplicated or reordered, or damaged bytes on a disk",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The list for the end of the help text.
pub struct Listed;

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exit codes:")?;
        for exit in Exit::ALL {
            write!(f, "\n  {}  {}", exit as u8, exit.meaning())?;
        }
        Ok(())
    }
}
