//! A value kept twice, in files A and B. Both are rewritten in place, A first, each synced before
//! the next is touched: whatever one of them loses to a power cut or to rot, the other holds the
//! newest value, or the value before one that was never reported as kept.
//!
//! ```text
//! offset 0         4       8              16      20      24
//!        magic u32│ver u32│generation u64│len u32│crc u32│value
//! ```

use std::io::IoSlice;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes};
use tetrarch_wire::checksum::{crc32c, crc32c_append};

use crate::disk::{Disk, DiskError, DiskFile, Failure};

const MAGIC: u32 = u32::from_le_bytes(*b"TTR2");
const VERSION: u32 = 1;
const HEADER: usize = 24;
const CRC_AT: usize = 20;
/// Most bytes of a value.
const VALUE_MAX: usize = 64 * 1024 * 1024;

/// One copy, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Copy {
    /// The file is not there.
    Missing,
    /// The file holds no intact value.
    Damaged,
    /// The value.
    Intact { generation: u64, value: Bytes },
}

impl Copy {
    /// Whether it holds the value of this generation.
    pub(crate) fn is_of(&self, wanted: u64) -> bool {
        matches!(self, Self::Intact { generation, .. } if *generation == wanted)
    }
}

/// Keeps `value` in both files.
pub(crate) fn write<D: Disk>(
    disk: &D,
    paths: &[PathBuf; 2],
    tag: &[u8],
    generation: u64,
    value: &[u8],
) -> Result<(), DiskError> {
    for path in paths {
        write_copy(disk, path, tag, generation, value)?.sync_data()?;
    }
    Ok(())
}

/// Writes one copy. It must be synced before the other one is touched.
pub(crate) fn write_copy<D: Disk>(
    disk: &D,
    path: &Path,
    tag: &[u8],
    generation: u64,
    value: &[u8],
) -> Result<D::File, DiskError> {
    let file = match disk.open(path) {
        Err(error) if error.is_missing() => create(disk, path)?,
        other => other?,
    };
    let header = encode_header(tag, generation, value);
    file.write_at(&[IoSlice::new(&header), IoSlice::new(value)], 0)?;
    Ok(file)
}

/// A copy whose file has gone missing gets another one.
fn create<D: Disk>(disk: &D, path: &Path) -> Result<D::File, DiskError> {
    let file = disk.create(path)?;
    if let Some(dir) = path.parent() {
        disk.sync_dir(dir)?;
    }
    Ok(file)
}

/// Reads both copies.
pub(crate) fn read<D: Disk>(
    disk: &D,
    paths: &[PathBuf; 2],
    tag: &[u8],
) -> Result<[Copy; 2], DiskError> {
    Ok([
        read_one(disk, &paths[0], tag)?,
        read_one(disk, &paths[1], tag)?,
    ])
}

/// The copy to go by: the newest that is intact.
pub(crate) fn newest(copies: &[Copy; 2]) -> Option<(u64, Bytes)> {
    copies
        .iter()
        .filter_map(|copy| match copy {
            Copy::Intact { generation, value } => Some((*generation, value.clone())),
            Copy::Missing | Copy::Damaged => None,
        })
        .max_by_key(|(generation, _)| *generation)
}

fn encode_header(tag: &[u8], generation: u64, value: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let mut fields = &mut header[..CRC_AT];
    fields.put_u32_le(MAGIC);
    fields.put_u32_le(VERSION);
    fields.put_u64_le(generation);
    // The only values are a store's and a channel's state, megabytes at the very most.
    fields.put_u32_le(u32::try_from(value.len()).expect("a kept value is bounded"));
    let crc = checksum(tag, &header[..CRC_AT], value);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn checksum(tag: &[u8], header: &[u8], value: &[u8]) -> u32 {
    crc32c_append(crc32c_append(crc32c(tag), header), value)
}

fn read_one<D: Disk>(disk: &D, path: &Path, tag: &[u8]) -> Result<Copy, DiskError> {
    let file = match disk.open(path) {
        Err(error) if error.is_missing() => return Ok(Copy::Missing),
        other => other?,
    };
    match read_file(&file, tag) {
        Ok(found) => Ok(found),
        Err(error) if error.failure == Failure::Corrupt => Ok(Copy::Damaged),
        Err(error) => Err(error),
    }
}

fn read_file<F: DiskFile>(file: &F, tag: &[u8]) -> Result<Copy, DiskError> {
    let mut header = [0; HEADER];
    if file.read_at(&mut header, 0)? < HEADER {
        return Ok(Copy::Damaged);
    }
    let mut fields = &header[..];
    let genuine = fields.get_u32_le() == MAGIC && fields.get_u32_le() == VERSION;
    let generation = fields.get_u64_le();
    let len = fields.get_u32_le() as usize;
    let crc = fields.get_u32_le();
    if !genuine || len > VALUE_MAX || len as u64 > file.len()? {
        return Ok(Copy::Damaged);
    }
    let mut value = vec![0; len];
    let whole = file.read_at(&mut value, HEADER as u64)? == len;
    if whole && checksum(tag, &header[..CRC_AT], &value) == crc {
        Ok(Copy::Intact {
            generation,
            value: value.into(),
        })
    } else {
        Ok(Copy::Damaged)
    }
}
