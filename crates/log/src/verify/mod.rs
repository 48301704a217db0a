//! Looking at a store that is not open: every checksum, every link, every file that should be
//! there. Nothing is changed.

mod channel;
mod fork;
mod wal;

use std::fmt;
use std::path::{Path, PathBuf};

use tetrarch_wire::ChannelUid;

use crate::disk::Disk;
use crate::store::epochs::EpochBound;
use crate::store::layout::Layout;
use crate::store::meta::MetaSlot;
use crate::store::slot::Copy;
use crate::{Damage, ForkDamage, LogError, StoreIdentity};

/// What was found in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Who the store is.
    pub identity: StoreIdentity,
    /// Channels looked at.
    pub channels: usize,
    /// Segments read.
    pub segments: usize,
    /// Forks read.
    pub forks: usize,
    /// Intact batches in both.
    pub batches: u64,
    /// Bytes of these batches.
    pub bytes: u64,
    /// Intact groups in the WAL.
    pub groups: usize,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// The channel, if it concerns one only.
    pub channel: Option<ChannelUid>,
    /// What.
    pub kind: FindingKind,
}

/// What can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Something durable is missing or not what was written.
    Damage(Damage),
    /// The store knew before that this channel is damaged.
    Halted(Damage),
    /// A fork is not what was written.
    Fork(ForkDamage),
    /// One of two copies is unreadable; the other one is intact. The next start repairs it.
    CopyLost,
    /// The header of a segment is unreadable. Reading does not need it.
    SegmentHeader,
    /// The snapshot is unreadable; the next start makes a new one from the log.
    Snapshot,
    /// A WAL file ends in a group that was never acknowledged. The next start discards it.
    TornTail {
        /// Where in the file.
        offset: u64,
    },
}

impl FindingKind {
    /// Whether something is lost on this store; the others heal by themselves.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Damage(_) | Self::Halted(_) | Self::Fork(_))
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(damage) | Self::Halted(damage) => damage.fmt(f),
            Self::Fork(damage) => damage.fmt(f),
            Self::CopyLost => f.write_str("one of two copies is unreadable, the other is intact"),
            Self::SegmentHeader => f.write_str("the header is unreadable, the batches are not"),
            Self::Snapshot => f.write_str("the snapshot is unreadable"),
            Self::TornTail { offset } => {
                write!(f, "a group at offset {offset} was never acknowledged")
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.kind)
    }
}

impl VerifyReport {
    /// Whether nothing is lost.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        !self.findings.iter().any(|finding| finding.kind.is_loss())
    }

    fn find(&mut self, path: &Path, channel: Option<ChannelUid>, kind: FindingKind) {
        self.findings.push(Finding {
            path: path.to_owned(),
            channel,
            kind,
        });
    }

    /// Of two copies one may be unreadable.
    fn check_copies(&mut self, paths: &[PathBuf; 2], copies: &[Copy; 2], of: Option<ChannelUid>) {
        for (path, copy) in paths.iter().zip(copies) {
            if !matches!(copy, Copy::Intact { .. }) {
                self.find(path, of, FindingKind::CopyLost);
            }
        }
    }
}

/// Looks at everything in `dir`, which no process may have open.
///
/// # Errors
/// If there is no store, it is in use, or the disk does not let itself be read. Damage is no
/// error; it is in the report.
pub fn verify<D: Disk>(disk: &D, dir: &Path) -> Result<VerifyReport, LogError> {
    let layout = Layout::new(dir);
    let meta = MetaSlot::load(disk, &layout)?.meta;
    let held = lock(disk, &layout)?;
    let mut report = VerifyReport {
        identity: meta.identity.clone(),
        channels: 0,
        segments: 0,
        forks: 0,
        batches: 0,
        bytes: 0,
        groups: 0,
        findings: Vec::new(),
    };
    let copies = MetaSlot::copies(disk, &layout)?;
    report.check_copies(&layout.meta(), &copies, None);
    if meta.served_boot.get() > 0 {
        let copies = EpochBound::copies(disk, &layout)?;
        report.check_copies(&layout.epochs(), &copies, None);
    }
    let opened = wal::verify(disk, &layout, &meta, &mut report)?;
    for name in disk.list(&layout.channels_dir())? {
        if let Some(uid) = name.to_str().and_then(ChannelUid::parse) {
            channel::verify(disk, &layout, uid, opened.contains(&uid), &mut report)?;
            fork::verify(disk, &layout, uid, &mut report)?;
        }
    }
    drop(held);
    Ok(report)
}

/// A store that was opened once has a lock file; another one cannot be in use.
fn lock<D: Disk>(disk: &D, layout: &Layout) -> Result<Option<D::Lock>, LogError> {
    let path = layout.lock();
    if !disk.exists(&path)? {
        return Ok(None);
    }
    match disk.lock(&path)? {
        Some(held) => Ok(Some(held)),
        None => Err(LogError::InUse {
            dir: layout.root().to_owned(),
        }),
    }
}
