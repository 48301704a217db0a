//! The bytes of every frame and of everything that is stored, kept in the repository: no change of
//! format can happen unnoticed.
//!
//! After a change that is meant, `UPDATE_GOLDEN=1 cargo test -p tetrarch-wire` writes them anew,
//! and the difference shows in review which formats changed.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, sync::Mutex};

use bytes::Bytes;
use tetrarch_wire::{
    Batch, ChannelConfig, Frame,
    frame::{CatalogCommand, FrameType},
};

use crate::samples;

const WIDTH: usize = 32;

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", file]
        .iter()
        .collect()
}

/// A name on a line of its own, then its bytes in lines of 32.
fn print(values: &[(String, Bytes)]) -> String {
    let mut text = String::new();
    for (name, bytes) in values {
        writeln!(text, "{name}").unwrap();
        for line in bytes.chunks(WIDTH) {
            let hex: String = line.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "  {hex}").unwrap();
        }
    }
    text
}

fn parse(text: &str) -> BTreeMap<String, Bytes> {
    let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        match line.strip_prefix("  ") {
            Some(hex) => values.get_mut(&name).unwrap().extend(unhex(hex)),
            None => {
                name = line.to_owned();
                let earlier = values.insert(name.clone(), Vec::new());
                assert_eq!(earlier, None, "{name} stands twice");
            }
        }
    }
    values
        .into_iter()
        .map(|(name, bytes)| (name, bytes.into()))
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Held while a file is written or read: tests run side by side.
static FILES: Mutex<()> = Mutex::new(());

/// The vectors of a file, after it was written anew if that was asked for.
fn kept(file: &str, values: &[(String, Bytes)]) -> BTreeMap<String, Bytes> {
    let _files = FILES
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(file), print(values)).unwrap();
    }
    parse(&std::fs::read_to_string(path(file)).unwrap())
}

fn assert_same(file: &str, values: &[(String, Bytes)]) {
    let golden = kept(file, values);
    for (name, bytes) in values {
        let kept = golden.get(name);
        assert_eq!(
            kept,
            Some(bytes),
            "the bytes of {name} are not those of {file}"
        );
    }
    assert_eq!(golden.len(), values.len(), "{file} has more than is known");
}

fn encoded_frames() -> Vec<(String, Bytes)> {
    samples::frames()
        .into_iter()
        .map(|(name, frame)| (name, frame.to_bytes().unwrap()))
        .collect()
}

#[test]
fn frames_have_the_bytes_they_always_had() {
    assert_same("frames.hex", &encoded_frames());
}

#[test]
fn golden_bytes_read_back_as_the_frames_they_were_made_from() {
    let golden = kept("frames.hex", &encoded_frames());
    for (name, frame) in samples::frames() {
        let bytes = golden.get(&name).unwrap().clone();
        assert_eq!(Frame::from_bytes(bytes), Ok(frame), "{name}");
    }
}

#[test]
fn every_frame_type_has_a_golden() {
    let golden = kept("frames.hex", &encoded_frames());
    for frame_type in FrameType::ALL {
        let name = format!("{frame_type:?}");
        let found = golden
            .iter()
            .find(|(key, _)| **key == name || key.starts_with(&format!("{name}.")));
        let (_, bytes) = found.unwrap_or_else(|| panic!("{name} has no golden"));
        assert_eq!(bytes[4], *frame_type as u8, "{name}");
    }
}

#[test]
fn stored_values_have_the_bytes_they_always_had() {
    assert_same("stored.hex", &samples::stored());
}

#[test]
fn golden_stored_values_read_back() {
    for (name, bytes) in kept("stored.hex", &samples::stored()) {
        match name.split_once('.') {
            Some(("batch", _)) => {
                let batch = Batch::decode_exact(bytes.clone()).unwrap();
                assert!(batch.events().is_ok() && batch.control().is_ok(), "{name}");
            }
            Some(("catalog", _)) => {
                let command = CatalogCommand::decode(&bytes).unwrap();
                assert_eq!(command.encode().unwrap(), bytes, "{name}");
            }
            _ => {
                let config = ChannelConfig::decode(&bytes).unwrap();
                assert_eq!(config.encode(), bytes, "{name}");
            }
        }
    }
}
