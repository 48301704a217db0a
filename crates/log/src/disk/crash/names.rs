//! The names of files: as a running system sees them, and as they are on the disk. A change of
//! names is atomic, and durable when every directory that it touches was synced after it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(u64),
    Directory,
}

type Tree = BTreeMap<PathBuf, Entry>;

#[derive(Clone, Debug)]
enum Change {
    Create(PathBuf, Entry),
    Rename(PathBuf, PathBuf, Entry),
    Remove(PathBuf),
}

/// A change that is not durable yet, with the directories that were not synced since.
#[derive(Clone, Debug)]
struct Unsynced {
    change: Change,
    waits_for: Vec<PathBuf>,
}

/// Names seen, names on the disk, and what lies between.
#[derive(Clone, Debug)]
pub(super) struct Names {
    seen: Tree,
    durable: Tree,
    unsynced: Vec<Unsynced>,
}

impl Names {
    pub(super) fn new() -> Self {
        let root = Tree::from([(PathBuf::from("/"), Entry::Directory)]);
        Self {
            seen: root.clone(),
            durable: root,
            unsynced: Vec::new(),
        }
    }

    pub(super) fn get(&self, path: &Path) -> Option<Entry> {
        self.seen.get(path).copied()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.seen.iter().filter_map(|(path, entry)| match entry {
            Entry::File(inode) => Some((path.as_path(), *inode)),
            Entry::Directory => None,
        })
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        if self.get(dir) != Some(Entry::Directory) {
            return Err(Errno::NOENT.into());
        }
        Ok(self
            .seen
            .range(dir.to_owned()..)
            .take_while(|(path, _)| path.starts_with(dir))
            .filter(|(path, _)| path.parent() == Some(dir))
            .filter_map(|(path, _)| path.file_name().map(PathBuf::from))
            .collect())
    }

    pub(super) fn create(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        if self.seen.contains_key(path) {
            return Err(Errno::EXIST.into());
        }
        if self.get(parent(path)) != Some(Entry::Directory) {
            return Err(Errno::NOENT.into());
        }
        self.change(Change::Create(path.to_owned(), entry));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let Some(entry) = self.get(from) else {
            return Err(Errno::NOENT.into());
        };
        if self.get(to) == Some(Entry::Directory) {
            return Err(Errno::EXIST.into());
        }
        self.change(Change::Rename(from.to_owned(), to.to_owned(), entry));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        match self.get(path) {
            Some(Entry::File(_)) => {
                self.change(Change::Remove(path.to_owned()));
                Ok(())
            }
            Some(Entry::Directory) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    pub(super) fn remove_tree(&mut self, path: &Path) -> io::Result<()> {
        if self.get(path).is_none() {
            return Err(Errno::NOENT.into());
        }
        self.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    /// A change that waits for several directories is durable when the last of them is synced.
    pub(super) fn sync(&mut self, dir: &Path) {
        let mut waiting = Vec::new();
        for mut unsynced in std::mem::take(&mut self.unsynced) {
            unsynced.waits_for.retain(|other| other != dir);
            if unsynced.waits_for.is_empty() {
                unsynced.change.apply(&mut self.durable);
            } else {
                waiting.push(unsynced);
            }
        }
        self.unsynced = waiting;
    }

    /// A name is gone, as if it had never been.
    pub(super) fn lose(&mut self, path: &Path) {
        take_below(&mut self.seen, path);
        take_below(&mut self.durable, path);
    }

    /// Each change that is not durable has happened or has not.
    pub(super) fn crash(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        for unsynced in std::mem::take(&mut self.unsynced) {
            if choose(2) == 1 {
                unsynced.change.apply(&mut self.durable);
            }
        }
        let durable = std::mem::take(&mut self.durable);
        // What lies in a directory that is not there is not there either. Parents come first.
        for (path, entry) in durable {
            if path == Path::new("/") || self.durable.contains_key(parent(&path)) {
                self.durable.insert(path, entry);
            }
        }
        self.seen = self.durable.clone();
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        let waits_for = change.directories();
        self.unsynced.push(Unsynced { change, waits_for });
    }
}

impl Change {
    fn directories(&self) -> Vec<PathBuf> {
        match self {
            Self::Create(path, _) | Self::Remove(path) => vec![parent(path).to_owned()],
            Self::Rename(from, to, _) => {
                let mut both = vec![parent(from).to_owned(), parent(to).to_owned()];
                both.dedup();
                both
            }
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Create(path, entry) => {
                tree.insert(path.clone(), *entry);
            }
            Self::Remove(path) => {
                take_below(tree, path);
            }
            Self::Rename(from, to, entry) => {
                let below = take_below(tree, from);
                tree.insert(to.clone(), *entry);
                for (path, entry) in below {
                    if let Ok(rest) = path.strip_prefix(from)
                        && !rest.as_os_str().is_empty()
                    {
                        tree.insert(to.join(rest), entry);
                    }
                }
            }
        }
    }
}

/// Takes out a name and everything below it.
fn take_below(tree: &mut Tree, path: &Path) -> Vec<(PathBuf, Entry)> {
    let taken: Vec<_> = tree
        .range(path.to_owned()..)
        .take_while(|(below, _)| below.starts_with(path))
        .map(|(below, entry)| (below.clone(), *entry))
        .collect();
    for (below, _) in &taken {
        tree.remove(below);
    }
    taken
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
