//! What can go wrong, by who asked: the store as a whole, one commit group, one read, one fork.

use std::path::PathBuf;

use tetrarch_wire::{ChannelUid, LogPosition, NodeId, Seq};
use thiserror::Error;

use crate::{Damage, DiskError, Failure, ForkDamage};

/// An error of the store as a whole: formatting, opening, flushing, verifying.
#[derive(Debug, Error)]
pub enum LogError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The data directory is empty or missing.
    #[error("{} is not formatted: run `tetrarch init` or `tetrarch format --join`", dir.display())]
    NotFormatted {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data directory holds a store already.
    #[error("{} holds a store already; choose an empty directory", dir.display())]
    AlreadyFormatted {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data directory holds something else.
    #[error("{} is not empty (it holds {found}); choose an empty directory", dir.display())]
    NotEmpty {
        /// The data directory.
        dir: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// Another process has the data directory open.
    #[error("{} is in use by another process; stop it first", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// The data directory belongs to another node.
    #[error(
        "{} belongs to node {found} ({name}), not to {expected}; point this node at its own data \
         directory",
        dir.display()
    )]
    WrongNode {
        /// The data directory.
        dir: PathBuf,
        /// The node that opens it.
        expected: NodeId,
        /// The node that it belongs to.
        found: NodeId,
        /// That node's name.
        name: String,
    },
    /// Both copies of the store's identity are unreadable.
    #[error(
        "both copies of the store's identity in {} are unreadable; if the disk has only refused to be \
         read, mend that and start again; otherwise this store is no voter any more: keep the directory \
         aside, format a new one and join again",
        dir.display()
    )]
    IdentityLost {
        /// The data directory.
        dir: PathBuf,
    },
    /// The store was poisoned by an earlier failure.
    #[error("the store stopped after an earlier failure: {reason}; restart the process")]
    Poisoned {
        /// What happened.
        reason: String,
    },
    /// There is no such channel.
    #[error("there is no channel {channel} in this store")]
    UnknownChannel {
        /// The channel.
        channel: ChannelUid,
    },
    /// The store has let go of the channel since, and taken it up again.
    #[error(
        "the snapshot is of the holding {of} of channel {channel}, but the store is at its holding {now}"
    )]
    OtherHolding {
        /// The channel.
        channel: ChannelUid,
        /// Which holding it is of.
        of: u64,
        /// The present one.
        now: u64,
    },
    /// A value that is kept whole is too large to be kept.
    #[error("{what} takes {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
}

impl LogError {
    /// What to do about it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Disk(error) => error.failure,
            Self::UnknownChannel { .. } | Self::OtherHolding { .. } | Self::TooLarge { .. } => {
                Failure::Retryable
            }
            Self::NotFormatted { .. }
            | Self::AlreadyFormatted { .. }
            | Self::NotEmpty { .. }
            | Self::InUse { .. }
            | Self::WrongNode { .. }
            | Self::IdentityLost { .. }
            | Self::Poisoned { .. } => Failure::Fatal,
        }
    }
}

/// Why a commit group was not written. Nothing of it was kept.
#[derive(Debug, Error)]
pub enum GroupError {
    /// All WAL files, or all the memory for batches on their way to segments, wait for the
    /// flusher. The same group can be committed when it has caught up.
    #[error("the write-ahead log is full until the flusher has caught up; commit the group again")]
    WalFull,
    /// The group is larger than a WAL file.
    #[error("the group takes {bytes} bytes, a WAL file holds {limit}; split the group")]
    TooLarge {
        /// Bytes of the group.
        bytes: u64,
        /// Bytes that fit.
        limit: u64,
    },
    /// There is no room on the disk. The log was cut back to the group before.
    #[error("the group was not written: {0}")]
    StorageFull(DiskError),
    /// It may work another time. The log was cut back to the group before.
    #[error("the group was not written: {0}")]
    Retryable(DiskError),
    /// The store is lost to this process.
    #[error("the store stopped: {reason}; restart the process")]
    Fatal {
        /// What happened.
        reason: String,
    },
}

/// Why one request of a group was left out. The others of its group are durable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no such channel.
    #[error("the channel is not open in this store")]
    UnknownChannel,
    /// The channel is there already.
    #[error("the channel is open in this store already")]
    AlreadyOpen,
    /// The channel was deleted.
    #[error("the channel was deleted")]
    Deleted,
    /// The store has let go of the channel.
    #[error("the store has let go of the channel: take it up again first")]
    Released,
    /// The channel is damaged.
    #[error("the channel is halted: {0}")]
    Halted(Damage),
    /// A batch does not continue the log.
    #[error("the batch at seq {batch} does not continue the log, which ends at {tail:?}")]
    Discontinuous {
        /// First seq of the batch.
        batch: Seq,
        /// End of the log.
        tail: LogPosition,
    },
    /// A truncation names a position that this log does not hold.
    #[error("the log does not hold the position {at:?} that it should be truncated to")]
    UnknownPosition {
        /// The position.
        at: LogPosition,
    },
    /// The beginning of a log only ever moves forward.
    #[error("the log begins at seq {log_start} and cannot begin anew at seq {at}")]
    BeginsBackwards {
        /// Where it should begin anew.
        at: Seq,
        /// Where it begins.
        log_start: Seq,
    },
    /// A hard state goes backwards.
    #[error("the hard state would go backwards")]
    HardStateRegressed,
    /// A trim goes beyond the end of the log.
    #[error("the trim up to {upto} goes beyond the end of the log at {tail}")]
    TrimBeyondTail {
        /// The last seq that was to go.
        upto: Seq,
        /// Last seq of the log.
        tail: Seq,
    },
    /// The mesh's own channels are never trimmed, so they never begin anywhere but at their beginning, and they
    /// stay where they are.
    #[error("a channel of the mesh itself is never trimmed, and stays where it is")]
    Protected,
}

/// Why a range could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no such channel.
    #[error("the channel is not open in this store")]
    UnknownChannel,
    /// The range begins before the log does.
    #[error("the log begins after seq {}", log_start.seq)]
    Trimmed {
        /// The position before the first event that is kept.
        log_start: LogPosition,
    },
    /// The range begins after the durable end of the log.
    #[error("the log ends at seq {}", tail.seq)]
    BeyondTail {
        /// The durable end.
        tail: LogPosition,
    },
    /// The bytes are not what was written, and the channel is halted.
    #[error(transparent)]
    Corrupt(Damage),
    /// A segment is damaged. It can be mended from another replica ([`crate::Flusher::mend`]); the rest of
    /// the channel is as it was.
    #[error(transparent)]
    Damaged(Damage),
    /// It may work another time.
    #[error(transparent)]
    Transient(DiskError),
}

/// Why what follows a position was not sealed into a fork. The log must not be cut there.
#[derive(Debug, Error)]
pub enum SealError {
    /// There is no such channel.
    #[error("the channel is not open in this store")]
    UnknownChannel,
    /// The log does not hold the position after which it should be sealed.
    #[error("the log does not hold the position {at:?} after which it should be sealed")]
    UnknownPosition {
        /// The position.
        at: LogPosition,
    },
    /// The log was written to, cut or trimmed while it was copied.
    #[error("the log was changed while it was sealed; seal it again")]
    Changed,
    /// The channel has as many forks as it may have.
    #[error(
        "the channel has {limit} forks already; settle or drop one of them before more of its log is \
         cut off"
    )]
    TooManyForks {
        /// How many it may have.
        limit: usize,
    },
    /// A batch after the position cannot be read, and the channel is halted.
    #[error("what follows cannot be sealed: {0}")]
    Halted(Damage),
    /// A batch after the position cannot be read until its segment is mended
    /// ([`crate::Flusher::mend`]).
    #[error("what follows cannot be sealed: {0}")]
    Damaged(Damage),
    /// The disk refuses, or the store was poisoned.
    #[error(transparent)]
    Store(#[from] LogError),
}

/// Why a range of a fork could not be read.
#[derive(Debug, Error)]
pub enum ForkReadError {
    /// There is no such channel.
    #[error("the channel is not open in this store")]
    UnknownChannel,
    /// The channel has no such fork.
    #[error("the channel has no such fork in this store")]
    UnknownFork,
    /// The range begins outside the fork.
    #[error("the fork goes from seq {first} to {last}")]
    OutOfRange {
        /// Its first seq.
        first: Seq,
        /// Its last seq.
        last: Seq,
    },
    /// The fork is damaged there. What comes before can be read.
    #[error(transparent)]
    Damaged(ForkDamage),
    /// It may work another time.
    #[error(transparent)]
    Transient(DiskError),
}
