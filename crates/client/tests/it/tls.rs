//! Handshakes that must succeed, and one test for each way in which they must not.

use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint};
use tetrarch_client::{
    tls::{
        Identity, IdentityError, IdentityFiles, PeerError, PrincipalKind, Protocol, client_config,
        identify, server_config,
    },
    transport::{DialError, HANDSHAKE_TIMEOUT, RefusedBy, Trouble, bind, dial},
};

use crate::authority::{Authority, Flaw, identity};

const NODE: &str = "spiffe://mesh.test/node/n1";
const OTHER: &str = "spiffe://mesh.test/node/n2";
const CLIENT: &str = "spiffe://mesh.test/client/app";

fn listen(who: &Identity, protocols: &[Protocol]) -> Endpoint {
    bind(
        "127.0.0.1:0".parse().unwrap(),
        Some(server_config(who, protocols).unwrap()),
    )
    .unwrap()
}

/// Both ends of one handshake. The dialling end counts as connected only when the accepting end
/// agrees, which it shows by opening a stream.
async fn shake(
    server: &Endpoint,
    client: &Identity,
    protocol: Protocol,
    name: Option<&str>,
) -> (
    Result<Connection, DialError>,
    Result<Connection, ConnectionError>,
) {
    let endpoint = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let config = client_config(client, protocol, name).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let accepted = async {
        let connection = server.accept().await.unwrap().await?;
        let mut stream = connection.open_uni().await?;
        stream.finish().unwrap();
        Ok(connection)
    };
    let dialled = async {
        let connection = dial(&endpoint, &config, &address, HANDSHAKE_TIMEOUT).await?;
        let agreed = connection.accept_uni().await;
        agreed.map_err(|error| DialError::from_connection(&address, error))?;
        Ok(connection)
    };
    tokio::time::timeout(Duration::from_secs(10), async {
        tokio::join!(dialled, accepted)
    })
    .await
    .unwrap()
}

async fn refusal(
    server: &Identity,
    client: &Identity,
    name: Option<&str>,
) -> (RefusedBy, Trouble, String) {
    let endpoint = listen(server, &Protocol::ALL);
    let (dialled, accepted) = shake(&endpoint, client, Protocol::Mesh, name).await;
    assert!(accepted.is_err());
    let error = dialled.unwrap_err();
    let text = error.to_string();
    match error {
        DialError::Refused { by, trouble, .. } => (by, trouble, text),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn both_ends_learn_the_name_and_the_protocol_of_the_other() {
    let authority = Authority::new();
    let server = listen(&authority.identity(NODE), &Protocol::ALL);
    let client = authority.identity(CLIENT);
    let (dialled, accepted) = shake(&server, &client, Protocol::Client, Some("n1")).await;
    let (dialled, accepted) = (dialled.unwrap(), accepted.unwrap());
    assert_eq!(identify(&dialled).unwrap().principal.uri(), NODE);
    let peer = identify(&accepted).unwrap();
    assert_eq!(peer.principal.uri(), CLIENT);
    assert_eq!(peer.principal.kind, PrincipalKind::Client);
    assert_eq!(peer.protocol, Protocol::Client);
}

#[tokio::test]
async fn a_client_that_speaks_the_protocol_of_nodes_is_told_apart_after_the_handshake() {
    let authority = Authority::new();
    let server = listen(&authority.identity(NODE), &Protocol::ALL);
    let client = authority.identity(CLIENT);
    let (_dialled, accepted) = shake(&server, &client, Protocol::Mesh, None).await;
    let error = identify(&accepted.unwrap()).unwrap_err();
    assert!(matches!(error, PeerError::Principal(_)));
    assert!(error.to_string().contains(CLIENT), "{error}");
}

#[tokio::test]
async fn a_node_of_another_authority_is_refused_by_us() {
    let server = Authority::new().identity(NODE);
    let client = Authority::new().identity(CLIENT);
    let (by, trouble, _) = refusal(&server, &client, None).await;
    assert_eq!((by, trouble), (RefusedBy::Us, Trouble::UnknownAuthority));
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused_by_the_node() {
    let (ours, other) = (Authority::new(), Authority::new());
    let mut pem = other.pem(CLIENT, Flaw::Nothing);
    pem.ca = ours.pem(CLIENT, Flaw::Nothing).ca;
    let (by, trouble, _) = refusal(&ours.identity(NODE), &identity(&pem).unwrap(), None).await;
    assert_eq!((by, trouble), (RefusedBy::Peer, Trouble::UnknownAuthority));
}

#[tokio::test]
async fn expired_certificates_are_refused_on_both_sides() {
    let authority = Authority::new();
    let expired = authority.flawed(NODE, Flaw::Expired);
    let fresh = authority.identity(OTHER);
    let (by, trouble, text) = refusal(&expired, &fresh, None).await;
    assert_eq!((by, trouble), (RefusedBy::Us, Trouble::NotValidNow));
    assert!(text.contains("renew"), "{text}");
    let (by, trouble, _) = refusal(&fresh, &expired, None).await;
    assert_eq!((by, trouble), (RefusedBy::Peer, Trouble::NotValidNow));
}

#[tokio::test]
async fn another_trust_domain_is_refused_with_both_names() {
    let authority = Authority::new();
    let ours = authority.identity(CLIENT);
    let foreign = authority.identity("spiffe://elsewhere/node/n1");
    let (by, trouble, text) = refusal(&foreign, &ours, None).await;
    assert_eq!((by, trouble), (RefusedBy::Us, Trouble::WrongName));
    assert!(text.contains("spiffe://elsewhere/node/n1"), "{text}");
    assert!(text.contains("'mesh.test'"), "{text}");
    let node = authority.identity(NODE);
    let mut pem = authority.pem("spiffe://elsewhere/client/app", Flaw::Nothing);
    pem.ca = authority.pem(NODE, Flaw::Nothing).ca;
    let endpoint = listen(&node, &Protocol::ALL);
    let stranger = identity(&pem).unwrap();
    let (_, accepted) = shake(&endpoint, &stranger, Protocol::Mesh, None).await;
    assert!(accepted.is_err());
}

#[tokio::test]
async fn a_client_certificate_does_not_make_a_node() {
    let authority = Authority::new();
    let impostor = authority.identity("spiffe://mesh.test/client/n1");
    let (by, trouble, text) = refusal(&impostor, &authority.identity(CLIENT), Some("n1")).await;
    assert_eq!((by, trouble), (RefusedBy::Us, Trouble::WrongName));
    assert!(text.contains("spiffe://mesh.test/client/n1"), "{text}");
    assert!(text.contains(NODE), "{text}");
}

#[tokio::test]
async fn another_node_than_the_expected_one_is_refused_with_both_names() {
    let authority = Authority::new();
    let (by, trouble, text) = refusal(
        &authority.identity(OTHER),
        &authority.identity(CLIENT),
        Some("n1"),
    )
    .await;
    assert_eq!((by, trouble), (RefusedBy::Us, Trouble::WrongName));
    assert!(text.contains(OTHER) && text.contains(NODE), "{text}");
}

#[tokio::test]
async fn a_certificate_without_server_authentication_is_no_nodes() {
    let authority = Authority::new();
    let node = authority.flawed(NODE, Flaw::OnlyForClients);
    let (by, trouble, _) = refusal(&node, &authority.identity(CLIENT), None).await;
    assert_eq!((by, trouble), (RefusedBy::Us, Trouble::WrongUse));
}

#[tokio::test]
async fn protocols_without_overlap_are_refused() {
    let authority = Authority::new();
    let server = listen(&authority.identity(NODE), &[Protocol::Client]);
    let (dialled, accepted) =
        shake(&server, &authority.identity(OTHER), Protocol::Mesh, None).await;
    assert!(accepted.is_err());
    match dialled.unwrap_err() {
        DialError::Refused { trouble, .. } => assert_eq!(trouble, Trouble::NoCommonProtocol),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_replaced_configuration_counts_from_the_next_handshake_on() {
    let authority = Authority::new();
    let server = listen(&authority.identity(NODE), &Protocol::ALL);
    let client = authority.identity(CLIENT);
    let (first, accepted) = shake(&server, &client, Protocol::Client, Some("n1")).await;
    let renamed = server_config(&authority.identity(OTHER), &Protocol::ALL).unwrap();
    server.set_server_config(Some(renamed));
    let (second, _accepted) = shake(&server, &client, Protocol::Client, Some("n2")).await;
    assert_eq!(identify(&second.unwrap()).unwrap().principal.name, "n2");
    assert!(first.unwrap().close_reason().is_none());
    drop(accepted);
}

#[test]
fn a_common_name_is_no_name() {
    let pem = Authority::new().pem(NODE, Flaw::OnlyCommonName);
    let error = identity(&pem).unwrap_err();
    assert!(matches!(error, IdentityError::Principal { .. }));
    let text = error.to_string();
    assert!(
        text.contains("node.pem") && text.contains("no URI"),
        "{text}"
    );
}

#[test]
fn unusable_files_are_named_and_keys_are_never_shown() {
    let authority = Authority::new();
    let dir = tempfile::tempdir().unwrap();
    let files = IdentityFiles {
        ca: dir.path().join("ca.pem"),
        certificate: dir.path().join("n1.pem"),
        key: dir.path().join("n1.key"),
    };
    let missing = Identity::load(&files).unwrap_err().to_string();
    assert!(missing.contains("ca.pem"), "{missing}");
    let pem = authority.pem(NODE, Flaw::Nothing);
    let secret = pem.key.lines().nth(1).unwrap();
    std::fs::write(&files.ca, &pem.ca).unwrap();
    std::fs::write(&files.certificate, &pem.certificate).unwrap();
    std::fs::write(&files.key, format!("{secret}\n")).unwrap();
    let unreadable = Identity::load(&files).unwrap_err().to_string();
    assert!(unreadable.contains("n1.key"), "{unreadable}");
    assert!(!unreadable.contains(secret));
    let foreign = authority.pem(OTHER, Flaw::Nothing);
    std::fs::write(&files.key, &foreign.key).unwrap();
    let error = Identity::load(&files).unwrap_err();
    assert!(matches!(error, IdentityError::Key { .. }), "{error}");
    std::fs::write(&files.key, &pem.key).unwrap();
    let loaded = Identity::load(&files).unwrap();
    assert!(loaded.not_after() > std::time::SystemTime::now());
    assert!(!format!("{loaded:?}").contains(secret));
}
