//! The names of files: as a running system sees them, and as they are on the disk. A change of
//! names is atomic, and durable when every directory that it touches was synced after it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::fate::PowerCut;
pub(super) use super::tree::Entry;
use super::tree::{Name, Tree};

#[derive(Clone, Debug)]
enum Change {
    Create(Name, Entry),
    Rename(Name, Name, Entry),
    Remove(Name),
}

/// A change that is not durable yet, with the directories that were not synced since.
#[derive(Clone, Debug)]
struct Unsynced {
    change: Change,
    waits_for: Vec<Name>,
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
        let root = Tree::new();
        Self {
            seen: root.clone(),
            durable: root,
            unsynced: Vec::new(),
        }
    }

    pub(super) fn get(&self, path: &Path) -> Option<Entry> {
        self.seen.get(&Name::of(path))
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.seen.all().filter_map(|(name, entry)| match entry {
            Entry::File(inode) => Some((name, inode)),
            Entry::Directory => None,
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, Entry)> {
        self.seen.all()
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let name = Name::of(dir);
        if self.seen.get(&name) != Some(Entry::Directory) {
            return Err(Errno::NOENT.into());
        }
        let below = self.seen.below(&name);
        let inside = below.filter(|(below, _)| **below != name && below.parent() == name);
        let paths = inside.map(|(below, _)| below.path());
        Ok(paths
            .filter_map(|path| path.file_name().map(PathBuf::from))
            .collect())
    }

    pub(super) fn create(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        let name = Name::of(path);
        if self.seen.contains(&name) {
            return Err(Errno::EXIST.into());
        }
        if self.seen.get(&name.parent()) != Some(Entry::Directory) {
            return Err(Errno::NOENT.into());
        }
        self.change(Change::Create(name, entry));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let Some(entry) = self.get(from) else {
            return Err(Errno::NOENT.into());
        };
        if self.get(to) == Some(Entry::Directory) {
            return Err(Errno::EXIST.into());
        }
        self.change(Change::Rename(Name::of(from), Name::of(to), entry));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        match self.get(path) {
            Some(Entry::File(_)) => {
                self.change(Change::Remove(Name::of(path)));
                Ok(())
            }
            Some(Entry::Directory) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    /// A name and everything below it, what is above first.
    pub(super) fn below(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        if self.get(path).is_none() {
            return Err(Errno::NOENT.into());
        }
        let name = Name::of(path);
        Ok(self
            .seen
            .below(&name)
            .map(|(name, _)| name.path())
            .collect())
    }

    /// Removes a file, or a directory that is empty.
    pub(super) fn remove_any(&mut self, path: &Path) {
        self.change(Change::Remove(Name::of(path)));
    }

    /// A change that waits for several directories is durable when the last of them is synced.
    pub(super) fn sync(&mut self, dir: &Path) {
        let dir = Name::of(dir);
        let mut waiting = Vec::new();
        for mut unsynced in std::mem::take(&mut self.unsynced) {
            unsynced.waits_for.retain(|other| *other != dir);
            if unsynced.waits_for.is_empty() {
                unsynced.change.apply(&mut self.durable);
            } else {
                waiting.push(unsynced);
            }
        }
        // What was changed in a directory that is gone makes no difference any more.
        waiting.retain(|unsynced| {
            let place = unsynced.change.place();
            self.seen.contains(&place) || self.durable.contains(&place)
        });
        self.unsynced = waiting;
    }

    /// A name is gone, as if it had never been.
    pub(super) fn lose(&mut self, path: &Path) {
        let name = Name::of(path);
        drop(self.seen.remove(&name));
        drop(self.durable.remove(&name));
    }

    /// Each change that is not durable has happened or has not. Nobody is asked about one that
    /// makes no difference after what was decided about those before it.
    pub(super) fn crash(&mut self, cut: &mut dyn PowerCut) {
        for unsynced in std::mem::take(&mut self.unsynced) {
            if unsynced.change.matters(&self.durable) && cut.keeps_name() {
                unsynced.change.apply(&mut self.durable);
            }
        }
        self.durable.drop_orphans();
        self.seen = self.durable.clone();
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        let waits_for = change.directories();
        self.unsynced.push(Unsynced { change, waits_for });
    }
}

impl Change {
    fn directories(&self) -> Vec<Name> {
        match self {
            Self::Create(name, _) | Self::Remove(name) => vec![name.parent()],
            Self::Rename(from, to, _) => {
                let mut both = vec![from.parent(), to.parent()];
                both.dedup();
                both
            }
        }
    }

    /// The directory in which it is seen.
    fn place(&self) -> Name {
        match self {
            Self::Create(name, _) | Self::Remove(name) | Self::Rename(_, name, _) => name.parent(),
        }
    }

    /// Whether it changes this tree.
    fn matters(&self, tree: &Tree) -> bool {
        match self {
            Self::Create(..) => tree.contains(&self.place()),
            Self::Remove(name) => tree.contains(name),
            Self::Rename(..) => true,
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Create(name, entry) => tree.insert(name.clone(), *entry),
            Self::Remove(name) => drop(tree.remove(name)),
            Self::Rename(from, to, entry) => tree.rename(from, to, *entry),
        }
    }
}
