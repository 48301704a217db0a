//! One channel: its state, its segments from the first batch to the last, its snapshot.

use tetrarch_wire::ChannelUid;

use super::{FindingKind, VerifyReport};
use crate::channel::state::{ChannelState, SegmentRecord};
use crate::disk::{Disk, DiskError, DiskFile, Failure};
use crate::flusher::load_snapshot;
use crate::segment::{Segment, SegmentFault, SegmentHeader, for_each_batch};
use crate::store::layout::Layout;
use crate::{Damage, LogError};

pub(super) fn verify<D: Disk>(
    disk: &D,
    layout: &Layout,
    uid: ChannelUid,
    is_in_wal: bool,
    report: &mut VerifyReport,
) -> Result<(), LogError> {
    report.channels += 1;
    let copies = ChannelState::copies(disk, layout, uid)?;
    let Some((_, state)) = ChannelState::newest(&copies) else {
        if is_in_wal {
            // Its files were being made when the store stopped; the next start makes them anew.
            return Ok(());
        }
        let damage = FindingKind::Damage(Damage::StateLost);
        report.find(&layout.state(uid)[0], Some(uid), damage);
        return Ok(());
    };
    report.check_copies(&layout.state(uid), &copies, Some(uid));
    if let Some(damage) = state.halted {
        let halted = FindingKind::Halted(damage);
        report.find(&layout.channel_dir(uid), Some(uid), halted);
    }
    for record in state.segments {
        verify_segment(disk, layout, uid, record, report)?;
    }
    match load_snapshot(disk, layout, uid) {
        Ok(_) => {}
        Err(Some(error)) => return Err(error.into()),
        Err(None) => {
            let kind = if state.log_start.seq > tetrarch_wire::Seq::ZERO {
                FindingKind::Damage(Damage::SnapshotLost)
            } else {
                FindingKind::Snapshot
            };
            report.find(&layout.snapshot(uid), Some(uid), kind);
        }
    }
    Ok(())
}

fn verify_segment<D: Disk>(
    disk: &D,
    layout: &Layout,
    uid: ChannelUid,
    record: SegmentRecord,
    report: &mut VerifyReport,
) -> Result<(), LogError> {
    let segment = Segment::of(record);
    let path = layout.segment(uid, segment.base());
    let after = record.previous.seq;
    let file = match disk.open(&path) {
        Err(error) if error.is_missing() => {
            let damage = FindingKind::Damage(Damage::SegmentMissing { after });
            report.find(&path, Some(uid), damage);
            return Ok(());
        }
        other => other?,
    };
    report.segments += 1;
    if !header_is(&file, uid, report, &record)? {
        report.find(&path, Some(uid), FindingKind::SegmentHeader);
    }
    let mut last = record.previous;
    let walked = for_each_batch(&segment, &file, |batch| {
        report.batches += 1;
        report.bytes += batch.size() as u64;
        last = batch.position();
    });
    let damage = match walked {
        Ok(()) if last == record.end => return Ok(()),
        Ok(()) => Damage::Gap { after: last.seq },
        Err(SegmentFault::Damage(rot)) => rot.into(),
        Err(SegmentFault::Disk(error)) => return Err(error.into()),
    };
    report.find(&path, Some(uid), FindingKind::Damage(damage));
    Ok(())
}

fn header_is<F: DiskFile>(
    file: &F,
    channel: ChannelUid,
    report: &VerifyReport,
    record: &SegmentRecord,
) -> Result<bool, DiskError> {
    let mut bytes = [0; SegmentHeader::LEN];
    match file.read_at(&mut bytes, 0) {
        Ok(_) => {}
        Err(error) if error.failure == Failure::Corrupt => return Ok(false),
        Err(error) => return Err(error),
    }
    let expected = SegmentHeader {
        store: report.identity.store,
        channel,
        previous: record.previous,
    };
    Ok(SegmentHeader::decode(&bytes) == Some(expected))
}
