//! What a client needs to reach a mesh: some addresses, whom to trust, and its own certificate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use crate::error::Error;

/// The name of the context in a client's directory.
pub const FILE: &str = "client.toml";

/// A client context; its paths are relative to the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The mesh.
    pub cluster: String,
    /// Certificates of the authorities that are trusted.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Nodes to begin with, by name. Any one of them is enough: it knows the others.
    pub nodes: BTreeMap<String, String>,
}

impl Context {
    /// Reads the context of a client's directory; its paths are absolute or relative to the
    /// current directory then.
    ///
    /// # Errors
    /// If it cannot be read or does not say what it must.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let mut context: Self =
            toml::from_str(&files::read(&path)?).map_err(|error| Error::Malformed {
                path: path.clone(),
                why: error.to_string(),
            })?;
        if context.nodes.is_empty() {
            let why = "it names no node".to_owned();
            return Err(Error::Malformed { path, why });
        }
        for file in [&mut context.ca, &mut context.cert, &mut context.key] {
            *file = dir.join(&*file);
        }
        Ok(context)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// If a path in it is not text.
    pub fn render(&self) -> Result<String, toml::ser::Error> {
        let heading = "# How this client reaches its mesh. Paths are relative to this file.\n\n";
        Ok(format!("{heading}{}", toml::to_string(self)?))
    }
}

/// Finds the client's directory: the named one, else `./mesh`. A mesh directory stands for the
/// client that was made with it.
///
/// # Errors
/// If there is none.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Error> {
    let root = root(named)?;
    for dir in [root.clone(), root.join("client")] {
        if dir.join(FILE).is_file() {
            return Ok(dir);
        }
    }
    Err(Error::NoMesh(root))
}

/// Finds the mesh directory: the named one, else `./mesh`.
///
/// # Errors
/// If none is named and `./mesh` is not there.
pub fn root(named: Option<&Path>) -> Result<PathBuf, Error> {
    match named {
        Some(named) => Ok(named.to_path_buf()),
        None if Path::new("mesh").is_dir() => Ok(PathBuf::from("mesh")),
        None => Err(Error::MeshNotNamed),
    }
}
