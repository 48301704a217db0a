//! The WAL files that a start finds: which of them hold groups that count, which can be written,
//! and what becomes of them afterwards.

use std::collections::BTreeMap;

use tetrarch_wire::Boot;

use crate::LogError;
use crate::disk::{Disk, DiskError, DiskFile};
use crate::flusher::Flusher;
use crate::shared::Shared;
use crate::store::layout::{UNFINISHED, wal_incarnation};
use crate::store::meta::Meta;
use crate::wal::files::WalFile;
use crate::wal::group::WalSeed;
use crate::wal::scan::{Extent, WalScan};

/// One file with what the last serving boot wrote to it.
struct Found<F> {
    file: F,
    extents: Vec<Extent>,
}

/// Every WAL file that counts, by incarnation, and those that do not.
pub(super) struct Inventory<F> {
    counted: BTreeMap<u64, Found<F>>,
    /// Files below the floor: their records are durable elsewhere.
    idle: Vec<u64>,
    /// Files above everything that was written; they can be written as they are.
    unused: BTreeMap<u64, F>,
    missing: Option<u64>,
    boot: Boot,
    wal_file_bytes: u64,
}

impl<F: DiskFile> Inventory<F> {
    /// Looks at every file.
    pub(super) fn take<D: Disk<File = F>>(
        shared: &Shared<D>,
        meta: &Meta,
        seed: WalSeed,
        wal_file_bytes: u64,
    ) -> Result<Self, DiskError> {
        let mut inventory = Self {
            counted: BTreeMap::new(),
            idle: Vec::new(),
            unused: BTreeMap::new(),
            missing: None,
            boot: meta.served_boot,
            wal_file_bytes,
        };
        let dir = shared.layout.wal_dir();
        for name in shared.disk.list(&dir)? {
            if name.extension().is_some_and(|end| end == UNFINISHED) {
                shared.disk.remove(&dir.join(&name))?;
            } else if let Some(incarnation) = wal_incarnation(&name) {
                if incarnation < meta.wal_floor {
                    inventory.idle.push(incarnation);
                    continue;
                }
                let file = shared.disk.open(&dir.join(&name))?;
                let scan = WalScan::new(&file, incarnation, meta.served_boot, seed)?;
                let extents = scan.extents(meta.wal_file_len(incarnation))?;
                inventory
                    .counted
                    .insert(incarnation, Found { file, extents });
            }
        }
        inventory.missing = (meta.wal_floor..=meta.wal_last)
            .find(|incarnation| !inventory.counted.contains_key(incarnation));
        inventory.set_unused_apart();
        Ok(inventory)
    }

    /// A file that should be there and is not.
    pub(super) fn missing(&self) -> Option<u64> {
        self.missing
    }

    /// The newest file there is. A start may have died between giving a file its name and noting
    /// its number; that number is taken all the same.
    pub(super) fn newest(&self) -> u64 {
        let counted = self.counted.last_key_value().map(|(number, _)| *number);
        let unused = self.unused.last_key_value().map(|(number, _)| *number);
        counted.max(unused).unwrap_or(0)
    }

    /// Every file that counts with its stretches, in order.
    pub(super) fn scanned(&self) -> impl Iterator<Item = (u64, &[Extent])> {
        self.counted
            .iter()
            .map(|(incarnation, found)| (*incarnation, &found.extents[..]))
    }

    /// Reads a file that counts.
    pub(super) fn scan(
        &self,
        incarnation: u64,
        seed: WalSeed,
    ) -> Result<Option<WalScan<'_, F>>, DiskError> {
        self.counted
            .get(&incarnation)
            .map(|found| WalScan::new(&found.file, incarnation, self.boot, seed))
            .transpose()
    }

    /// The file that this boot begins with.
    pub(super) fn first_file<D: Disk<File = F>>(
        &mut self,
        flusher: &mut Flusher<D>,
    ) -> Result<WalFile<F>, LogError> {
        if let Some((incarnation, file)) = self.unused.pop_first() {
            let len = file.len()?;
            return Ok(WalFile {
                incarnation,
                file,
                len,
            });
        }
        flusher.make_wal_file()
    }

    /// The other unused files can be written next.
    pub(super) fn offer_ready<D: Disk<File = F>>(
        &mut self,
        flusher: &mut Flusher<D>,
    ) -> Result<(), LogError> {
        while let Some((incarnation, file)) = self.unused.pop_first() {
            flusher.add_ready(incarnation, file)?;
        }
        Ok(())
    }

    /// This boot counts now: the files of the one before are written again under new
    /// incarnations, as far as they are wanted. Rotten ones are kept as evidence.
    pub(super) fn retire<D: Disk<File = F>>(
        self,
        flusher: &mut Flusher<D>,
        first_new: u64,
        rotten: &[u64],
    ) -> Result<(), LogError> {
        let mut old = self.idle;
        for (incarnation, found) in self.counted {
            if incarnation >= first_new {
                continue;
            }
            if rotten.contains(&incarnation) {
                flusher.set_aside(incarnation)?;
            } else if found.file.len()? == self.wal_file_bytes {
                old.push(incarnation);
            } else {
                flusher.remove_wal_file(incarnation)?;
            }
        }
        for incarnation in old {
            flusher.reuse_or_remove(incarnation)?;
        }
        Ok(())
    }

    /// Files after the last one with a group were made ready and never used. One of another size
    /// than wanted counts as used, and goes when this boot has taken over. So does one with a group
    /// of which only the header is intact: it says what was durable before it.
    fn set_unused_apart(&mut self) {
        while let Some((&incarnation, found)) = self.counted.last_key_value() {
            let is_used = found.extents.iter().any(|extent| match extent {
                Extent::Group { .. } => true,
                Extent::Bad {
                    header, unreadable, ..
                } => header.is_some() || *unreadable,
                Extent::CutShort { .. } => true,
            });
            let fits = found.file.len().is_ok_and(|len| len == self.wal_file_bytes);
            if is_used || !fits {
                break;
            }
            if let Some(found) = self.counted.remove(&incarnation) {
                self.unused.insert(incarnation, found.file);
            }
        }
    }
}
