//! How many tests passed and failed, as their runner prints it.

use std::ops::AddAssign;

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    #[cfg(test)]
    pub(crate) const fn new(passed: u64, failed: u64) -> Self {
        Self { passed, failed }
    }

    /// Reads a line that sums up tests: one of those that `cargo test` prints for each program,
    /// or the one that `cargo nextest` prints at its end. `None` for any other line, also for what
    /// nextest repeats, indented, of a test that failed.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let numbers = if line.starts_with("test result:") {
            line
        } else if line.trim_start().starts_with("Summary [") {
            line.split_once("tests run:")?.1
        } else {
            return None;
        };
        Some(Self {
            passed: number_before(numbers, "passed").unwrap_or(0),
            failed: number_before(numbers, "failed").unwrap_or(0)
                + number_before(numbers, "timed out").unwrap_or(0),
        })
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

fn number_before(line: &str, word: &str) -> Option<u64> {
    let before = line[..line.find(word)?].trim_end();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_are_understood() {
        for (line, passed, failed) in [
            (
                "test result: ok. 27 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
                27,
                0,
            ),
            (
                "test result: FAILED. 25 passed; 2 failed; 0 ignored; 0 measured",
                25,
                2,
            ),
            (
                "     Summary [   1.2s] 58 tests run: 58 passed, 0 skipped",
                58,
                0,
            ),
            (
                "     Summary [   9.0s] 58 tests run: 55 passed (1 slow), 2 failed, 1 timed out, 0 skipped",
                55,
                3,
            ),
        ] {
            assert_eq!(
                Counts::read(line),
                Some(Counts::new(passed, failed)),
                "{line}"
            );
        }
    }

    #[test]
    fn other_lines_are_no_sums() {
        for line in [
            "",
            "test one ... ok",
            "error: test failed",
            "running 27 tests",
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored",
        ] {
            assert_eq!(Counts::read(line), None, "{line}");
        }
    }
}
