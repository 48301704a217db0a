//! Torn or rotten (protocol §11.3). A group that is not intact was torn, and nobody was told about
//! it, unless a later group says that it was durable: then it is rotten, and what it held is
//! missing. The header of that later group is enough, for it has a checksum of its own: what follows
//! it may be torn.

use tetrarch_mutant::{Mutant, planted};

use crate::wal::buffer::GroupLink;
use crate::wal::group::GroupHeader;
use crate::wal::scan::Extent;

/// What to do with one stretch of the WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An intact group: replay it.
    Replay { incarnation: u64, offset: u64 },
    /// A rotten group whose header is intact: find out what is left of it.
    Salvage { incarnation: u64, offset: u64 },
    /// Groups that were durable are gone.
    Lost { incarnation: u64, offset: u64 },
}

/// A stretch that is not intact, and not judged yet.
#[derive(Clone, Copy)]
struct Suspect {
    incarnation: u64,
    offset: u64,
    /// The lowest number that the first bad group in it can have.
    group: u64,
    /// What its header says was durable before it, if that is intact.
    synced_upto: Option<u64>,
    unreadable: bool,
    /// The file ends there too early.
    cut_short: bool,
    /// The header of a later group says that this one was durable.
    was_durable: bool,
}

impl Suspect {
    /// A later header tells what was durable.
    const fn hears(&mut self, header: &GroupHeader) {
        self.was_durable |= header.synced_upto >= self.group;
    }

    const fn is_rotten(&self) -> bool {
        // Bytes that the disk refuses to give cannot be shown to be torn.
        self.unreadable || self.was_durable
    }

    /// Nothing comes after it. What was cut off may have held groups that were durable.
    fn is_rotten_at_the_end(&self) -> bool {
        self.is_rotten() || (self.cut_short && !planted(Mutant::RotAsTorn))
    }

    fn rotten(self) -> Step {
        let Self {
            incarnation,
            offset,
            ..
        } = self;
        if self.synced_upto.is_some() {
            Step::Salvage {
                incarnation,
                offset,
            }
        } else {
            Step::Lost {
                incarnation,
                offset,
            }
        }
    }
}

/// Judges the files of one boot, in the order of their incarnations.
pub(crate) fn judge<'a>(files: impl Iterator<Item = (u64, &'a [Extent])>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut suspects: Vec<Suspect> = Vec::new();
    let mut last: Option<GroupLink> = None;
    for (incarnation, extents) in files {
        for extent in extents {
            match extent {
                Extent::Bad {
                    offset,
                    header,
                    unreadable,
                    ..
                } => {
                    if let Some(header) = header {
                        suspects.iter_mut().for_each(|one| one.hears(header));
                    }
                    suspects.push(Suspect {
                        incarnation,
                        offset: *offset,
                        group: header.map_or(last.map_or(0, |last| last.group + 1), |h| h.group),
                        synced_upto: header.map(|header| header.synced_upto),
                        unreadable: *unreadable,
                        cut_short: false,
                        was_durable: false,
                    });
                }
                Extent::CutShort { offset } => suspects.push(Suspect {
                    incarnation,
                    offset: *offset,
                    group: last.map_or(0, |last| last.group + 1),
                    synced_upto: None,
                    unreadable: false,
                    cut_short: true,
                    was_durable: false,
                }),
                Extent::Group {
                    offset,
                    header,
                    link,
                } => {
                    suspects.iter_mut().for_each(|one| one.hears(header));
                    let rotten: Vec<Suspect> =
                        suspects.drain(..).filter(Suspect::is_rotten).collect();
                    steps.extend(rotten.iter().copied().map(Suspect::rotten));
                    if !is_accounted_for(header, last, &rotten) {
                        steps.push(Step::Lost {
                            incarnation,
                            offset: *offset,
                        });
                    }
                    steps.push(Step::Replay {
                        incarnation,
                        offset: *offset,
                    });
                    last = Some(*link);
                }
            }
        }
    }
    let rotten = suspects.into_iter().filter(Suspect::is_rotten_at_the_end);
    steps.extend(rotten.map(Suspect::rotten));
    steps
}

/// Whether everything that was durable when this group was written is at hand, or is judged to be
/// lost already. A rotten group whose header is intact may hide others before and behind it.
fn is_accounted_for(header: &GroupHeader, last: Option<GroupLink>, rotten: &[Suspect]) -> bool {
    let mut before = last.map(|last| last.group);
    for suspect in rotten {
        let Some(synced_upto) = suspect.synced_upto else {
            return true;
        };
        if before.is_some_and(|before| before != synced_upto) {
            return false;
        }
        before = Some(suspect.group);
    }
    let is_same = |last: GroupLink| !rotten.is_empty() || header.prev_crc == last.crc;
    before.is_none_or(|before| header.synced_upto == before) && last.is_none_or(is_same)
}

#[cfg(test)]
mod tests;
