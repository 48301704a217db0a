//! Who founds a mesh: the nodes of the command line with fresh ids become the genesis.

use std::collections::BTreeSet;

use tetrarch_replica::catalog::{Genesis, GenesisNode, MAX_GENESIS_NODES};
use tetrarch_wire::{ClusterId, NodeId, StoreId};

use super::authority::{Subject, trust_domain};
use crate::config::HostPort;
use crate::error::Error;
use crate::names::check_node_name;

/// Names that are taken by something else in a mesh directory.
const RESERVED: [&str; 5] = ["client", "clients", "ca.pem", "ca.key", "mesh.toml"];

/// A node of the command line, `name=host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: HostPort,
}

impl NodeSpec {
    /// Reads `name=host:port`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = text
            .split_once('=')
            .ok_or_else(|| format!("a node is given as name=host:port, not `{text}`"))?;
        check_name(name)?;
        let address = HostPort::parse(address).map_err(|why| format!("its address {why}"))?;
        if address.is_unspecified() {
            return Err(format!(
                "nobody can dial {address}: give the address others dial"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            address,
        })
    }
}

/// Whether a node may be called so, here.
///
/// # Errors
/// Why it may not.
pub fn check_name(name: &str) -> Result<(), String> {
    check_node_name(name).map_err(|why| format!("the name of a node {why}"))?;
    if RESERVED.contains(&name) {
        return Err(format!(
            "`{name}` is the name of something else in a mesh directory"
        ));
    }
    Ok(())
}

/// Founds a mesh of these nodes.
///
/// # Errors
/// If two of them share a name or an address, or there are too many.
pub fn found(nodes: &[NodeSpec]) -> Result<Genesis, Error> {
    check_distinct(nodes)?;
    let cluster = ClusterId::from_bytes(random()?);
    let trust = trust_domain(cluster);
    let nodes = nodes
        .iter()
        .map(|spec| {
            Ok(GenesisNode {
                name: spec.name.clone(),
                node: NodeId::from_spiffe_uri(&Subject::Node(&spec.name).uri(&trust)),
                store: StoreId::from_bytes(random()?),
                address: spec.address.to_string(),
            })
        })
        .collect::<Result<_, Error>>()?;
    Genesis::new(cluster, random()?, nodes).map_err(Error::Genesis)
}

/// Random bytes for an id.
///
/// # Errors
/// If the operating system has none.
pub fn random() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Error::Randomness)?;
    Ok(bytes)
}

fn check_distinct(nodes: &[NodeSpec]) -> Result<(), Error> {
    let names: BTreeSet<_> = nodes.iter().map(|node| &node.name).collect();
    let addresses: BTreeSet<_> = nodes.iter().map(|node| &node.address).collect();
    if names.len() < nodes.len() {
        return Err(Error::Invalid("two nodes have the same name".into()));
    }
    if addresses.len() < nodes.len() {
        return Err(Error::Invalid("two nodes have the same address".into()));
    }
    if nodes.len() > MAX_GENESIS_NODES {
        let why = format!("a mesh is founded by at most {MAX_GENESIS_NODES} nodes");
        return Err(Error::Invalid(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_name_and_an_address_that_others_can_dial() {
        let spec = NodeSpec::parse("n1=127.0.0.1:7101").unwrap();
        assert_eq!(spec.name, "n1");
        for bad in [
            "n1",
            "=127.0.0.1:1",
            "n1=127.0.0.1",
            "n1=0.0.0.0:1",
            "client=h:1",
            "a/b=h:1",
        ] {
            assert!(NodeSpec::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shared_names_and_addresses_are_refused() {
        let nodes = |texts: [&str; 2]| texts.map(|text| NodeSpec::parse(text).unwrap());
        assert!(found(&nodes(["a=h:1", "a=h:2"])).is_err());
        assert!(found(&nodes(["a=h:1", "b=h:1"])).is_err());
        assert!(found(&nodes(["a=h:1", "b=h:2"])).is_ok());
    }

    #[test]
    fn a_node_id_follows_from_the_uri_of_its_certificate() {
        let genesis = found(&[NodeSpec::parse("a=h:1").unwrap()]).unwrap();
        let uri = format!("spiffe://{}/node/a", trust_domain(genesis.cluster()));
        assert_eq!(genesis.nodes()[0].node, NodeId::from_spiffe_uri(&uri));
    }
}
