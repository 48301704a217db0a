//! Every input that is kept for the fuzzer, on the stable compiler: as it is, cut at every byte,
//! and with every single bit flipped.

use std::fs;

use crate::samples;

#[path = "../../../../fuzz/oracle/wire.rs"]
#[allow(dead_code, unreachable_pub)]
mod oracle;
#[path = "../../../../fuzz/oracle/replay.rs"]
#[allow(dead_code)]
mod replay;

/// The golden vectors as inputs of a target.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let frames = || {
        samples::frames()
            .into_iter()
            .map(|(name, frame)| (name, frame.to_bytes().unwrap().to_vec()))
    };
    let stored = || samples::stored().into_iter().map(|(n, b)| (n, b.to_vec()));
    match target {
        "frame" => frames().collect(),
        "stream" => frames()
            .step_by(10)
            .map(|(name, bytes)| (name, [vec![9], bytes.repeat(2)].concat()))
            .collect(),
        "batch" => stored().filter(|(n, _)| n.starts_with("batch")).collect(),
        "events" => vec![(
            "events".into(),
            [vec![3], samples::events().bytes().to_vec()].concat(),
        )],
        "stored" => stored().filter(|(n, _)| !n.starts_with("batch")).collect(),
        _ => panic!("{target} has no seeds"),
    }
}

fn keep_seeds(target: &str, seeds: &[(String, Vec<u8>)]) {
    let folder = replay::folder().join("seeds").join(target);
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in seeds {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fn run(check: fn(&[u8]), bytes: &[u8]) {
    check(bytes);
    for len in 0..bytes.len() {
        check(&bytes[..len]);
    }
    let mut damaged = bytes.to_vec();
    for bit in 0..bytes.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        check(&damaged);
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_kept_input_passes_its_oracle() {
    for (target, check) in oracle::TARGETS {
        for (_, bytes) in replay::corpus(target) {
            run(check, &bytes);
        }
    }
}

#[test]
fn every_golden_passes_the_oracle_of_its_target() {
    for (target, check) in oracle::TARGETS {
        let seeds = seeds(target);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            keep_seeds(target, &seeds);
        }
        for (_, bytes) in seeds {
            run(check, &bytes);
        }
    }
}

#[test]
fn every_target_is_a_program_has_a_corpus_and_is_replayed() {
    let manifest = fs::read_to_string(replay::folder().join("Cargo.toml")).unwrap();
    for (target, _) in replay::TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")));
        let program = format!("fuzz_targets/{target}.rs");
        assert!(manifest.contains(&program) && replay::folder().join(&program).exists());
        assert!(!replay::corpus(target).is_empty());
    }
    assert_eq!(manifest.matches("[[bin]]").count(), replay::TARGETS.len());
    replay::are_all(&oracle::TARGETS.map(|(target, _)| target));
}
