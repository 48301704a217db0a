//! The WAL: the groups of the last serving boot, judged as the next start would judge them.

use std::collections::BTreeSet;

use tetrarch_wire::ChannelUid;

use super::{FindingKind, VerifyReport};
use crate::disk::{Disk, DiskFile};
use crate::recovery::judge::{Step, judge};
use crate::recovery::salvage::{self, Salvaged};
use crate::store::layout::Layout;
use crate::store::meta::Meta;
use crate::wal::group::WalSeed;
use crate::wal::scan::{Extent, GroupRead, WalScan};
use crate::{Damage, LogError, WriteOp};

/// Returns the channels whose beginning is in the WAL: of these the next start needs nothing else.
pub(super) fn verify<D: Disk>(
    disk: &D,
    layout: &Layout,
    meta: &Meta,
    report: &mut VerifyReport,
) -> Result<BTreeSet<ChannelUid>, LogError> {
    let seed = WalSeed::of(meta.identity.store);
    let mut files = Vec::new();
    let mut opened = Vec::new();
    for incarnation in meta.wal_floor..=meta.wal_last {
        let path = layout.wal_file(incarnation);
        match disk.open(&path) {
            Err(error) if error.is_missing() => {
                let missing = FindingKind::Damage(Damage::WalMissing { incarnation });
                report.find(&path, None, missing);
            }
            found => {
                let file = found?;
                let scan = WalScan::new(&file, incarnation, meta.served_boot, seed)?;
                let extents = scan.extents(meta.wal_file_len(incarnation))?;
                find_opened(&scan, &extents, seed, &mut opened)?;
                files.push((incarnation, extents));
            }
        }
    }
    let steps = judge(
        files
            .iter()
            .map(|(number, extents)| (*number, &extents[..])),
    );
    for step in &steps {
        match *step {
            Step::Replay { .. } => report.groups += 1,
            Step::Salvage {
                incarnation,
                offset,
            }
            | Step::Lost {
                incarnation,
                offset,
            } => {
                let rot = FindingKind::Damage(Damage::WalRot {
                    incarnation,
                    offset,
                });
                report.find(&layout.wal_file(incarnation), None, rot);
            }
        }
    }
    find_torn(layout, &files, &steps, report);
    Ok(opened.into_iter().collect())
}

/// The channels that intact groups open.
fn find_opened<F: DiskFile>(
    scan: &WalScan<'_, F>,
    extents: &[Extent],
    seed: WalSeed,
    opened: &mut Vec<ChannelUid>,
) -> Result<(), LogError> {
    for extent in extents {
        let Extent::Group { offset, .. } = extent else {
            continue;
        };
        let GroupRead::Good(header, _, bytes) = scan.read_group(*offset)? else {
            continue;
        };
        let records = salvage::records(&header, &bytes, seed);
        opened.extend(records.into_iter().filter_map(|found| match found {
            Salvaged::Record(_, uid, WriteOp::Open { .. }) => Some(uid),
            _ => None,
        }));
    }
    Ok(())
}

/// Groups with an intact header and a damaged body that no later group vouches for.
fn find_torn(
    layout: &Layout,
    files: &[(u64, Vec<Extent>)],
    steps: &[Step],
    report: &mut VerifyReport,
) {
    for (incarnation, extents) in files {
        for extent in extents {
            let Extent::Bad {
                offset,
                header: Some(_),
                ..
            } = extent
            else {
                continue;
            };
            let rotten = Step::Salvage {
                incarnation: *incarnation,
                offset: *offset,
            };
            if !steps.contains(&rotten) {
                let torn = FindingKind::TornTail { offset: *offset };
                report.find(&layout.wal_file(*incarnation), None, torn);
            }
        }
    }
}
