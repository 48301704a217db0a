//! Numbers that a log of class `available` lacks: their events were written on another side of a
//! partition, and come with its fork, or are to be sent again. Class `quorum` has no gaps.

use serde::{Deserialize, Serialize};
use tetrarch_wire::ProducerSeq;

/// Most gaps of one producer. Each stands for a time on another side that has not come to an end.
pub(crate) const MOST_GAPS: usize = 1_024;

/// Numbers from the first one up to, and without, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) from: ProducerSeq,
    pub(crate) to: ProducerSeq,
}

impl Span {
    pub(crate) const fn new(from: ProducerSeq, to: ProducerSeq) -> Self {
        Self { from, to }
    }

    fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// What two spans have in common.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        let common = Self::new(self.from.max(other.from), self.to.min(other.to));
        (!common.is_empty()).then_some(common)
    }
}

/// The gaps below the number that comes next, ascending; none touches another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gaps(Vec<Span>);

impl Gaps {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether gaps below `next` can look like this.
    pub(crate) fn is_below(&self, next: ProducerSeq) -> bool {
        let mut spans = self.0.iter();
        let apart = self.0.is_sorted_by(|one, other| one.to < other.from);
        apart && spans.all(|span| !span.is_empty() && span.to < next)
    }

    /// The numbers of `span` that are missing, ascending.
    pub(crate) fn within(&self, span: Span) -> impl Iterator<Item = Span> {
        self.0.iter().filter_map(move |gap| gap.common(span))
    }

    /// A gap above all others opens.
    pub(crate) fn open(&mut self, span: Span) {
        debug_assert!(self.0.last().is_none_or(|last| last.to < span.from));
        self.0.push(span);
    }

    /// The numbers of `span` are missing no more.
    pub(crate) fn fill(&mut self, span: Span) {
        let parts = |gap: &Span| {
            let before = Span::new(gap.from, gap.to.min(span.from));
            let after = Span::new(gap.from.max(span.to), gap.to);
            [before, after].into_iter().filter(|part| !part.is_empty())
        };
        self.0 = self.0.iter().flat_map(parts).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        Span::new(ProducerSeq::new(from), ProducerSeq::new(to))
    }

    #[test]
    fn gaps_open_above_and_are_filled_anywhere() {
        let mut gaps = Gaps::default();
        gaps.open(span(3, 9));
        gaps.open(span(12, 13));
        gaps.fill(span(5, 7));
        assert_eq!(gaps, Gaps(vec![span(3, 5), span(7, 9), span(12, 13)]));
        let missing: Vec<Span> = gaps.within(span(4, 13)).collect();
        assert_eq!(missing, [span(4, 5), span(7, 9), span(12, 13)]);
        gaps.fill(span(1, 8));
        gaps.fill(span(12, 20));
        assert_eq!(gaps, Gaps(vec![span(8, 9)]));
        assert!(gaps.is_below(ProducerSeq::new(10)));
        assert!(
            !gaps.is_below(ProducerSeq::new(9)),
            "the last number is there"
        );
        assert!(!Gaps(vec![span(3, 5), span(5, 6)]).is_below(ProducerSeq::new(10)));
    }
}
