//! Decisions read off the fuzzer's bytes, one after the other. Where they end, every further
//! decision is the first of those that are possible, so that a shorter input is a simpler one.

/// What is left of an input.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    /// A number below `limit`, at most 256 of them.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    /// True `share` times of 256.
    pub(crate) fn happens(&mut self, share: u8) -> bool {
        let byte = self.byte();
        byte > 0 && byte <= share
    }

    /// One of several, which are not none.
    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    /// A number of any size, small ones and those at the end of the range more often.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..=199 => u64::from(small),
            near_the_end @ 200..=219 => u64::MAX - u64::from(near_the_end - 200),
            shift @ 220..=235 => 1 << (4 * u32::from(shift - 220)),
            236..=255 => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }
}
