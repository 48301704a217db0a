//! The program under test, built once, and its commands.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed for programs.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
}

impl Output {
    /// The output of a command that must have succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[must_use]
    pub fn expect_success(self, what: &str) -> String {
        assert_eq!(
            self.code,
            Some(0),
            "{what} failed: {}{}",
            self.stdout,
            self.stderr
        );
        self.stdout
    }
}

/// Runs one command to its end.
///
/// # Panics
/// If the program cannot be started.
#[must_use]
pub fn tetrarch<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    let output = command(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program under test can be started");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A command of the program under test, not started yet.
pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(path());
    command
        .args(arguments)
        .env_remove("TETRARCH_MESH")
        .env("NO_COLOR", "1");
    command
}

/// Names a program that is up to date.
const PROGRAM: &str = "TETRARCH_TEST_PROGRAM";

/// The program of the profile that these tests were built with, built now if need be: `cargo test`
/// builds the tests of this package, and not the program of another.
fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(program) = std::env::var_os(PROGRAM) {
            return PathBuf::from(program);
        }
        let test = std::env::current_exe().expect("a test knows its own path");
        // target/PROFILE/deps/TEST
        let profile = test
            .ancestors()
            .nth(2)
            .expect("a test lies in the target directory");
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--package",
            "tetrarch",
            "--bin",
            "tetrarch",
        ]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build
            .arg("--target-dir")
            .arg(profile.parent().expect("a profile has a parent"));
        let status = build.status().expect("cargo can be started");
        assert!(status.success(), "the program under test does not build");
        profile.join("tetrarch")
    })
}
