//! Something that is done in the middle of something else: what another thread might do just then,
//! at a moment that can be chosen and repeated.

use std::fmt;

type Work = Box<dyn FnOnce() + Send>;

/// What is to be done, and after how many steps of the disk.
#[derive(Default)]
pub(super) struct Interrupt(Option<(u64, Work)>);

impl Interrupt {
    pub(super) fn set(&mut self, step: u64, work: impl FnOnce() + Send + 'static) {
        self.0 = Some((step, Box::new(work)));
    }

    /// What is due, once.
    pub(super) fn due(&mut self, steps: u64) -> Option<Work> {
        let (_, work) = self.0.take_if(|(step, _)| *step <= steps)?;
        Some(work)
    }
}

/// Another disk has other threads.
impl Clone for Interrupt {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.0.as_ref().map(|(step, _)| step);
        f.debug_tuple("Interrupt").field(&step).finish()
    }
}
