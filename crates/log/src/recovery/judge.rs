//! Torn or rotten (protocol §11.3). A group that is not intact was torn, and nobody was told about
//! it, unless a later intact group says that it was durable: then it is rotten, and what it held
//! is missing.

use crate::wal::buffer::GroupLink;
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
    has_header: bool,
    unreadable: bool,
}

impl Suspect {
    fn rotten(self) -> Step {
        let Self {
            incarnation,
            offset,
            ..
        } = self;
        if self.has_header {
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
                    has_header: header.is_some(),
                    unreadable: *unreadable,
                }),
                Extent::Group {
                    offset,
                    header,
                    link,
                } => {
                    let before = steps.len();
                    steps.extend(
                        suspects
                            .drain(..)
                            .filter(|suspect| {
                                suspect.unreadable || header.synced_upto >= suspect.group
                            })
                            .map(Suspect::rotten),
                    );
                    let continues = last.is_none_or(|last| {
                        header.synced_upto == last.group && header.prev_crc == last.crc
                    });
                    if !continues && steps.len() == before {
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

#[cfg(test)]
mod tests {
    use tetrarch_wire::Boot;

    use super::*;
    use crate::wal::group::GroupHeader;

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
