//! Everything that can go wrong here, with its cause, its next step and its exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tetrarch_client::tls::IdentityError;
use tetrarch_coordinator::NodeError;
use tetrarch_gateway::GatewayError;
use tetrarch_log::LogError;
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
    /// Somebody else ordered another placement before this one was carried out.
    #[error("channel '{0}' was ordered elsewhere before it was moved")]
    Overtaken(String),
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
    /// A data directory cannot be used.
    #[error("{}", what(.0))]
    Store(LogError),
    /// A certificate, its key or the authority cannot be used.
    #[error("{}", what(.0))]
    Identity(IdentityError),
    /// The certificate is not that of the node in the configuration.
    #[error("the configuration is that of node {name}, the certificate that of {found}")]
    WrongCertificate {
        /// The name in the configuration.
        name: String,
        /// The name in the certificate.
        found: String,
    },
    /// A node does not start or cannot go on.
    #[error("{}", what(.0))]
    Node(NodeError),
    /// Health and metrics cannot be served.
    #[error("{0}")]
    Gateway(GatewayError),
    /// The mesh did not do what it was asked to.
    #[error("{}", what(.0))]
    Client(tetrarch_client::Error),
    /// An address cannot be resolved.
    #[error("the address {address} cannot be resolved")]
    Resolve {
        /// The address.
        address: String,
        /// What came of it.
        source: io::Error,
    },
    /// The operating system did not let the program do something with processes.
    #[error("cannot {what}")]
    Process {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: io::Error,
    },
    /// There are no free ports.
    #[error("no free ports on this machine")]
    Ports(#[source] io::Error),
    /// A node that was started for a while ended by itself.
    #[error("node {name} ended ({status}); the end of its log:\n  {log}")]
    NodeEnded {
        /// Its name.
        name: String,
        /// How it ended.
        status: String,
        /// What it said last.
        log: String,
    },
    /// Something did not come about in time.
    #[error("{what} did not happen within {limit:?}")]
    TooLate {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
    },
    /// Events were not acknowledged.
    #[error("{0} events were not acknowledged")]
    Unacknowledged(u64),
    /// The user did not want to wait for the end.
    #[error("interrupted before the end")]
    Interrupted,
    /// A store holds damaged bytes.
    #[error("{0}")]
    DamagedStore(String),
    /// A promise was broken.
    #[error("{0}")]
    Damaged(String),
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
            Self::Store(error) => advice(error),
            Self::Identity(error) => advice(error),
            Self::Node(error) => advice(error),
            Self::Client(error) => advice(error),
            Self::WrongCertificate { .. } => Some(
                "point [tls] at the certificate that `tetrarch init` or `tetrarch cert node` made \
                 for this node"
                    .into(),
            ),
            Self::Gateway(_) => {
                Some("another process listens there: stop it, or set `listen.admin_address`".into())
            }
            Self::Damaged(_) => Some(
                "keep the directory (--dir) and report it: this is what must never happen".into(),
            ),
            Self::DamagedStore(_) => Some(
                "the damaged channels are halted on this node only: the other replicas serve them; \
                 see `lost` above for each"
                    .into(),
            ),
            Self::Overtaken(channel) => Some(
                format!("`tetrarch channel show {channel}` says where it is going"),
            ),
            Self::TooLate { .. } => Some("a busy machine may need another try".into()),
            Self::File { .. }
            | Self::Output(_)
            | Self::Malformed { .. }
            | Self::Invalid(_)
            | Self::Certificate { .. }
            | Self::Genesis(_)
            | Self::Resolve { .. }
            | Self::Process { .. }
            | Self::Ports(_)
            | Self::NodeEnded { .. }
            | Self::Unacknowledged(_)
            | Self::Interrupted
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
            | Self::Malformed { .. }
            | Self::Store(_)
            | Self::Identity(_)
            | Self::WrongCertificate { .. } => Exit::Unusable,
            Self::Genesis(_) | Self::Invalid(_) => Exit::Usage,
            Self::Client(error) => client_exit(error),
            Self::Damaged(_) | Self::DamagedStore(_) => Exit::Damaged,
            Self::Node(
                NodeError::Store(_) | NodeError::WrongNode { .. } | NodeError::NotANode { .. },
            ) => Exit::Unusable,
            Self::TooLate { .. } => Exit::Unreachable,
            Self::Overtaken(_)
            | Self::File { .. }
            | Self::Output(_)
            | Self::Certificate { .. }
            | Self::Node(_)
            | Self::Gateway(_)
            | Self::Resolve { .. }
            | Self::Process { .. }
            | Self::Ports(_)
            | Self::NodeEnded { .. }
            | Self::Unacknowledged(_)
            | Self::Interrupted
            | Self::Randomness(_) => Exit::Failed,
        }
    }
}

/// Errors of the other crates tell their cause in their own message, so they are not its source.
macro_rules! wraps {
    ($($variant:ident($error:ty)),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

wraps!(
    Store(LogError),
    Identity(IdentityError),
    Node(NodeError),
    Client(tetrarch_client::Error),
    Gateway(GatewayError)
);

fn client_exit(error: &tetrarch_client::Error) -> Exit {
    use tetrarch_client::Error as Client;
    match error {
        error if error.can_retry() => Exit::Unreachable,
        Client::Identity(_) | Client::Bind { .. } | Client::NoSeeds => Exit::Unusable,
        Client::Protocol { .. } | Client::Closed { .. } | Client::Indeterminate { .. } => {
            Exit::Failed
        }
        _ => Exit::Refused,
    }
}

/// The first part of a message of the other crates: what is wrong. The next step follows after its
/// last semicolon.
fn what(error: &impl ToString) -> String {
    let text = error.to_string();
    text.rsplit_once("; ")
        .map_or(text.as_str(), |(what, _)| what)
        .to_owned()
}

fn advice(error: &impl ToString) -> Option<String> {
    let text = error.to_string();
    text.rsplit_once("; ").map(|(_, advice)| advice.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_of_another_crate_becomes_the_hint() {
        let error = Error::from(tetrarch_client::Error::UnknownChannel {
            channel: "c".into(),
            node: "n1".into(),
        });
        assert_eq!(error.to_string(), "node n1 knows no channel 'c'");
        assert_eq!(error.hint().as_deref(), Some("create it or check its name"));
        assert_eq!(error.exit(), Exit::Refused);
        assert!(std::error::Error::source(&error).is_none());
    }
}
