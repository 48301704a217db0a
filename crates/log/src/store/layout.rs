//! Where everything is in a data directory.
//!
//! ```text
//! lock  store.meta.a  store.meta.b  epochs.a  epochs.b  ballast
//! wal/NNNNNNNNNNNNNNNN.wal
//! chan/<uid>/{state.a, state.b, seg-<base>.log, seg-<base>.idx, snapshot, fork-<id>}
//! deleted/<uid>-<lsn>/          channels that were deleted
//! damaged/NNNNNNNNNNNNNNNN.wal  WAL files that were found rotten, kept as evidence
//! ```

use std::path::{Path, PathBuf};

use tetrarch_wire::{ChannelUid, ForkId, Seq};

use crate::lsn::Lsn;

/// What a file that is not finished ends in; it is removed when the store is opened.
pub(crate) const UNFINISHED: &str = "tmp";

/// What the name of a fork begins with.
const FORK: &str = "fork-";

/// The paths of one store.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn meta(&self) -> [PathBuf; 2] {
        [
            self.root.join("store.meta.a"),
            self.root.join("store.meta.b"),
        ]
    }

    pub(crate) fn epochs(&self) -> [PathBuf; 2] {
        [self.root.join("epochs.a"), self.root.join("epochs.b")]
    }

    pub(crate) fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    pub(crate) fn wal_dir(&self) -> PathBuf {
        self.root.join("wal")
    }

    pub(crate) fn wal_file(&self, incarnation: u64) -> PathBuf {
        self.wal_dir().join(format!("{incarnation:016}.wal"))
    }

    pub(crate) fn unfinished_wal_file(&self, incarnation: u64) -> PathBuf {
        self.wal_file(incarnation).with_extension(UNFINISHED)
    }

    pub(crate) fn damaged_dir(&self) -> PathBuf {
        self.root.join("damaged")
    }

    pub(crate) fn damaged_wal_file(&self, incarnation: u64) -> PathBuf {
        self.damaged_dir().join(format!("{incarnation:016}.wal"))
    }

    pub(crate) fn channels_dir(&self) -> PathBuf {
        self.root.join("chan")
    }

    pub(crate) fn channel_dir(&self, channel: ChannelUid) -> PathBuf {
        self.channels_dir().join(channel.to_string())
    }

    pub(crate) fn state(&self, channel: ChannelUid) -> [PathBuf; 2] {
        let dir = self.channel_dir(channel);
        [dir.join("state.a"), dir.join("state.b")]
    }

    pub(crate) fn segment(&self, channel: ChannelUid, base: Seq) -> PathBuf {
        self.channel_dir(channel).join(segment_name(base))
    }

    pub(crate) fn index(&self, channel: ChannelUid, base: Seq) -> PathBuf {
        self.segment(channel, base).with_extension("idx")
    }

    pub(crate) fn snapshot(&self, channel: ChannelUid) -> PathBuf {
        self.channel_dir(channel).join("snapshot")
    }

    pub(crate) fn fork(&self, channel: ChannelUid, id: ForkId) -> PathBuf {
        self.channel_dir(channel).join(format!("{FORK}{id}"))
    }

    pub(crate) fn deleted_dir(&self) -> PathBuf {
        self.root.join("deleted")
    }

    pub(crate) fn deleted_channel(&self, channel: ChannelUid, at: Lsn) -> PathBuf {
        self.deleted_dir().join(format!("{channel}-{at}"))
    }

    /// The directories that exist from the beginning.
    pub(crate) fn directories(&self) -> [PathBuf; 4] {
        [
            self.wal_dir(),
            self.channels_dir(),
            self.deleted_dir(),
            self.damaged_dir(),
        ]
    }
}

fn segment_name(base: Seq) -> String {
    format!("seg-{:020}.log", base.get())
}

/// The incarnation that a WAL file's name says.
pub(crate) fn wal_incarnation(name: &Path) -> Option<u64> {
    name.to_str()?.strip_suffix(".wal")?.parse().ok()
}

/// The first seq that a segment's name says.
pub(crate) fn segment_base(name: &Path) -> Option<Seq> {
    let digits = name.to_str()?.strip_prefix("seg-")?.strip_suffix(".log")?;
    digits.parse().ok().map(Seq::new)
}

/// The id that a fork's name says.
pub(crate) fn fork_id(name: &Path) -> Option<ForkId> {
    ForkId::parse(name.to_str()?.strip_prefix(FORK)?)
}
