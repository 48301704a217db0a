//! Runs the program and looks at what came out.

use std::path::Path;
use std::process::{Command, Output};

/// What a run left behind.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The program, in this directory, with nothing of ours in the environment.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetrarch"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TETRARCH_") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir);
    command
}

/// Runs the program with these arguments.
pub fn tetrarch(dir: &Path, args: &[&str]) -> Ran {
    program(dir).args(args).output().unwrap().into()
}

impl Ran {
    /// The output, of a run that must have succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
