//! The tests that replay every kept input on the stable compiler.

use std::process::Stdio;

use crate::{ci::Counts, workspace};

/// The package of each test, and which of its tests replay.
const TESTS: [&str; 3] = [
    "test --package tetrarch-wire --test frames corpus",
    "test --package tetrarch-log --lib tests::fuzz",
    "test --package tetrarch-replica --test fuzz",
];

/// Runs them; says how many there were.
///
/// # Errors
/// If one fails, or a package has none any more.
pub(super) fn run() -> Result<u64, String> {
    let mut total = 0;
    for arguments in TESTS {
        println!("$ cargo {arguments}");
        let mut command = workspace::cargo();
        command.args(arguments.split(' ')).stderr(Stdio::inherit());
        let output = command
            .output()
            .map_err(|error| format!("cargo {arguments}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let passed = passed(&said);
        if !output.status.success() || passed == 0 {
            return Err(format!(
                "{said}\nno or not all tests pass: cargo {arguments}"
            ));
        }
        println!("{passed} passed");
        total += passed;
    }
    Ok(total)
}

fn passed(said: &str) -> u64 {
    let counts = said.lines().filter_map(Counts::read);
    counts.map(|counts| counts.passed).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_are_gone_are_noticed() {
        assert_eq!(
            passed("test result: ok. 0 passed; 0 failed; 9 filtered out"),
            0
        );
        assert_eq!(passed("running\ntest result: ok. 3 passed; 0 failed\n"), 3);
    }
}
