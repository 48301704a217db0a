//! How much of what goes to segments stays in the system's page cache.
//!
//! A log is written once and its end is read soon or from the memory of the channel; a consumer that
//! is further behind reads from the disk in long runs. Left to itself, the system would keep
//! everything that was ever written and take fresh memory for each new page, which costs four times
//! as much as a page that was used before, and would push out what other programs need.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use crate::channel::lock;
use crate::disk::DiskFile;

/// Bytes of one file that are released together.
const RUN: u64 = 1024 * 1024;
/// Most runs that are remembered; of many quiet channels, less than the budget stays.
const RUNS_MAX: usize = 1024;

/// What was written last, in the order of writing.
#[derive(Debug)]
pub(crate) struct PageCache<F> {
    budget: u64,
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    runs: VecDeque<Run<F>>,
    bytes: u64,
    /// The system does not take the advice.
    is_refused: bool,
}

/// It does not keep its file open: one that was closed or removed needs no release.
#[derive(Debug)]
struct Run<F> {
    file: Weak<F>,
    from: u64,
    to: u64,
}

impl<F: DiskFile> PageCache<F> {
    /// Keeps about `budget` bytes.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            budget,
            state: Mutex::new(State {
                runs: VecDeque::new(),
                bytes: 0,
                is_refused: false,
            }),
        }
    }

    /// Notes a write, and releases what was written longest ago beyond the budget.
    pub(crate) fn written(&self, file: &Arc<F>, from: u64, to: u64) {
        let mut state = lock(&self.state);
        if state.is_refused {
            return;
        }
        state.push(file, from, to);
        while state.bytes > self.budget || state.runs.len() > RUNS_MAX {
            let Some(run) = state.pop() else {
                break;
            };
            // Advice is not an effect: a system that does not take it works as it did before.
            if let Some(file) = run.file.upgrade()
                && file.release(run.from, run.to).is_err()
            {
                state.is_refused = true;
                return;
            }
        }
    }
}

impl<F> State<F> {
    fn push(&mut self, file: &Arc<F>, from: u64, to: u64) {
        self.bytes += to - from;
        if let Some(last) = self.runs.back_mut()
            && last.to == from
            && to - last.from <= RUN
            && std::ptr::eq(last.file.as_ptr(), Arc::as_ptr(file))
        {
            last.to = to;
            return;
        }
        self.runs.push_back(Run {
            file: Arc::downgrade(file),
            from,
            to,
        });
    }

    fn pop(&mut self) -> Option<Run<F>> {
        let run = self.runs.pop_front()?;
        self.bytes -= run.to - run.from;
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::sync::Mutex;

    use super::*;
    use crate::disk::{DiskError, DiskOperation};

    /// Notes what is released.
    #[derive(Debug, Default)]
    struct Witness {
        released: Mutex<Vec<(u64, u64)>>,
        refuses: bool,
    }

    impl Witness {
        fn released(&self) -> Vec<(u64, u64)> {
            lock(&self.released).clone()
        }
    }

    impl DiskFile for Witness {
        fn read_at(&self, _: &mut [u8], _: u64) -> Result<usize, DiskError> {
            unreachable!("nothing is read")
        }
        fn write_at(&self, _: &[IoSlice<'_>], _: u64) -> Result<(), DiskError> {
            unreachable!("nothing is written")
        }
        fn sync_data(&self) -> Result<(), DiskError> {
            unreachable!("nothing is synced")
        }
        fn len(&self) -> Result<u64, DiskError> {
            unreachable!("nobody asks")
        }
        fn truncate(&self, _: u64) -> Result<(), DiskError> {
            unreachable!("nothing is cut")
        }
        fn fill_zeroed(&self, _: u64) -> Result<(), DiskError> {
            unreachable!("nothing is filled")
        }
        fn reserve(&self, _: u64) -> Result<(), DiskError> {
            unreachable!("nothing is reserved")
        }
        fn release(&self, from: u64, to: u64) -> Result<(), DiskError> {
            lock(&self.released).push((from, to));
            if self.refuses {
                let unsupported = std::io::ErrorKind::Unsupported.into();
                return Err(DiskError::new(
                    DiskOperation::Inquire,
                    "x".as_ref(),
                    unsupported,
                ));
            }
            Ok(())
        }
    }

    #[test]
    fn what_is_beyond_the_budget_is_released_oldest_first_and_in_runs() {
        let cache = PageCache::new(3 * RUN);
        let file = Arc::new(Witness::default());
        for half in 0..6 {
            cache.written(&file, half * RUN / 2, (half + 1) * RUN / 2);
        }
        assert_eq!(file.released(), []);
        cache.written(&file, 3 * RUN, 3 * RUN + 1);
        assert_eq!(file.released(), [(0, RUN)]);
        cache.written(&file, 3 * RUN + 1, 4 * RUN);
        assert_eq!(file.released(), [(0, RUN)]);
    }

    #[test]
    fn a_file_that_is_closed_is_not_held_open() {
        let cache = PageCache::new(RUN);
        let file = Arc::new(Witness::default());
        cache.written(&file, 0, RUN);
        assert_eq!(Arc::strong_count(&file), 1);
        drop(file);
        let other = Arc::new(Witness::default());
        cache.written(&other, 0, RUN);
        assert_eq!(other.released(), []);
    }

    #[test]
    fn a_system_that_refuses_is_not_asked_again() {
        let cache = PageCache::new(0);
        let file = Arc::new(Witness {
            refuses: true,
            ..Witness::default()
        });
        cache.written(&file, 0, 1);
        cache.written(&file, 1, 2);
        assert_eq!(file.released(), [(0, 1)]);
    }
}
