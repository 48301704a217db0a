//! What a store knows about itself: who it is, how often it was started, and which WAL files
//! count.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tetrarch_wire::{Boot, ClusterId, NodeId, StoreId};

use super::layout::Layout;
use super::slot::{self, Copy};
use crate::disk::{Disk, DiskError};
use crate::{Damage, LogError};

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
    /// Groups were lost of which nobody can tell whose they were: of a channel that was born in them
    /// nothing is left, not even its name.
    pub(crate) unknown_loss: Option<Damage>,
}

impl Meta {
    /// `None` if the bytes are not a store's state.
    fn decode(value: &[u8]) -> Option<Self> {
        // Of a store that has lost nothing, the last field may not have been written yet.
        let none = [value, &[0]].concat();
        postcard::from_bytes(value)
            .or_else(|_| postcard::from_bytes(&none))
            .ok()
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
                unknown_loss: None,
            },
        }
    }

    /// Reads the state.
    pub(crate) fn load<D: Disk>(disk: &D, layout: &Layout) -> Result<Self, LogError> {
        let copies = slot::read(disk, &layout.meta(), TAG)?;
        let newest = slot::newest(&copies).and_then(|(generation, value)| {
            let meta = Meta::decode(&value)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::identity;

    #[test]
    fn a_state_that_was_kept_before_losses_were_is_read_as_one_without_a_loss() {
        let meta = MetaSlot::first(identity()).meta;
        let bytes = postcard::to_allocvec(&meta).unwrap();
        assert_eq!(Meta::decode(&bytes).as_ref(), Some(&meta));
        assert_eq!(Meta::decode(&bytes[..bytes.len() - 1]), Some(meta));
        assert_eq!(Meta::decode(&bytes[..bytes.len() - 2]), None);
    }
}
