//! Fitting rows into frames: a few datagrams if that is enough, else the control stream.

use tetrarch_wire::{ChannelUid, VoterId, frame::ChannelBeat, limits};

use super::BeatWay;

/// Most datagrams for one beat; what needs more goes over the control stream (protocol §6).
const MAX_DATAGRAMS: usize = 4;
/// Most pages of one beat or table that are accepted.
pub(super) const MAX_PAGES: usize = 128;
/// Most bytes of a beat or acknowledgement without its rows, frame header included.
pub(super) const FRAME_OVERHEAD: usize = 112;

/// Bytes of a number in the structure codec: seven bits a byte.
fn varint_len(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Bytes of a row in the structure codec.
fn row_len(row: &ChannelBeat) -> usize {
    let fixed = ChannelUid::LEN + 1 + VoterId::LEN;
    let numbers = [
        row.epoch.n,
        row.durable.get(),
        row.tail.get(),
        row.commit.get(),
    ];
    fixed + numbers.into_iter().map(varint_len).sum::<usize>()
}

/// Cuts the rows of one beat into pages and says which way they go. There is always a page.
pub(super) fn paginate(
    rows: Vec<ChannelBeat>,
    datagram_budget: usize,
    control_only: bool,
) -> (BeatWay, Vec<Vec<ChannelBeat>>) {
    if rows.is_empty() {
        let way = if control_only {
            BeatWay::Control
        } else {
            BeatWay::Datagram
        };
        return (way, vec![rows]);
    }
    if !control_only {
        let pages = datagrams(&rows, datagram_budget.saturating_sub(FRAME_OVERHEAD));
        if pages.len() <= MAX_DATAGRAMS {
            return (BeatWay::Datagram, pages);
        }
    }
    let pages = rows.chunks(limits::MAX_BEAT_ROWS);
    (
        BeatWay::Control,
        pages.take(MAX_PAGES).map(<[_]>::to_vec).collect(),
    )
}

/// Pages of at most `budget` bytes, but of one row at least, and one more than is allowed at most.
fn datagrams(rows: &[ChannelBeat], budget: usize) -> Vec<Vec<ChannelBeat>> {
    let mut pages = Vec::new();
    let mut page: Vec<ChannelBeat> = Vec::new();
    let mut used = 0;
    for row in rows {
        let len = row_len(row);
        if used + len > budget && !page.is_empty() {
            pages.push(std::mem::take(&mut page));
            used = 0;
            if pages.len() > MAX_DATAGRAMS {
                return pages;
            }
        }
        used += len;
        page.push(*row);
    }
    pages.push(page);
    pages
}
