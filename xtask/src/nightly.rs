//! The nightly compiler, which the workspace does not need: the fuzzer and Miri do. What is missing is
//! named with what would help, so that whoever asks can say why nothing ran.

use std::process::{Command, Stdio};

use crate::workspace;

const INSTALL: &str = "rustup toolchain install nightly --profile minimal";

/// A program of the nightly toolchain.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", name])
        .current_dir(workspace::root());
    command
}

/// The platform that the nightly compiler builds for.
///
/// # Errors
/// What is missing, and how to get it.
pub(crate) fn host() -> Result<String, String> {
    let said = program("rustc").arg("-vV").stderr(Stdio::null()).output();
    let said = said.ok().filter(|output| output.status.success());
    let said = said.ok_or_else(|| format!("no nightly compiler is installed ({INSTALL})"))?;
    host_of(&String::from_utf8_lossy(&said.stdout))
        .ok_or_else(|| "rustc does not say what it builds for".to_owned())
}

fn host_of(said: &str) -> Option<String> {
    let mut lines = said.lines();
    lines
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

/// Why Miri cannot run, if it cannot.
pub(crate) fn miri_obstacle() -> Option<String> {
    if let Err(why) = host() {
        return Some(why);
    }
    let mut version = program("cargo");
    version.args(["miri", "--version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null());
    let is_there = version.status().is_ok_and(|status| status.success());
    let remedy = "rustup component add miri rust-src --toolchain nightly";
    (!is_there).then(|| format!("Miri is not installed ({remedy})"))
}

/// Runs the tests of the codec under Miri.
///
/// # Errors
/// If it is not there, or a test fails.
pub(crate) fn miri() -> Result<(), String> {
    if let Some(why) = miri_obstacle() {
        return Err(why);
    }
    let mut tests = program("cargo");
    tests.args(["miri", "test", "--package", "tetrarch-wire", "--lib"]);
    // The seeds of property tests are files.
    tests.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    match tests.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo miri: {status}")),
        Err(error) => Err(format!("cargo miri: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_is_read_from_what_the_compiler_says() {
        let said =
            "rustc 1.97.0-nightly\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1";
        assert_eq!(host_of(said).as_deref(), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(host_of("rustc 1.97.0-nightly"), None);
    }
}
