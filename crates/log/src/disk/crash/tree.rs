//! Names and what they stand for. Copying a tree costs nothing until the copy is changed: a sweep
//! over power cuts makes many copies.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(u64),
    Directory,
}

/// The bytes of a path, with zeros for its slashes: so what lies in a directory follows it in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(Arc<[u8]>);

impl Name {
    pub(super) fn of(path: &Path) -> Self {
        let bytes = path.as_os_str().as_bytes().iter();
        Self(
            bytes
                .map(|byte| if *byte == b'/' { 0 } else { *byte })
                .collect(),
        )
    }

    pub(super) fn path(&self) -> PathBuf {
        let bytes = self.0.iter();
        let bytes: Vec<u8> = bytes
            .map(|byte| if *byte == 0 { b'/' } else { *byte })
            .collect();
        PathBuf::from(OsStr::from_bytes(&bytes))
    }

    /// The directory that it is in; the root is in itself.
    pub(super) fn parent(&self) -> Self {
        let end = self.0.iter().rposition(|byte| *byte == 0).unwrap_or(0);
        Self(self.0[..end.max(1)].into())
    }

    /// Whether it is that name or below it.
    fn is_below(&self, above: &Self) -> bool {
        let rest = self.0.strip_prefix(&*above.0);
        rest.is_some_and(|rest| above.0.len() == 1 || rest.is_empty() || rest[0] == 0)
    }

    /// The same place below another name.
    fn moved(&self, from: &Self, to: &Self) -> Self {
        Self([&*to.0, &self.0[from.0.len()..]].concat().into())
    }
}

/// A tree of names.
#[derive(Clone, Debug)]
pub(super) struct Tree(Arc<BTreeMap<Name, Entry>>);

impl Tree {
    /// The root only.
    pub(super) fn new() -> Self {
        let root = (Name::of(Path::new("/")), Entry::Directory);
        Self(Arc::new(BTreeMap::from([root])))
    }

    pub(super) fn get(&self, name: &Name) -> Option<Entry> {
        self.0.get(name).copied()
    }

    pub(super) fn contains(&self, name: &Name) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, Entry)> {
        self.0.iter().map(|(name, entry)| (name, *entry))
    }

    /// A name and everything below it, what is above first.
    pub(super) fn below(&self, above: &Name) -> impl Iterator<Item = (&Name, Entry)> {
        let from = self.0.range(above.clone()..);
        from.take_while(move |(name, _)| name.is_below(above))
            .map(|(name, entry)| (name, *entry))
    }

    pub(super) fn insert(&mut self, name: Name, entry: Entry) {
        Arc::make_mut(&mut self.0).insert(name, entry);
    }

    /// Takes out a name and everything below it.
    pub(super) fn remove(&mut self, name: &Name) -> Vec<(Name, Entry)> {
        let below = self.below(name);
        let taken: Vec<_> = below.map(|(name, entry)| (name.clone(), entry)).collect();
        if !taken.is_empty() {
            let names = Arc::make_mut(&mut self.0);
            for (name, _) in &taken {
                names.remove(name);
            }
        }
        taken
    }

    /// Gives a name and everything below it another name, in place of what had that one.
    pub(super) fn rename(&mut self, from: &Name, to: &Name, entry: Entry) {
        let taken = self.remove(from);
        self.insert(to.clone(), entry);
        for (name, entry) in taken.into_iter().filter(|(name, _)| name != from) {
            self.insert(name.moved(from, to), entry);
        }
    }

    /// Drops what lies in a directory that is not there.
    pub(super) fn drop_orphans(&mut self) {
        let mut above: Vec<&Name> = Vec::new();
        let mut orphans: Vec<Name> = Vec::new();
        for (name, _) in self.all() {
            while above.last().is_some_and(|above| !name.is_below(above)) {
                above.pop();
            }
            let is_there = above.last().is_none_or(|above| **above == name.parent());
            if is_there {
                above.push(name);
            } else {
                orphans.push(name.clone());
            }
        }
        if !orphans.is_empty() {
            let names = Arc::make_mut(&mut self.0);
            for orphan in orphans {
                names.remove(&orphan);
            }
        }
    }
}
