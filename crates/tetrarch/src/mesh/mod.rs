//! A mesh on disk, as `init` makes it: the authority, one self-contained directory for each node,
//! and one for each client. A node's or a client's directory can be copied to another machine as
//! it is.
//!
//! ```text
//! DIR/mesh.toml                      the genesis, readable: cluster, founding nodes, their stores
//! DIR/ca.pem, DIR/ca.key             the private authority; the key is needed to add certificates
//! DIR/n1/node.toml                   one node: configuration, certificate, key, trust, data
//! DIR/n1/{node.pem,node.key,ca.pem,data/}
//! DIR/client/client.toml             one client: context, certificate, key, trust
//! DIR/client/{client.pem,client.key,ca.pem}
//! DIR/clients/NAME/…                 clients that were added later
//! ```

pub mod authority;
pub mod certificate;
pub mod client_dir;
pub mod context;
pub mod files;
pub mod founding;
pub mod manifest;
pub mod node_dir;
mod staging;
pub mod store;

use std::path::{Path, PathBuf};

pub use staging::Staging;

/// The paths of a mesh directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The mesh directory `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The readable genesis.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.root.join("mesh.toml")
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca_cert(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    /// The authority's key.
    #[must_use]
    pub fn ca_key(&self) -> PathBuf {
        self.root.join("ca.key")
    }

    /// The directory of a node.
    #[must_use]
    pub fn node(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The directory of the client that `init` makes.
    #[must_use]
    pub fn first_client(&self) -> PathBuf {
        self.root.join("client")
    }

    /// The directory of a client that was added later.
    #[must_use]
    pub fn client(&self, name: &str) -> PathBuf {
        self.root.join("clients").join(name)
    }
}
