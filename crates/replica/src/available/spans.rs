//! Sets of numbers that come in long runs.

/// A set of numbers, as spans from the first up to, and without, the last; ascending, none touching
/// another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// Takes the numbers from `from` up to, and without, `to` in.
    pub(super) fn insert(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        let first = self.0.partition_point(|(_, end)| *end < from);
        let after = self.0.partition_point(|(start, _)| *start <= to);
        let touched = self.0.get(first..after).unwrap_or_default();
        let from = touched.first().map_or(from, |(start, _)| from.min(*start));
        let to = touched.last().map_or(to, |(_, end)| to.max(*end));
        self.0.splice(first..after.max(first), [(from, to)]);
    }

    /// The spans of numbers from `from` up to, and without, `to` that are not in the set, ascending.
    pub(super) fn missing(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let first = self.0.partition_point(|(_, end)| *end <= from);
        let known = self.0.get(first..).unwrap_or_default().iter();
        let (mut next, mut missing) = (from, Vec::new());
        for (start, end) in known.take_while(|(start, _)| *start < to) {
            if next < *start {
                missing.push((next, *start));
            }
            next = next.max(*end);
        }
        if next < to {
            missing.push((next, to));
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_become_one() {
        let mut spans = Spans::default();
        for (from, to) in [(5, 8), (1, 3), (20, 21), (8, 9), (3, 5), (4, 4)] {
            spans.insert(from, to);
        }
        assert_eq!(spans, Spans(vec![(1, 9), (20, 21)]));
        spans.insert(0, 30);
        assert_eq!(spans, Spans(vec![(0, 30)]));
    }

    /// Against the numbers one by one.
    #[test]
    fn a_set_is_what_was_put_in() {
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..200 {
            let (mut spans, mut numbers) = (Spans::default(), [false; 40]);
            for _ in 0..8 {
                let (from, count) = (draw(30), draw(10));
                spans.insert(from, from + count);
                (from..from + count).for_each(|n| numbers[usize::try_from(n).unwrap()] = true);
            }
            let (from, to) = (draw(20), 20 + draw(20));
            let missing = spans.missing(from, to);
            let expanded: Vec<u64> = missing.iter().flat_map(|(a, b)| *a..*b).collect();
            let expected = (from..to).filter(|n| !numbers[usize::try_from(*n).unwrap()]);
            assert_eq!(expanded, expected.collect::<Vec<u64>>());
            assert!(missing.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
