//! The way from the node's parts back to its mesh.
//!
//! The mesh hands what arrives to those parts, and they answer through it: a circle. It is closed
//! when the node listens and opened again when it stops, so that the socket is free afterwards.

use std::sync::{PoisonError, RwLock};

use crate::transport::Mesh;

/// A mesh that comes and goes.
#[derive(Default)]
pub(crate) struct MeshLink {
    mesh: RwLock<Option<Mesh>>,
}

impl MeshLink {
    /// From now on there is a mesh.
    pub(crate) fn connect(&self, mesh: Mesh) {
        self.replace(Some(mesh));
    }

    /// From now on there is none.
    pub(crate) fn disconnect(&self) {
        self.replace(None);
    }

    /// The mesh, while there is one.
    pub(crate) fn get(&self) -> Option<Mesh> {
        self.mesh
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn replace(&self, mesh: Option<Mesh>) {
        *self.mesh.write().unwrap_or_else(PoisonError::into_inner) = mesh;
    }
}
