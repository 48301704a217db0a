//! The fuzz targets for those who have no fuzzer: every input that was kept, and inputs that a seed
//! makes up.

use std::{
    fs,
    panic::{self, RefUnwindSafe},
    path::{Path, PathBuf},
};

/// Every target, and the package whose tests replay it.
pub(crate) const TARGETS: [(&str, &str); 16] = [
    ("frame", "tetrarch-wire"),
    ("stream", "tetrarch-wire"),
    ("batch", "tetrarch-wire"),
    ("events", "tetrarch-wire"),
    ("stored", "tetrarch-wire"),
    ("genesis", "tetrarch-replica"),
    ("catalog", "tetrarch-replica"),
    ("producers", "tetrarch-replica"),
    ("beats", "tetrarch-replica"),
    ("evil_peer", "tetrarch-replica"),
    ("wal", "tetrarch-log"),
    ("record", "tetrarch-log"),
    ("segment", "tetrarch-log"),
    ("slot", "tetrarch-log"),
    ("fork", "tetrarch-log"),
    ("recovery", "tetrarch-log"),
];

/// The folder of the fuzz targets, seen from a package in `crates/`.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The package that is being tested replays exactly these targets.
pub(crate) fn are_all(targets: &[&str]) {
    let package = env!("CARGO_PKG_NAME");
    let of_package = TARGETS.iter().filter(|(_, replays)| *replays == package);
    let expected: Vec<&str> = of_package.map(|(target, _)| *target).collect();
    assert_eq!(targets, expected);
}

/// The kept inputs of a target, by name. There is at least one.
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = files.map(|file| file.expect("a folder can be listed").path());
    let kept: Vec<_> = paths
        .map(|path| {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            (path.display().to_string(), bytes)
        })
        .collect();
    assert!(!kept.is_empty(), "{target} has no kept input");
    kept
}

/// Runs every kept input of a target, as it is and cut at every byte.
pub(crate) fn kept(target: &str, check: impl Fn(&[u8]) + RefUnwindSafe) {
    for (name, bytes) in corpus(target) {
        for len in (0..=bytes.len()).rev() {
            run(&format!("{name}, {len} bytes of it"), &bytes[..len], &check);
        }
    }
}

/// Runs inputs of at most `most` bytes that a seed makes up: as many as `TETRARCH_FUZZ_INPUTS` says,
/// else `usual`; or, to see it again, the one whose number `TETRARCH_FUZZ_INPUT` is.
pub(crate) fn made_up(usual: u64, most: usize, check: impl Fn(&[u8]) + RefUnwindSafe) {
    let numbers = match from_environment("TETRARCH_FUZZ_INPUT") {
        Some(number) => number..number + 1,
        None => 0..from_environment("TETRARCH_FUZZ_INPUTS").unwrap_or(usual),
    };
    for number in numbers {
        let name = format!("TETRARCH_FUZZ_INPUT={number}");
        run(&name, &input(number, most), &check);
    }
}

/// Whether as many inputs are made up as usual, so that all must have happened that should.
pub(crate) fn is_usual() -> bool {
    let variables = ["TETRARCH_FUZZ_INPUT", "TETRARCH_FUZZ_INPUTS"];
    variables
        .iter()
        .all(|name| from_environment(name).is_none())
}

fn run(name: &str, bytes: &[u8], check: &(impl Fn(&[u8]) + RefUnwindSafe)) {
    if panic::catch_unwind(|| check(bytes)).is_err() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{name} breaks something; in hex (xxd -r -p): {hex}");
    }
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is to be a number")))
}

/// The input of this number.
fn input(number: u64, most: usize) -> Vec<u8> {
    let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D);
    let len = usize::try_from(dice.next()).unwrap_or(usize::MAX) % most;
    (0..len).map(|_| dice.next().to_le_bytes()[0]).collect()
}

/// A splitmix64 generator.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
