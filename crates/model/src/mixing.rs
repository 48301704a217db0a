//! A fast hash, the same everywhere, for states that are told apart by the million.

use std::hash::Hasher;

/// Folds word after word in, each by a multiplication whose halves are combined.
#[derive(Debug)]
pub(crate) struct Mixing(u64);

const FIRST: u64 = 0x9E37_79B9_7F4A_7C15;
const SECOND: u64 = 0xD1B5_4A32_D192_ED03;

impl Mixing {
    pub(crate) const fn new() -> Self {
        Self(SECOND)
    }
}

impl Hasher for Mixing {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let folded = folded(self.0 ^ word, FIRST);
        self.0 = folded.wrapping_add(SECOND).rotate_left(23);
    }

    fn finish(&self) -> u64 {
        folded(self.0 ^ FIRST, SECOND)
    }
}

fn folded(word: u64, by: u64) -> u64 {
    let product = u128::from(word) * u128::from(by);
    let halves = product ^ (product >> 64);
    u64::try_from(halves & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}
