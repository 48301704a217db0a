//! Clients of a node.

use std::time::Duration;

use tetrarch_client::{
    tls::Protocol,
    transport::{FrameReceiver, FrameSender, ReceiveTimeouts},
};
use tetrarch_wire::frame::CloseCode;
use tokio::time::timeout;

use super::{
    authority::Authority,
    frames::beat,
    node::{Plan, TestNode},
    recorder::eventually,
    stranger::Stranger,
};
use crate::transport::Limits;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_its_stream_and_nothing_of_the_mesh() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    let client = authority.client("app");
    let client = Stranger::dial(&node, &client, Protocol::Client)
        .await
        .unwrap();
    let (sender, receiver) = client.connection.open_bi().await.unwrap();
    let mut sender = FrameSender::new(sender);
    let mut receiver = FrameReceiver::new(receiver, ReceiveTimeouts::OPENED);
    sender.send(&beat(1)).await.unwrap();
    assert_eq!(receiver.next().await.unwrap(), Some(beat(1)));
    sender.finish();
    assert_eq!(receiver.next().await.unwrap(), None);
    assert_eq!(
        *node.seen.clients.lock().unwrap(),
        ["spiffe://mesh.test/client/app"]
    );
    // Unidirectional streams are for nodes: the one that may be opened before the node knows who
    // dialled, if any, is never read.
    assert_eq!(node.seen.ups(), []);
    assert_eq!(node.seen.beats.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_may_speak_as_a_client() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    let other = authority.node("n2");
    let other = Stranger::dial(&node, &other, Protocol::Client)
        .await
        .unwrap();
    let _streams = other.open(&beat(1).to_bytes().unwrap()).await;
    eventually("the stream is served", || {
        node.seen.clients.lock().unwrap().len() == 1
    })
    .await;
    assert_eq!(
        *node.seen.clients.lock().unwrap(),
        ["spiffe://mesh.test/node/n2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_clients_and_streams() {
    let authority = Authority::new("ca");
    let mut plan = Plan::new("n1", authority.node("n1"));
    plan.limits = Limits {
        clients: 1,
        streams: 2,
        ..Limits::default()
    };
    let node = plan.start();
    let identity = authority.client("app");
    let first = Stranger::dial(&node, &identity, Protocol::Client)
        .await
        .unwrap();
    let bytes = beat(1).to_bytes().unwrap();
    let _streams = [first.open(&bytes).await, first.open(&bytes).await];
    let third = timeout(Duration::from_millis(200), first.connection.open_bi());
    assert!(third.await.is_err(), "a third stream has to wait");
    let second = Stranger::dial(&node, &identity, Protocol::Client)
        .await
        .unwrap();
    let (code, text) = second.verdict().await;
    assert_eq!(code, CloseCode::Overload);
    assert_eq!(text, "1 clients are connected, as many as may be");
    eventually("it is counted", || {
        node.seen.refusals() == [("overload", text.clone())]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_proved_when_many_are_half_open() {
    let authority = Authority::new("ca");
    let mut plan = Plan::new("n1", authority.node("n1"));
    plan.limits = Limits {
        half_open: 0,
        ..Limits::default()
    };
    let node = plan.start();
    let identity = authority.client("app");
    let client = Stranger::dial(&node, &identity, Protocol::Client)
        .await
        .unwrap();
    let _streams = client.open(&beat(1).to_bytes().unwrap()).await;
    eventually("the stream is served", || {
        node.seen.clients.lock().unwrap().len() == 1
    })
    .await;
    assert_eq!(node.mesh.shared().half_open.count(), 0);
}
