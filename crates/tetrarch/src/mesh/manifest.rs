//! `mesh.toml`: the genesis as people can read it. What `cert` and `format --join` need to know of
//! the mesh, and enough to make the same genesis again.

use serde::{Deserialize, Serialize};
use tetrarch_replica::catalog::{Genesis, GenesisNode};
use tetrarch_wire::{ClusterId, NodeId, StoreId};

use super::Layout;
use super::files::{self, PUBLIC};
use crate::error::Error;

const HEADING: &str = "\
# The founding of this mesh, as its nodes hold it too. Not to be edited: the ids say which stores
# vote, and nodes that disagree about them do not talk to each other.

";

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    cluster: String,
    nonce: String,
    node: Vec<ManifestNode>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestNode {
    name: String,
    address: String,
    node: String,
    store: String,
}

/// Writes the genesis into a new mesh directory.
///
/// # Errors
/// If the file cannot be written.
pub fn save(layout: &Layout, genesis: &Genesis) -> Result<(), Error> {
    let path = layout.manifest();
    let manifest = Manifest {
        cluster: genesis.cluster().to_string(),
        // Sixteen bytes print alike, whatever they identify.
        nonce: StoreId::from_bytes(*genesis.nonce()).to_string(),
        node: genesis.nodes().iter().map(ManifestNode::from).collect(),
    };
    let body = toml::to_string(&manifest).map_err(|error| Error::Malformed {
        path: path.clone(),
        why: error.to_string(),
    })?;
    files::create(&path, format!("{HEADING}{body}").as_bytes(), PUBLIC)
}

/// Reads the genesis of a mesh directory.
///
/// # Errors
/// If there is none, or it is not one.
pub fn load(layout: &Layout) -> Result<Genesis, Error> {
    let path = layout.manifest();
    if !path.exists() {
        return Err(Error::NoMesh(layout.root().to_path_buf()));
    }
    let malformed = |why: String| Error::Malformed {
        path: path.clone(),
        why,
    };
    let manifest: Manifest =
        toml::from_str(&files::read(&path)?).map_err(|error| malformed(error.to_string()))?;
    genesis(manifest).map_err(malformed)
}

fn genesis(manifest: Manifest) -> Result<Genesis, String> {
    let id = |what: &str, text: &str| format!("{what} `{text}` is not 32 hexadecimal digits");
    let cluster =
        ClusterId::parse(&manifest.cluster).ok_or_else(|| id("cluster", &manifest.cluster))?;
    let nonce = StoreId::parse(&manifest.nonce).ok_or_else(|| id("nonce", &manifest.nonce))?;
    let nodes = manifest
        .node
        .into_iter()
        .map(|row| {
            Ok(GenesisNode {
                node: NodeId::parse(&row.node).ok_or_else(|| id("node", &row.node))?,
                store: StoreId::parse(&row.store).ok_or_else(|| id("store", &row.store))?,
                name: row.name,
                address: row.address,
            })
        })
        .collect::<Result<_, String>>()?;
    Genesis::new(cluster, *nonce.as_bytes(), nodes).map_err(|error| error.to_string())
}

impl From<&GenesisNode> for ManifestNode {
    fn from(node: &GenesisNode) -> Self {
        Self {
            name: node.name.clone(),
            address: node.address.clone(),
            node: node.node.to_string(),
            store: node.store.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::founding::{self, NodeSpec};

    #[test]
    fn the_genesis_that_is_read_is_the_one_that_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let specs = ["a=h:1", "b=h:2", "c=h:3"].map(|spec| NodeSpec::parse(spec).unwrap());
        let genesis = founding::found(&specs).unwrap();
        save(&layout, &genesis).unwrap();
        assert_eq!(load(&layout).unwrap().hash(), genesis.hash());
    }

    #[test]
    fn a_damaged_id_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        assert!(matches!(load(&layout), Err(Error::NoMesh(_))));
        std::fs::write(
            layout.manifest(),
            "cluster = \"x\"\nnonce = \"y\"\nnode = []\n",
        )
        .unwrap();
        let text = load(&layout).unwrap_err().to_string();
        assert!(text.contains("cluster `x`"), "{text}");
    }
}
