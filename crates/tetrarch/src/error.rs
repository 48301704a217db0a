//! Everything that can go wrong here, with its cause, its next step and its exit code.

use std::io;
use std::path::{Path, PathBuf};

use tetrarch_wire::DecodeError;
use thiserror::Error;

use crate::config::Refusal;
use crate::exit::Exit;

/// A command that was not carried out.
#[derive(Debug, Error)]
pub enum Error {
    /// A file or directory could not be used.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// With which file.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// Standard output could not be written to.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// A node's configuration is refused.
    #[error("{0}")]
    Configuration(Refusal),
    /// A mesh would overwrite something.
    #[error("{} exists and is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// There is no mesh where one was looked for.
    #[error("no mesh in {}", .0.display())]
    NoMesh(PathBuf),
    /// There is no mesh directory, and none was named.
    #[error("no mesh was named, and ./mesh is none")]
    MeshNotNamed,
    /// A file of a mesh directory does not say what it must.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What was asked for contradicts itself or the mesh.
    #[error("{0}")]
    Invalid(String),
    /// A key or certificate could not be made.
    #[error("cannot make {what}")]
    Certificate {
        /// What was to be made.
        what: String,
        /// Why it was not.
        source: rcgen::Error,
    },
    /// The founding nodes do not make a mesh.
    #[error("these nodes do not make a mesh")]
    Genesis(#[source] DecodeError),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Randomness(getrandom::Error),
}

impl Error {
    /// Wraps what came of doing something with a file.
    pub fn file(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            verb,
            path: path.to_path_buf(),
            source,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Configuration(_) => {
                Some("`tetrarch config reference` lists every setting with its bounds".into())
            }
            Self::NotEmpty(_) => Some("name a directory that does not exist yet".into()),
            Self::NoMesh(_) | Self::MeshNotNamed => Some(
                "name it with --mesh DIR or TETRARCH_MESH, or make one with \
                 `tetrarch init mesh --node n1=127.0.0.1:7101 --node n2=127.0.0.1:7102 \
                 --node n3=127.0.0.1:7103`"
                    .into(),
            ),
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "run it as the user that owns the file; keys are readable by their owner only"
                    .into(),
            ),
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("make room on that disk, or name a directory on another".into())
            }
            Self::File { .. }
            | Self::Output(_)
            | Self::Malformed { .. }
            | Self::Invalid(_)
            | Self::Certificate { .. }
            | Self::Genesis(_)
            | Self::Randomness(_) => None,
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_)
            | Self::NotEmpty(_)
            | Self::NoMesh(_)
            | Self::MeshNotNamed
            | Self::Malformed { .. } => Exit::Unusable,
            Self::Genesis(_) | Self::Invalid(_) => Exit::Usage,
            Self::File { .. }
            | Self::Output(_)
            | Self::Certificate { .. }
            | Self::Randomness(_) => Exit::Failed,
        }
    }
}
