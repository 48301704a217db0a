//! Who may not connect, and what both ends are told.

use tetrarch_client::tls::Protocol;
use tetrarch_wire::{ClusterId, frame::CloseCode};

use super::{
    authority::{Authority, TRUST_DOMAIN},
    node::{Plan, TestNode},
    recorder::eventually,
    stranger::{Stranger, hello},
};
use crate::transport::TransportError;

/// Lets `dialler` dial a node that expects it, and returns the words under which each end counted
/// the refusal, with the text of the dialling end.
async fn refused(dialler: Plan, acceptor: Plan) -> (&'static str, &'static str, String) {
    let (dialler, acceptor) = (dialler.start(), acceptor.start());
    acceptor.expect(&dialler.name);
    dialler.meet(&acceptor);
    let word = |node: &TestNode| {
        let refusals = node.seen.refusals();
        let mut words = refusals
            .into_iter()
            .filter(|(word, _)| *word != "no_answer");
        words.next()
    };
    eventually("both ends refuse", || {
        word(&dialler).is_some() && word(&acceptor).is_some()
    })
    .await;
    assert_eq!(dialler.seen.ups(), []);
    assert_eq!(acceptor.seen.ups(), []);
    let (seen, text) = word(&dialler).unwrap();
    (seen, word(&acceptor).unwrap().0, text)
}

fn plan(authority: &Authority, name: &str) -> Plan {
    Plan::new(name, authority.node(name))
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{text}' does not contain '{part}'");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_authority() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (dialler, acceptor, text) = refused(plan(&ours, "n1"), plan(&theirs, "n2")).await;
    assert_eq!((dialler, acceptor), ("unknown_ca", "unknown_ca"));
    contains(&text, &["this end refused", "UnknownIssuer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialler_of_another_authority() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let both = theirs.node_trusting("n1", &ours);
    let (dialler, acceptor, text) = refused(Plan::new("n1", both), plan(&ours, "n2")).await;
    assert_eq!((dialler, acceptor), ("unknown_ca", "unknown_ca"));
    contains(&text, &["the peer refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_on_either_end() {
    let authority = Authority::new("ca");
    let expired = |name| Plan::new(name, authority.expired(name));
    let (dialler, acceptor, text) = refused(expired("n1"), plan(&authority, "n2")).await;
    assert_eq!(
        (dialler, acceptor),
        ("expired_certificate", "expired_certificate")
    );
    contains(&text, &["the peer refused", "not valid at this time"]);
    let (dialler, acceptor, text) = refused(plan(&authority, "n1"), expired("n2")).await;
    assert_eq!(
        (dialler, acceptor),
        ("expired_certificate", "expired_certificate")
    );
    contains(&text, &["this end refused", "not valid at this time"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_than_the_one_that_was_dialled() {
    let authority = Authority::new("ca");
    let (dialler, acceptor) = (
        plan(&authority, "n1").start(),
        plan(&authority, "n3").start(),
    );
    let mut wrong = acceptor.address();
    wrong.node = super::node::node_id("n2");
    wrong.name = "n2".into();
    dialler.mesh.add_peer(wrong);
    eventually("both ends refuse", || {
        !dialler.seen.refusals().is_empty() && !acceptor.seen.refusals().is_empty()
    })
    .await;
    let (word, text) = dialler.seen.refusals().remove(0);
    assert_eq!(
        (word, acceptor.seen.refusals()[0].0),
        ("wrong_name", "wrong_name")
    );
    let [seen, expected] = ["n3", "n2"].map(|name| format!("spiffe://{TRUST_DOMAIN}/node/{name}"));
    contains(&text, &[&seen, &expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_trust_domain() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    let foreign = authority.named("spiffe://elsewhere/node/n2");
    let dialled = Stranger::dial(&node, &foreign, Protocol::Mesh).await;
    assert!(dialled.is_err(), "the dialling end checks it first");
    eventually("the node counts it", || !node.seen.refusals().is_empty()).await;
    assert_eq!(node.seen.refusals()[0].0, "wrong_name");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_mesh() {
    let authority = Authority::new("ca");
    let mut foreign = plan(&authority, "n1");
    foreign.cluster = ClusterId::from_bytes([9; 16]);
    let (dialler, acceptor, text) = refused(foreign, plan(&authority, "n2")).await;
    assert_eq!((dialler, acceptor), ("wrong_cluster", "wrong_cluster"));
    contains(
        &text,
        &["refused by the peer", &"09".repeat(16), &"07".repeat(16)],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_on_the_protocol_of_the_mesh() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    let client = authority.client("app");
    let stranger = Stranger::dial(&node, &client, Protocol::Mesh)
        .await
        .unwrap();
    let (code, text) = stranger.verdict().await;
    assert_eq!(code, CloseCode::Denied);
    contains(&text, &["spiffe://mesh.test/client/app", "/node/"]);
    eventually("the node counts it", || !node.seen.refusals().is_empty()).await;
    assert_eq!(node.seen.refusals(), [("denied", text)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_nobody_knows_or_that_says_it_is_another() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    node.expect("n2");
    for (certificate, name, code) in [
        ("n9", "n9", CloseCode::Denied),
        ("n2", "n9", CloseCode::WrongNode),
    ] {
        let identity = authority.node(certificate);
        let stranger = Stranger::dial(&node, &identity, Protocol::Mesh)
            .await
            .unwrap();
        let first = tetrarch_wire::Frame::Hello(hello(name)).to_bytes().unwrap();
        let _streams = stranger.open(&first).await;
        assert_eq!(stranger.verdict().await.0, code);
    }
    eventually("the node counts both", || node.seen.refusals().len() >= 2).await;
    let words: Vec<_> = node
        .seen
        .refusals()
        .into_iter()
        .map(|(word, _)| word)
        .collect();
    assert!(
        words.contains(&"denied") && words.contains(&"wrong_node"),
        "{words:?}"
    );
}

#[tokio::test]
async fn an_address_in_use_and_a_certificate_of_another_node() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    let mut second = plan(&authority, "n2");
    second.listen = node.mesh.local_addr();
    let error = second.try_start().err().unwrap();
    assert!(matches!(error, TransportError::AddressInUse { .. }));
    contains(
        &error.to_string(),
        &[&node.mesh.local_addr().to_string(), "in use"],
    );
    for identity in [authority.node("n3"), authority.client("n2")] {
        let error = Plan::new("n2", identity).try_start().err().unwrap();
        assert!(
            matches!(error, TransportError::NotThisNode { .. }),
            "{error}"
        );
    }
}
