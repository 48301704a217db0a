//! What must hold of any bytes in the files of a store. The fuzz targets call these functions, and
//! so do the tests. Checksums are what a fuzzer does not guess: most of these seal what it made up,
//! so that the reader behind the checksum is tried as well.

mod fork;
mod record;
mod segment;
mod slot;
mod wal;

pub use fork::fork;
pub use record::record;
pub use segment::segment;
pub use slot::slot;
pub use wal::wal;

use std::io::IoSlice;
use std::path::Path;

use crate::disk::{CrashDisk, CrashFile, Disk, DiskFile};

/// Takes `count` bytes off the front; what is missing is zero.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (front, rest) = bytes.split_at(N.min(bytes.len()));
    *bytes = rest;
    let mut taken = [0; N];
    taken[..front.len()].copy_from_slice(front);
    taken
}

fn byte(bytes: &mut &[u8]) -> u8 {
    take::<1>(bytes)[0]
}

/// A file that holds these bytes.
fn file_of(disk: &CrashDisk, path: &Path, bytes: &[u8]) -> CrashFile {
    let file = disk.create(path).expect("the disk is new");
    file.write_at(&[IoSlice::new(bytes)], 0)
        .expect("the disk has room");
    file
}
