//! Who may join. A connection carries frames only after what the other end says of itself agrees
//! with its certificate and with what this node knows; every refusal names what was seen and what
//! was expected.

use tetrarch_wire::{
    NodeId, VoterId,
    frame::{CloseCode, Hello},
};

use super::{
    config::{LocalNode, PeerAddress},
    error::Refusal,
    inbound::Peer,
};

/// Checks the first frame of a node whose certificate names `node`.
pub(super) fn admit(
    local: &LocalNode,
    node: NodeId,
    known: Option<&PeerAddress>,
    hello: Hello,
) -> Result<Peer, Refusal> {
    same_protocol(&hello)?;
    same_cluster(local, &hello)?;
    node_of_certificate(node, &hello)?;
    known_node(local, known, &hello)?;
    Ok(Peer {
        node,
        store: hello.store,
        voter: VoterId::derive(node, hello.store),
        boot: hello.boot,
        name: hello.name,
        address: hello.address,
        labels: hello.labels,
    })
}

fn same_protocol(hello: &Hello) -> Result<(), Refusal> {
    if hello.protocol == Hello::PROTOCOL {
        return Ok(());
    }
    Err(Refusal::new(
        CloseCode::WrongVersion,
        format!(
            "{} speaks protocol version {}, expected version {}",
            hello.name,
            hello.protocol,
            Hello::PROTOCOL
        ),
    ))
}

fn same_cluster(local: &LocalNode, hello: &Hello) -> Result<(), Refusal> {
    if hello.cluster == local.cluster {
        return Ok(());
    }
    Err(Refusal::new(
        CloseCode::WrongCluster,
        format!(
            "{} belongs to mesh {}, expected mesh {}",
            hello.name, hello.cluster, local.cluster
        ),
    ))
}

fn node_of_certificate(node: NodeId, hello: &Hello) -> Result<(), Refusal> {
    if hello.node == node {
        return Ok(());
    }
    Err(Refusal::new(
        CloseCode::WrongNode,
        format!(
            "{} says it is node {}, expected node {node} of its certificate",
            hello.name, hello.node
        ),
    ))
}

fn known_node(
    local: &LocalNode,
    known: Option<&PeerAddress>,
    hello: &Hello,
) -> Result<(), Refusal> {
    if hello.node == local.node {
        return Err(Refusal::new(
            CloseCode::WrongNode,
            format!("{} is this node itself, expected another one", hello.name),
        ));
    }
    if known.is_none() {
        return Err(Refusal::new(
            CloseCode::Denied,
            format!(
                "{} (node {}) is not among the nodes that {} knows",
                hello.name, hello.node, local.name
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tetrarch_wire::{Boot, ClusterId, StoreId};

    use super::*;

    const ME: NodeId = NodeId::from_bytes([1; 16]);
    const OTHER: NodeId = NodeId::from_bytes([2; 16]);

    fn local(node: NodeId, name: &str) -> LocalNode {
        LocalNode {
            cluster: ClusterId::from_bytes([7; 16]),
            node,
            store: StoreId::from_bytes([8; 16]),
            boot: Boot::new(3),
            name: name.into(),
            address: "127.0.0.1:7101".into(),
            labels: vec![("zone".into(), "a".into())],
        }
    }

    fn known() -> PeerAddress {
        PeerAddress {
            node: OTHER,
            name: "n2".into(),
            address: "127.0.0.1:7102".into(),
        }
    }

    fn refused(hello: Hello) -> (CloseCode, String) {
        let refusal = admit(&local(ME, "n1"), OTHER, Some(&known()), hello).unwrap_err();
        (refusal.code, refusal.detail)
    }

    #[test]
    fn a_known_node_is_admitted_as_what_it_says_and_its_certificate_proves() {
        let hello = local(OTHER, "n2").hello(5);
        let peer = admit(&local(ME, "n1"), OTHER, Some(&known()), hello.clone()).unwrap();
        assert_eq!(
            (peer.node, peer.store, peer.boot),
            (OTHER, hello.store, hello.boot)
        );
        assert_eq!(peer.voter, VoterId::derive(OTHER, hello.store));
        assert_eq!((peer.name, peer.labels), (hello.name, hello.labels));
    }

    #[test]
    fn every_refusal_names_what_was_seen_and_expected() {
        let hello = local(OTHER, "n2").hello(5);
        let other = |change: fn(&mut Hello)| {
            let mut hello = hello.clone();
            change(&mut hello);
            refused(hello)
        };
        assert_eq!(
            other(|hello| hello.protocol = 9),
            (
                CloseCode::WrongVersion,
                "n2 speaks protocol version 9, expected version 1".into()
            )
        );
        let (seen, expected) = ("09".repeat(16), "07".repeat(16));
        assert_eq!(
            other(|hello| hello.cluster = ClusterId::from_bytes([9; 16])),
            (
                CloseCode::WrongCluster,
                format!("n2 belongs to mesh {seen}, expected mesh {expected}")
            )
        );
        let expected = "02".repeat(16);
        assert_eq!(
            other(|hello| hello.node = NodeId::from_bytes([9; 16])),
            (
                CloseCode::WrongNode,
                format!("n2 says it is node {seen}, expected node {expected} of its certificate")
            )
        );
    }

    #[test]
    fn strangers_and_mirrors_are_refused() {
        let me = local(ME, "n1");
        let stranger = admit(&me, OTHER, None, local(OTHER, "n9").hello(5)).unwrap_err();
        assert_eq!(stranger.code, CloseCode::Denied);
        let node = "02".repeat(16);
        assert_eq!(
            stranger.detail,
            format!("n9 (node {node}) is not among the nodes that n1 knows")
        );
        let mirror = admit(&me, ME, Some(&known()), me.hello(5)).unwrap_err();
        assert_eq!(mirror.code, CloseCode::WrongNode);
    }
}
