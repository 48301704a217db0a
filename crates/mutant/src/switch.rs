//! Which mistake is made at present, for the whole process: at most one.

use crate::Mutant;

#[cfg(feature = "plant")]
mod present {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::Mutant;

    const NONE: usize = usize::MAX;
    static PRESENT: AtomicUsize = AtomicUsize::new(NONE);

    /// Makes this mistake from now on, or none.
    pub fn plant(mutant: Option<Mutant>) {
        let present = mutant.map_or(NONE, |mutant| mutant as usize);
        PRESENT.store(present, Ordering::Relaxed);
    }

    pub(super) fn is(mutant: Mutant) -> bool {
        PRESENT.load(Ordering::Relaxed) == mutant as usize
    }
}

#[cfg(feature = "plant")]
pub use present::plant;

/// Whether this mistake is to be made.
#[cfg(feature = "plant")]
#[must_use]
pub fn planted(mutant: Mutant) -> bool {
    present::is(mutant)
}

/// Whether this mistake is to be made: never.
#[cfg(not(feature = "plant"))]
#[inline]
#[must_use]
pub const fn planted(_mutant: Mutant) -> bool {
    false
}
