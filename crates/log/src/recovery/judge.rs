//! Torn or rotten (protocol §11.3). A group that is not intact was torn, and nobody was told about
//! it, unless a later intact group says that it was durable: then it is rotten, and what it held
//! is missing.

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
}

impl Suspect {
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
                } => suspects.push(Suspect {
                    incarnation,
                    offset: *offset,
                    group: header.map_or(last.map_or(0, |last| last.group + 1), |h| h.group),
                    synced_upto: header.map(|header| header.synced_upto),
                    unreadable: *unreadable,
                }),
                Extent::Group {
                    offset,
                    header,
                    link,
                } => {
                    let rotten: Vec<Suspect> = suspects
                        .drain(..)
                        .filter(|suspect| suspect.unreadable || header.synced_upto >= suspect.group)
                        .collect();
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
    // Bytes that the disk refuses to give cannot be shown to be torn.
    let unreadable = suspects.iter().filter(|suspect| suspect.unreadable);
    steps.extend(unreadable.copied().map(Suspect::rotten));
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
mod tests {
    use tetrarch_wire::Boot;

    use super::*;

    fn header(group: u64, synced_upto: u64) -> GroupHeader {
        GroupHeader {
            incarnation: 1,
            boot: Boot::new(1),
            group,
            synced_upto,
            prev_crc: u32::try_from(synced_upto).unwrap(),
            records: 1,
            len: 10,
            summary_len: 0,
            payload_crc: 0,
        }
    }

    fn good(offset: u64, group: u64, synced_upto: u64) -> Extent {
        Extent::Group {
            offset,
            header: header(group, synced_upto),
            link: GroupLink {
                group,
                crc: u32::try_from(group).unwrap(),
            },
        }
    }

    fn bad(offset: u64, header: Option<GroupHeader>) -> Extent {
        Extent::Bad {
            offset,
            header,
            until: None,
            unreadable: false,
        }
    }

    fn replay(incarnation: u64, offset: u64) -> Step {
        Step::Replay {
            incarnation,
            offset,
        }
    }

    fn judged(files: &[&[Extent]]) -> Vec<Step> {
        judge((1..).zip(files.iter().copied()))
    }

    #[test]
    fn a_bad_group_at_the_end_is_torn() {
        let file = [good(0, 1, 0), good(1, 2, 1), bad(2, Some(header(3, 2)))];
        assert_eq!(judged(&[&file]), [replay(1, 0), replay(1, 1)]);
    }

    #[test]
    fn a_bad_group_before_one_that_was_written_after_its_sync_is_rotten() {
        let lost = Step::Lost {
            incarnation: 1,
            offset: 1,
        };
        let file = [good(0, 1, 0), bad(1, None), good(2, 3, 2)];
        assert_eq!(judged(&[&file]), [replay(1, 0), lost, replay(1, 2)]);
        let salvage = Step::Salvage {
            incarnation: 1,
            offset: 1,
        };
        let file = [good(0, 1, 0), bad(1, Some(header(2, 1))), good(2, 3, 2)];
        assert_eq!(judged(&[&file]), [replay(1, 0), salvage, replay(1, 2)]);
    }

    #[test]
    fn a_rotten_group_hides_none_that_is_gone_behind_it() {
        let salvage = Step::Salvage {
            incarnation: 1,
            offset: 1,
        };
        let lost = Step::Lost {
            incarnation: 1,
            offset: 3,
        };
        // Group 2 is rotten, and of group 3 not even the header is left.
        let file = [good(0, 1, 0), bad(1, Some(header(2, 1))), good(3, 4, 3)];
        let expected = [replay(1, 0), salvage, lost, replay(1, 3)];
        assert_eq!(judged(&[&file]), expected);
        // The same with a second rotten one after it.
        let file = [
            good(0, 1, 0),
            bad(1, Some(header(2, 1))),
            bad(2, Some(header(4, 3))),
            good(3, 5, 4),
        ];
        let also = Step::Salvage {
            incarnation: 1,
            offset: 2,
        };
        let expected = [replay(1, 0), salvage, also, lost, replay(1, 3)];
        assert_eq!(judged(&[&file]), expected);
        // Group 3 was torn: nobody was told of it.
        let file = [good(0, 1, 0), bad(1, Some(header(2, 1))), good(3, 4, 2)];
        assert_eq!(judged(&[&file]), [replay(1, 0), salvage, replay(1, 3)]);
    }

    #[test]
    fn the_unwritten_end_of_a_full_file_is_no_loss_if_the_next_file_continues_it() {
        let one = [good(0, 1, 0), bad(1, None)];
        let two = [good(0, 2, 1), bad(1, None)];
        assert_eq!(judged(&[&one, &two]), [replay(1, 0), replay(2, 0)]);
        let two = [good(0, 3, 2), bad(1, None)];
        let lost = Step::Lost {
            incarnation: 1,
            offset: 1,
        };
        assert_eq!(judged(&[&one, &two]), [replay(1, 0), lost, replay(2, 0)]);
    }

    #[test]
    fn a_group_that_continues_another_history_tells_of_a_loss() {
        let mut other = header(2, 1);
        other.prev_crc = 77;
        let file = [
            good(0, 1, 0),
            Extent::Group {
                offset: 1,
                header: other,
                link: GroupLink { group: 2, crc: 2 },
            },
        ];
        let lost = Step::Lost {
            incarnation: 1,
            offset: 1,
        };
        assert_eq!(judged(&[&file]), [replay(1, 0), lost, replay(1, 1)]);
    }

    #[test]
    fn what_the_disk_refuses_to_give_is_never_called_torn() {
        let unreadable = Extent::Bad {
            offset: 1,
            header: None,
            until: None,
            unreadable: true,
        };
        let lost = Step::Lost {
            incarnation: 1,
            offset: 1,
        };
        assert_eq!(
            judged(&[&[good(0, 1, 0), unreadable]]),
            [replay(1, 0), lost]
        );
    }
}
