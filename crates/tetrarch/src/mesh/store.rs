//! Formats the data directory of a node: it says which store it is and how its mesh began.

use std::path::Path;

use tetrarch_log::{RealDisk, StoreIdentity};
use tetrarch_replica::catalog::Genesis;
use tetrarch_wire::{NodeId, StoreId};

use crate::error::Error;

/// Makes `dir`, which must be empty or not exist yet, the store `store` of a node.
///
/// # Errors
/// If it holds anything already, or cannot be written.
pub fn format(
    dir: &Path,
    genesis: &Genesis,
    name: &str,
    node: NodeId,
    store: StoreId,
) -> Result<(), Error> {
    let identity = StoreIdentity {
        cluster: genesis.cluster(),
        node,
        store,
        name: name.to_owned(),
        genesis: genesis.encode(),
    };
    Ok(tetrarch_log::format(&RealDisk, dir, &identity)?)
}
