//! Nodes come, go, come back, and change their certificates.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use tetrarch_client::tls::Protocol;
use tetrarch_replica::Lane;

use super::{
    authority::Authority,
    frames::{beat, channel, small},
    node::{Plan, TestNode, anywhere, connected, pair},
    recorder::eventually,
    stranger::{Stranger, hello},
};
use crate::transport::TransportError;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_so_and_leaves_nothing_behind() {
    let (one, two) = pair(&Authority::new("ca")).await;
    one.mesh.send(two.id, Lane::Data, small(channel(1), 0));
    eventually("the connection carries frames", || {
        two.seen.frame_count() == 1
    })
    .await;
    let began = Instant::now();
    for number in 1..100 {
        one.mesh.send(two.id, Lane::Data, small(channel(1), number));
    }
    one.mesh.shutdown().await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(two.seen.frame_count(), 100, "what was queued has arrived");
    eventually("the other end knows", || two.seen.downs() == [(one.id, 1)]).await;
    assert_eq!(one.seen.downs(), [(two.id, 1)]);
    assert_eq!(one.mesh.shared().tasks.len(), 0);
    eventually("the connection is forgotten", || one.connections() == 0).await;
    assert_eq!(one.mesh.peers().len(), 0);
    one.mesh.send(two.id, Lane::Data, small(channel(1), 1));
    assert_eq!(one.seen.dropped(), [(Lane::Data, "no_connection")]);
    one.mesh.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_keep_a_node_from_stopping() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    let identity = authority.client("app");
    let client = Stranger::dial(&node, &identity, Protocol::Client)
        .await
        .unwrap();
    let _streams = client.open(&beat(1).to_bytes().unwrap()).await;
    eventually("the stream is served", || {
        node.seen.clients.lock().unwrap().len() == 1
    })
    .await;
    let began = Instant::now();
    node.mesh.shutdown().await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        client.verdict().await.0,
        tetrarch_wire::frame::CloseCode::Shutdown
    );
    assert_eq!(node.mesh.shared().tasks.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_handle_ends_everything() {
    let (one, two) = pair(&Authority::new("ca")).await;
    let shared = std::sync::Arc::downgrade(one.mesh.shared());
    let seen = std::sync::Arc::downgrade(&one.seen);
    drop(one);
    eventually("the other end knows", || two.seen.downs().len() == 1).await;
    eventually("nothing is left", || {
        shared.strong_count() == 0 && seen.strong_count() == 0
    })
    .await;
}

/// A node that was started again.
fn second_start(
    authority: &Authority,
    first: &TestNode,
    listen: SocketAddr,
    peer: &TestNode,
) -> TestNode {
    let mut plan = Plan::new(&first.name, authority.node(&first.name));
    plan.boot = 2;
    plan.listen = listen;
    plan.peers = vec![peer.address()];
    plan.start()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_restarts_is_back_at_once() {
    let authority = Authority::new("ca");
    let (one, two) = pair(&authority).await;
    let listen = two.mesh.local_addr();
    two.mesh.shutdown().await;
    eventually("it is gone", || one.seen.downs() == [(two.id, 1)]).await;
    eventually("its address is free", || UdpSocket::bind(listen).is_ok()).await;
    let began = Instant::now();
    let second = second_start(&authority, &two, listen, &one);
    connected(&one, &second).await;
    println!("back after {:?}", began.elapsed());
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(one.seen.ups(), [(two.id, 1), (two.id, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_start_takes_the_place_of_an_earlier_one_that_was_not_missed_yet() {
    let authority = Authority::new("ca");
    for (stays, returns) in [("n1", "n2"), ("n2", "n1")] {
        let stays = TestNode::start(&authority, stays);
        let first = TestNode::start(&authority, returns);
        stays.expect(returns);
        first.meet(&stays);
        connected(&stays, &first).await;
        let began = Instant::now();
        let second = second_start(&authority, &first, anywhere(), &stays);
        eventually("the later start is connected", || second.sees(&[&stays])).await;
        println!("replaced after {:?}", began.elapsed());
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
        eventually("the earlier start is cut off", || {
            first.seen.downs().len() == 1
        })
        .await;
        stays.mesh.send(second.id, Lane::Data, small(channel(1), 1));
        second.mesh.send(stays.id, Lane::Data, small(channel(1), 1));
        eventually("frames pass", || {
            stays.seen.frame_count() == 1 && second.seen.frame_count() == 1
        })
        .await;
        // The earlier start keeps trying, and keeps being refused.
        assert_eq!(stays.seen.ups(), [(second.id, 1), (second.id, 2)]);
        assert_eq!(stays.seen.downs(), [(second.id, 1)]);
        assert_eq!(first.seen.frame_count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_comes_back_by_itself() {
    let (one, two) = pair(&Authority::new("ca")).await;
    let link = one
        .mesh
        .shared()
        .seat(two.id)
        .and_then(|seat| seat.link())
        .unwrap();
    let began = Instant::now();
    link.connection.close(quinn::VarInt::from_u32(0), b"lost");
    eventually("it is lost and back", || one.seen.ups().len() == 2).await;
    connected(&one, &two).await;
    println!("reconnected after {:?}", began.elapsed());
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(one.seen.downs(), [(two.id, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_an_earlier_start_is_refused() {
    let authority = Authority::new("ca");
    let node = TestNode::start(&authority, "n1");
    node.expect("n2");
    let identity = authority.node("n2");
    let late = Stranger::dial(&node, &identity, Protocol::Mesh)
        .await
        .unwrap();
    let mut later = hello("n2");
    later.boot = tetrarch_wire::Boot::new(5);
    let _member = late.join(later).await;
    let early = Stranger::dial(&node, &identity, Protocol::Mesh)
        .await
        .unwrap();
    let first = tetrarch_wire::Frame::Hello(hello("n2")).to_bytes().unwrap();
    let _streams = early.open(&first).await;
    let (code, text) = early.verdict().await;
    assert_eq!(code, tetrarch_wire::frame::CloseCode::Duplicate);
    assert_eq!(text, "another connection of this pair is kept");
    assert!(late.connection.close_reason().is_none());
    assert_eq!(node.seen.ups().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_counts_from_the_next_connection_on() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let one = TestNode::start(&old, "n1");
    let client = new.client("app");
    let refused = Stranger::dial(&one, &client, Protocol::Client).await;
    assert!(
        refused.is_err(),
        "the client does not believe in the old authority"
    );
    let before = Stranger::dial(&one, &old.client("app"), Protocol::Client)
        .await
        .unwrap();
    one.mesh.reload(new.node("n1")).unwrap();
    let after = Stranger::dial(&one, &client, Protocol::Client)
        .await
        .unwrap();
    let _streams = after.open(&beat(1).to_bytes().unwrap()).await;
    eventually("the stream is served", || {
        one.seen.clients.lock().unwrap().len() == 1
    })
    .await;
    assert!(
        before.connection.close_reason().is_none(),
        "old connections stay"
    );

    let two = TestNode::start(&new, "n2");
    one.meet(&two);
    two.expect("n1");
    connected(&one, &two).await;

    let foreign = one.mesh.reload(new.node("n2")).unwrap_err();
    assert!(
        matches!(foreign, TransportError::NotThisNode { .. }),
        "{foreign}"
    );
}
