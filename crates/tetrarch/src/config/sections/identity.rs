//! Who the node is, where it and the others are, and how it proves who it is.

use std::path::PathBuf;

use crate::config::address::HostPort;
use crate::config::section::Section;
use crate::names::check_node_name;

/// Who the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, the last part of the URI in its certificate.
    pub name: String,
    /// Its formatted data directory.
    pub data_dir: PathBuf,
    /// Its labels, by which channels are placed.
    pub labels: Vec<(String, String)>,
}

impl Node {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            name: section.required_text(
                "name",
                check_node_name,
                "Name of the node, the same as in its certificate.",
            ),
            data_dir: section.path(
                "data_dir",
                "data",
                "The formatted data directory. `serve` never formats one: `init` and `format` do.",
            ),
            labels: section.pairs(
                "labels",
                "no labels",
                check_label,
                "Labels by which channels are placed, such as `zone = \"a\"`. Replicas are spread \
                 over zones where there are several.",
            ),
        }
    }
}

/// Where the node is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// UDP for nodes and clients. `None` only while the configuration is being refused.
    pub address: Option<HostPort>,
    /// What others are told to dial, if not `address`.
    pub advertise: Option<HostPort>,
    /// TCP for health and metrics, if not `address`.
    pub admin_address: Option<HostPort>,
}

impl Listen {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            address: section.required_address(
                "address",
                "Where the node listens: UDP for other nodes and for clients.",
            ),
            advertise: section.address(
                "advertise",
                "the same as `listen.address`",
                "What others are told to dial. Needed where `listen.address` is 0.0.0.0 or [::].",
            ),
            admin_address: section.address(
                "admin_address",
                "the same as `listen.address`, over TCP",
                "Where health and metrics are served over HTTP. Whoever reaches it may read it, so \
                 keep it on an address that only you reach.",
            ),
        }
    }
}

/// How the node proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Certificates of the authorities that are trusted.
    pub ca: PathBuf,
    /// The node's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Tls {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            ca: section.path(
                "ca",
                "ca.pem",
                "Certificates of the authorities that are trusted, PEM. Read again at SIGHUP, like \
                 the two below.",
            ),
            cert: section.path("cert", "node.pem", "The node's certificate, PEM."),
            key: section.path("key", "node.key", "The node's private key, PEM."),
        }
    }
}

/// Where the other nodes are.
pub(super) fn read_peers(section: &mut Section<'_>) -> Vec<(String, HostPort)> {
    section.pairs(
        "peers",
        "the addresses in the genesis",
        |name, address| {
            check_node_name(name)?;
            HostPort::parse(address)
        },
        "Addresses of other nodes by name, such as `n2 = \"10.0.0.2:7101\"`: where they are not, or \
         no longer, what the genesis says.",
    )
}

fn check_label(name: &str, value: &str) -> Result<String, String> {
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= 255
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
    };
    if plain(name) && plain(value) {
        Ok(value.to_owned())
    } else {
        Err("must be 1 to 255 letters, digits, '.', '_', '-' or '/', name and value".into())
    }
}
