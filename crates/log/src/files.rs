//! The segment files that are open. There may be thousands of channels, so only so many are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::channel::lock;
use crate::disk::{Disk, DiskError};

/// Open files by their path; the least recently used one is closed when there are too many.
#[derive(Debug)]
pub(crate) struct FileCache<F> {
    capacity: usize,
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    open: BTreeMap<PathBuf, Entry<F>>,
    by_use: BTreeMap<u64, PathBuf>,
    clock: u64,
}

#[derive(Debug)]
struct Entry<F> {
    file: Arc<F>,
    used: u64,
}

impl<F> FileCache<F> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            state: Mutex::new(State {
                open: BTreeMap::new(),
                by_use: BTreeMap::new(),
                clock: 0,
            }),
        }
    }

    /// The open file of this path, opening it if need be.
    pub(crate) fn get<D: Disk<File = F>>(
        &self,
        disk: &D,
        path: &Path,
    ) -> Result<Arc<F>, DiskError> {
        if let Some(file) = lock(&self.state).touch(path) {
            return Ok(file);
        }
        let file = Arc::new(disk.open(path)?);
        self.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    /// Takes over an open file.
    pub(crate) fn insert(&self, path: PathBuf, file: Arc<F>) {
        lock(&self.state).insert(path, file, self.capacity);
    }

    /// Closes a file that is removed.
    pub(crate) fn close(&self, path: &Path) {
        lock(&self.state).remove(path);
    }

    /// Closes everything below a directory that is removed.
    pub(crate) fn close_below(&self, dir: &Path) {
        let mut state = lock(&self.state);
        let paths: Vec<PathBuf> = state
            .open
            .range(dir.to_owned()..)
            .map(|(path, _)| path.clone())
            .take_while(|path| path.starts_with(dir))
            .collect();
        for path in paths {
            state.remove(&path);
        }
    }
}

impl<F> State<F> {
    fn touch(&mut self, path: &Path) -> Option<Arc<F>> {
        let entry = self.open.get_mut(path)?;
        self.clock += 1;
        self.by_use.remove(&entry.used);
        entry.used = self.clock;
        self.by_use.insert(self.clock, path.to_owned());
        Some(Arc::clone(&entry.file))
    }

    fn insert(&mut self, path: PathBuf, file: Arc<F>, capacity: usize) {
        self.remove(&path);
        self.clock += 1;
        let used = self.clock;
        self.by_use.insert(used, path.clone());
        self.open.insert(path, Entry { file, used });
        while self.open.len() > capacity {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            self.open.remove(&oldest);
        }
    }

    fn remove(&mut self, path: &Path) {
        if let Some(entry) = self.open.remove(path) {
            self.by_use.remove(&entry.used);
        }
    }
}
