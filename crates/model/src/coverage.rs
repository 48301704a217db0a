//! What a run has been through. Kept beside the states and not in them: it asks whether something
//! ever happened, and must not make two equal states differ.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tetrarch_fsm::{LEGAL_TRANSITIONS, StateTransition};

/// How often each transition was taken, and whether a log was cut.
#[derive(Debug, Default)]
pub struct Coverage {
    taken: [AtomicU64; LEGAL_TRANSITIONS.len()],
    cut: AtomicBool,
    marks: AtomicU64,
}

impl Coverage {
    /// A transition was taken.
    pub fn took(&self, transition: &StateTransition) {
        let triple = (transition.from(), transition.to(), transition.signal());
        if let Some(row) = LEGAL_TRANSITIONS.iter().position(|legal| *legal == triple) {
            self.taken[row].fetch_add(1, Relaxed);
        }
    }

    /// A log was cut.
    pub fn cut(&self) {
        self.cut.store(true, Relaxed);
    }

    /// Something of a class's own happened, which has this number below 64.
    pub fn mark(&self, number: u8) {
        self.marks.fetch_or(1 << number, Relaxed);
    }

    /// Whether it did.
    #[must_use]
    pub fn is_marked(&self, number: u8) -> bool {
        self.marks.load(Relaxed) & 1 << number != 0
    }

    /// Whether the transition in this row of the table was taken.
    #[must_use]
    pub fn has_taken(&self, row: usize) -> bool {
        self.taken[row].load(Relaxed) > 0
    }

    /// Whether a log was cut.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }
}
