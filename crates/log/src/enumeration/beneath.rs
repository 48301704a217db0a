//! Bytes of segments that change while the store is open. Every read checks what it gives.

use super::batches::read_on;
use super::flip::{Bits, Effect, Flips, watched};
use super::sample::{Condition, Sample};
use crate::{CrashDisk, OpenedStore};

/// Flips every byte of every segment beneath an open store, and reads everything each time.
#[must_use]
pub fn flips_beneath(size: usize, bits: Bits) -> Flips {
    let sample = Sample::make(Condition::Killed, size);
    let store = sample
        .open(&sample.disk)
        .unwrap_or_else(|error| panic!("an intact store does not open: {error}"));
    let mut total = Flips::default();
    for (path, bytes) in sample.disk.files() {
        if !path.to_string_lossy().contains("/chan/") {
            continue;
        }
        total.bytes += bytes.len() as u64;
        for offset in 0..bytes.len() {
            for mask in bits.masks(offset) {
                let place = (&*path, offset as u64, mask);
                sample.disk.flip(&path, offset as u64, mask);
                total.add(watched(place, || sample.read(&store)));
                sample.disk.flip(&path, offset as u64, mask);
            }
        }
    }
    total
}

impl Sample {
    fn read(&self, store: &OpenedStore<CrashDisk>) -> Effect {
        let mut effect = Effect::Harmless;
        for (uid, promise) in &self.ledger.acked {
            let start = store.reader.log_start(*uid);
            let start = start.unwrap_or_else(|| panic!("{uid} is gone"));
            let right = promise.channel.readable(start.seq);
            let (read, refused) = read_on(&store.reader, *uid);
            assert!(right.starts_with(&read), "{uid}: wrong batches");
            let is_whole = read.len() == right.len();
            assert!(is_whole || refused.is_some(), "{uid}: a loss is hidden");
            self.ledger.forks.check_damaged(&store.reader, *uid);
            if !is_whole || !self.ledger.forks.are_whole(&store.reader) {
                effect = Effect::Noticed;
            }
        }
        effect
    }
}
