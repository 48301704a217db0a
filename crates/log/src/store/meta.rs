//! What a store knows about itself: who it is, how often it was started, and which WAL files
//! count.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tetrarch_wire::{Boot, ClusterId, NodeId, StoreId};

use super::layout::Layout;
use super::slot::{self, Copy};
use crate::LogError;
use crate::disk::{Disk, DiskError};

const TAG: &[u8] = b"tetrarch/store/1";

/// Who a store is. Written once, when the data directory is formatted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreIdentity {
    /// The mesh.
    pub cluster: ClusterId,
    /// The node whose data this is.
    pub node: NodeId,
    /// The store itself; a wiped disk is another one.
    pub store: StoreId,
    /// The node's name.
    pub name: String,
    /// How the mesh began. Opaque to the store.
    pub genesis: Bytes,
}

/// The store's own state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) identity: StoreIdentity,
    /// The latest start.
    pub(crate) boot: Boot,
    /// The latest start that got as far as serving. Only its groups count: what a start wrote
    /// that died during recovery is a part of a copy.
    pub(crate) served_boot: Boot,
    /// The oldest WAL file whose records may be missing from the channels' files.
    pub(crate) wal_floor: u64,
    /// The newest WAL file.
    pub(crate) wal_last: u64,
    /// The newest WAL file of the boot whose groups count. A later start that died may have made more.
    pub(crate) served_last: u64,
    /// Bytes of each WAL file of that boot; 0 if there is none yet.
    pub(crate) wal_file_bytes: u64,
}

impl Meta {
    /// How long a WAL file was made, as far as that is known.
    pub(crate) const fn wal_file_len(&self, incarnation: u64) -> u64 {
        if incarnation <= self.served_last {
            self.wal_file_bytes
        } else {
            0
        }
    }
}

/// Keeps [`Meta`].
#[derive(Debug)]
pub(crate) struct MetaSlot {
    generation: u64,
    pub(crate) meta: Meta,
}

impl MetaSlot {
    /// The first state of a store that is being formatted.
    pub(crate) fn first(identity: StoreIdentity) -> Self {
        Self {
            generation: 0,
            meta: Meta {
                identity,
                boot: Boot::new(0),
                served_boot: Boot::new(0),
                wal_floor: 1,
                wal_last: 0,
                served_last: 0,
                wal_file_bytes: 0,
            },
        }
    }

    /// Reads the state.
    pub(crate) fn load<D: Disk>(disk: &D, layout: &Layout) -> Result<Self, LogError> {
        let copies = slot::read(disk, &layout.meta(), TAG)?;
        let newest = slot::newest(&copies).and_then(|(generation, value)| {
            let meta = postcard::from_bytes(&value).ok()?;
            Some(Self { generation, meta })
        });
        match newest {
            Some(found) => Ok(found),
            None => Err(without_identity(disk, layout)?),
        }
    }

    /// Both copies, as they are.
    pub(crate) fn copies<D: Disk>(disk: &D, layout: &Layout) -> Result<[Copy; 2], DiskError> {
        slot::read(disk, &layout.meta(), TAG)
    }

    /// Keeps the state as it is now.
    pub(crate) fn save<D: Disk>(&mut self, disk: &D, layout: &Layout) -> Result<(), DiskError> {
        // Serialising to memory fails only for types that refuse to be serialised; these do not.
        let value = postcard::to_allocvec(&self.meta).expect("a store's state serialises");
        self.generation += 1;
        slot::write(disk, &layout.meta(), TAG, self.generation, &value)
    }
}

/// Without an identity a directory is no store any more, or none yet: formatting it may have been
/// interrupted. A store that was ever opened has a WAL file.
fn without_identity<D: Disk>(disk: &D, layout: &Layout) -> Result<LogError, DiskError> {
    let dir = layout.root().to_owned();
    for data in [layout.wal_dir(), layout.channels_dir()] {
        if disk.exists(&data)? && !disk.list(&data)?.is_empty() {
            return Ok(LogError::IdentityLost { dir });
        }
    }
    Ok(LogError::NotFormatted { dir })
}
