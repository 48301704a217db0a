//! What `node.toml` says, section by section. Each section declares its settings where it reads
//! them; nothing else in the program knows a default or a bound.

mod identity;
mod limits;
mod observation;
mod runtime;
mod storage;
mod timing;

pub use identity::{Listen, Node, Tls};
pub use limits::Limits;
pub use observation::{Log, LogFormat, LogLevel, Metrics};
pub use runtime::Runtime;
pub use storage::Storage;
pub use timing::Timing;

use super::address::HostPort;
use super::reader::Reader;

/// The configuration of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFile {
    /// Who the node is.
    pub node: Node,
    /// Where it is reached.
    pub listen: Listen,
    /// Where the other nodes are, by name.
    pub peers: Vec<(String, HostPort)>,
    /// How it proves who it is.
    pub tls: Tls,
    /// Beats and elections.
    pub timing: Timing,
    /// The disk.
    pub storage: Storage,
    /// Bounds.
    pub limits: Limits,
    /// The threads.
    pub runtime: Runtime,
    /// What is measured.
    pub metrics: Metrics,
    /// What is logged.
    pub log: Log,
}

impl NodeFile {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            node: reader.section("node", Node::read),
            listen: reader.section("listen", Listen::read),
            peers: reader.whole(identity::read_peers),
            tls: reader.section("tls", Tls::read),
            timing: reader.section("timing", Timing::read),
            storage: reader.section("storage", Storage::read),
            limits: reader.section("limits", Limits::read),
            runtime: reader.section("runtime", Runtime::read),
            metrics: reader.section("metrics", Metrics::read),
            log: reader.section("log", Log::read),
        }
    }
}
