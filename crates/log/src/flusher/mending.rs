//! Mending a segment whose bytes are not what was written: a new file takes what is intact of the old
//! one, and batches of other replicas for the rest, and then its place.
//!
//! The checkpoint says how the segment begins and ends, link and all, and batches are the same bytes on
//! every replica. So it does not matter who gave them: a file that leads from that beginning to that end
//! is the segment (protocol §11.5).

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use tetrarch_wire::{Batch, ChannelUid, LogPosition, Seq};

use super::Flusher;
use super::removal::create_afresh;
use crate::LogError;
use crate::channel::Channel;
use crate::channel::state::SegmentRecord;
use crate::disk::{Disk, DiskError, DiskFile};
use crate::segment::index::IndexEntry;
use crate::segment::{Segment, SegmentFault, SegmentHeader, find_end, intact_from};
use crate::shared::Shared;
use crate::store::layout::UNFINISHED;

/// What an attempt to mend a segment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// It is whole again.
    Whole,
    /// It is whole up to a place. What follows is neither in the old file nor was it given.
    Lacks {
        /// The end of what is whole.
        after: LogPosition,
        /// The last seq of the segment that the log holds.
        upto: Seq,
    },
    /// What was given now does not continue what was intact and given before, or it led to another end
    /// than the segment had: something of it is of another history. All that was given was forgotten.
    Contradicted,
    /// The log does not hold the segment any more, or nothing of it that is damaged.
    Gone,
}

/// The new file.
#[derive(Debug)]
pub(super) struct Mending<F> {
    /// What it is to become.
    record: SegmentRecord,
    /// Where it is to end: where the segment does, or before, where a truncation cut it.
    upto: LogPosition,
    path: PathBuf,
    file: F,
    /// Its end.
    place: IndexEntry,
}

impl<D: Disk> Flusher<D> {
    /// Mends the segment of a channel that begins with `base`, as far as its old file and `given`, the
    /// batches that it lacked when it was asked last, allow. What was given before need not be given
    /// again.
    ///
    /// # Errors
    /// If the disk refuses. What was given is forgotten then.
    pub fn mend(
        &mut self,
        channel: ChannelUid,
        base: Seq,
        given: &[Batch],
    ) -> Result<Mended, LogError> {
        self.shared.check_poison()?;
        let shared = Arc::clone(&self.shared);
        let found = shared.channel(channel);
        let kept = self.mending.remove(&channel);
        let Some(found) = found.filter(|found| !found.view().deleted) else {
            // Its directory goes, and the new file with it.
            shared.forget_damage(channel, base);
            return Ok(Mended::Gone);
        };
        let (mended, unfinished) = mend(&shared, &found, base, kept, given)
            .map_err(|error| shared.poison_if_fatal(error))?;
        match mended {
            Mended::Whole | Mended::Gone => shared.forget_damage(channel, base),
            Mended::Lacks { .. } | Mended::Contradicted => {}
        }
        if let Some(unfinished) = unfinished {
            self.mending.insert(channel, unfinished);
        }
        Ok(mended)
    }
}

type Outcome<F> = (Mended, Option<Mending<F>>);

fn mend<D: Disk>(
    shared: &Shared<D>,
    channel: &Channel,
    base: Seq,
    kept: Option<Mending<D::File>>,
    given: &[Batch],
) -> Result<Outcome<D::File>, DiskError> {
    let path = shared.layout.segment(channel.uid, base);
    let old = match shared.disk.open(&path) {
        Err(error) if error.is_missing() => None,
        other => Some(other?),
    };
    let broken = still_damaged(channel, base, old.as_ref());
    let wanted = broken
        .as_ref()
        .map(|(segment, upto)| (segment.record, *upto));
    let kept = match kept {
        Some(of_no_use) if wanted != Some((of_no_use.record, of_no_use.upto)) => {
            shared.disk.remove(&of_no_use.path)?;
            None
        }
        other => other,
    };
    let Some((segment, upto)) = broken else {
        return Ok((Mended::Gone, None));
    };
    let mut mending = match kept {
        Some(kept) => kept,
        None => Mending::begin(shared, channel, segment.record, upto)?,
    };
    let mut given = given.iter().peekable();
    loop {
        if let Some(old) = &old {
            mending.take_intact(old)?;
        }
        if mending.is_at_end() {
            break;
        }
        let after = mending.place.previous;
        while given
            .next_if(|batch| batch.last_seq() <= after.seq)
            .is_some()
        {}
        match given.next() {
            Some(batch) if batch.follows(&after) => mending.take(std::slice::from_ref(batch))?,
            Some(batch) if batch.base_seq() <= after.seq.next() => {
                return mending.forget(shared);
            }
            Some(_) | None => {
                let upto = upto.seq;
                return Ok((Mended::Lacks { after, upto }, Some(mending)));
            }
        }
    }
    if !mending.leads_to_its_end() {
        return mending.forget(shared);
    }
    mending.file.sync_data()?;
    shared.disk.rename(&mending.path, &path)?;
    shared
        .disk
        .sync_dir(&shared.layout.channel_dir(channel.uid))?;
    shared.files.close(&path);
    // Readers that were about to say that it is damaged look again.
    channel.view().generation += 1;
    Ok((Mended::Whole, None))
}

/// The segment that begins with `base`, if the log holds it, and any of it that is damaged, and where it
/// ends. What a truncation removed does not count, though the files have not followed it yet: it may be on
/// no other node, so that nobody could mend it.
fn still_damaged<F: DiskFile>(
    channel: &Channel,
    base: Seq,
    old: Option<&F>,
) -> Option<(Segment, LogPosition)> {
    let (segment, cut) = {
        let view = channel.view();
        let segment = view.segments.iter().find(|one| one.base() == base);
        (segment.cloned()?, view.pending_cut())
    };
    let is_of_segment = |at: Seq| at < segment.record.end.seq;
    let Some(cut) = cut.filter(|cut| cut.begins || is_of_segment(cut.at.seq)) else {
        let end = segment.record.end;
        return Some((segment, end));
    };
    let at = cut.at;
    if cut.begins || at.seq <= segment.record.previous.seq {
        return None;
    }
    let end = old.map(|old| find_end(&segment, old, at));
    let is_intact = end.is_some_and(|end| end.is_ok_and(|end| end.is_some()));
    (!is_intact).then_some((segment, at))
}

impl<F: DiskFile> Mending<F> {
    fn begin<D: Disk<File = F>>(
        shared: &Shared<D>,
        channel: &Channel,
        record: SegmentRecord,
        upto: LogPosition,
    ) -> Result<Self, DiskError> {
        let base = record.previous.seq.next();
        let path = shared
            .layout
            .segment(channel.uid, base)
            .with_extension(UNFINISHED);
        let file = create_afresh(&*shared.disk, &path)?;
        let header = SegmentHeader {
            store: shared.store,
            channel: channel.uid,
            previous: record.previous,
        };
        file.write_at(&[IoSlice::new(&header.encode())], 0)?;
        Ok(Self {
            record,
            upto,
            path,
            file,
            place: IndexEntry {
                previous: record.previous,
                offset: SegmentHeader::LEN as u64,
            },
        })
    }

    /// Something that it holds is of another history.
    fn forget<D: Disk<File = F>>(self, shared: &Shared<D>) -> Result<Outcome<F>, DiskError> {
        shared.disk.remove(&self.path)?;
        Ok((Mended::Contradicted, None))
    }

    fn is_at_end(&self) -> bool {
        self.place.offset >= self.record.len || self.place.previous.seq >= self.upto.seq
    }

    /// Whether what it holds ends as the segment is to. How long it is where a truncation cut it nobody
    /// has noted; links chain, so that the position says enough.
    fn leads_to_its_end(&self) -> bool {
        let is_cut = self.upto != self.record.end;
        self.place.previous == self.upto && (is_cut || self.place.offset == self.record.len)
    }

    /// Takes what is intact in the old file from here on.
    fn take_intact(&mut self, old: &F) -> Result<(), DiskError> {
        let segment = Segment::of(self.record);
        loop {
            match intact_from(&segment, old, self.place) {
                Ok(batches) => {
                    let upto = self.upto.seq;
                    let wanted = batches.partition_point(|batch| batch.last_seq() <= upto);
                    self.take(&batches[..wanted])?;
                    if wanted < batches.len() || batches.is_empty() {
                        return Ok(());
                    }
                }
                Err(SegmentFault::Damage(_)) => return Ok(()),
                Err(SegmentFault::Disk(error)) => return Err(error),
            }
        }
    }

    fn take(&mut self, batches: &[Batch]) -> Result<(), DiskError> {
        let chunks = batches.iter().flat_map(Batch::chunks);
        let parts: Vec<IoSlice<'_>> = chunks.map(|chunk| IoSlice::new(chunk)).collect();
        self.file.write_at(&parts, self.place.offset)?;
        for batch in batches {
            self.place.previous = batch.position();
            self.place.offset += batch.size() as u64;
        }
        Ok(())
    }
}
