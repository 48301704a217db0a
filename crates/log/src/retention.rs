//! Which segments a retention policy would drop. Deciding to drop them is not done here.

use tetrarch_wire::{Retention, Seq};

use crate::channel::state::SegmentRecord;

/// The last seq of the sealed segments, from the oldest on, that `retention` does not keep.
pub(crate) fn candidate(
    segments: &[SegmentRecord],
    pending_bytes: u64,
    tail: Seq,
    retention: &Retention,
    now_ms: u64,
) -> Option<Seq> {
    let (_, sealed) = segments.split_last()?;
    let mut bytes = pending_bytes + segments.iter().map(|segment| segment.len).sum::<u64>();
    let mut last = None;
    for segment in sealed {
        let old = retention
            .max_age_ms
            .is_some_and(|age| segment.last_ms.saturating_add(age) < now_ms);
        bytes -= segment.len;
        let large = retention.max_bytes.is_some_and(|max| bytes >= max);
        let events = tail.since(segment.end.seq);
        let many = retention.max_events.is_some_and(|max| events >= max);
        if !(old || large || many) {
            break;
        }
        last = Some(segment.end.seq);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetrarch_wire::{Link, LogPosition};

    fn position(seq: u64) -> LogPosition {
        LogPosition {
            seq: Seq::new(seq),
            ..LogPosition::origin(Link::genesis(b"x"))
        }
    }

    /// Four segments of 10 events and 1,000 bytes, written at 100, 200, 300 and 400 ms.
    fn segments() -> Vec<SegmentRecord> {
        (0..4)
            .map(|index| SegmentRecord {
                previous: position(index * 10),
                end: position(index * 10 + 10),
                len: 1000,
                first_ms: index * 100,
                last_ms: index * 100 + 100,
            })
            .collect()
    }

    fn drop(retention: Retention) -> Option<Seq> {
        candidate(&segments(), 500, Seq::new(45), &retention, 1_000)
    }

    #[test]
    fn each_limit_drops_whole_segments_only() {
        assert_eq!(drop(Retention::FOREVER), None);
        for (age, seq) in [(900, None), (899, Some(10)), (750, Some(20)), (0, Some(30))] {
            let policy = Retention {
                max_age_ms: Some(age),
                ..Retention::FOREVER
            };
            assert_eq!(drop(policy), seq.map(Seq::new), "age {age}");
        }
        for (bytes, seq) in [(4000, None), (3500, Some(10)), (1, Some(30))] {
            let policy = Retention {
                max_bytes: Some(bytes),
                ..Retention::FOREVER
            };
            assert_eq!(drop(policy), seq.map(Seq::new), "bytes {bytes}");
        }
        for (events, seq) in [(36, None), (35, Some(10)), (0, Some(30))] {
            let policy = Retention {
                max_events: Some(events),
                ..Retention::FOREVER
            };
            assert_eq!(drop(policy), seq.map(Seq::new), "events {events}");
        }
    }
}
