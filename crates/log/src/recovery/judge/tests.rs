//! Torn and rotten groups, told apart.

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
fn a_torn_group_tells_by_its_header_what_was_durable_before_it() {
    let torn = bad(2, Some(header(3, 2)));
    let salvage = Step::Salvage {
        incarnation: 1,
        offset: 1,
    };
    let lost = Step::Lost {
        incarnation: 1,
        offset: 1,
    };
    let file = [good(0, 1, 0), bad(1, Some(header(2, 1))), torn.clone()];
    assert_eq!(judged(&[&file]), [replay(1, 0), salvage]);
    let file = [good(0, 1, 0), bad(1, None), torn];
    assert_eq!(judged(&[&file]), [replay(1, 0), lost]);
    // Both were on their way when the power went: nobody was told of either.
    let file = [
        good(0, 1, 0),
        bad(1, Some(header(2, 1))),
        bad(2, Some(header(3, 1))),
    ];
    assert_eq!(judged(&[&file]), [replay(1, 0)]);
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

#[test]
fn a_file_that_is_cut_short_is_a_loss_unless_the_next_one_continues_it() {
    let cut = Extent::CutShort { offset: 1 };
    let lost = Step::Lost {
        incarnation: 1,
        offset: 1,
    };
    let one = [good(0, 1, 0), cut.clone()];
    assert_eq!(judged(&[&one]), [replay(1, 0), lost]);
    assert_eq!(judged(&[&[cut]]), [lost]);
    let two = [good(0, 2, 1), bad(1, None)];
    assert_eq!(judged(&[&one, &two]), [replay(1, 0), replay(2, 0)]);
    let two = [good(0, 3, 2), bad(1, None)];
    assert_eq!(judged(&[&one, &two]), [replay(1, 0), lost, replay(2, 0)]);
}
