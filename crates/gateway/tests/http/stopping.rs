//! The end of a gateway.

use std::{sync::Arc, time::Duration};

use tetrarch_gateway::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client::{SOON, connect, get, request, rest},
    node::{Latch, Node, OpenAtEnd, roomy, start},
};

const KEPT: &[u8] = b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n";

/// Reads an answer of a connection that stays open.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"live\n") {
        let mut bytes = [0; 1024];
        let count = timeout(SOON, stream.read(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(count, 0, "the connection was closed");
        seen.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_connection_serves_several_requests_and_is_closed_by_the_stop() {
    let gateway = start(Node::default(), roomy()).await;
    let address = gateway.address();
    let mut kept = connect(address).await;
    for _ in 0..3 {
        kept.write_all(KEPT).await.unwrap();
        assert!(one_answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    }
    timeout(SOON, gateway.stop()).await.unwrap();
    assert_eq!(rest(&mut kept).await, "");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "it still listens"
    );
}

#[tokio::test]
async fn a_request_in_progress_is_answered_before_the_stop_returns() {
    let latch = Arc::new(Latch::default());
    let _end = OpenAtEnd(Arc::clone(&latch));
    let node = Node {
        gate: Some(Arc::clone(&latch)),
        ..Node::default()
    };
    let gateway = start(
        node,
        Limits {
            stop_time: SOON,
            ..roomy()
        },
    )
    .await;
    let mut asking = connect(gateway.address()).await;
    asking
        .write_all(request("GET", "/metrics", "").as_bytes())
        .await
        .unwrap();
    // An answer to a later connection shows that the earlier request was taken up.
    assert_eq!(get(gateway.address(), "/livez").await.status, 200);
    let stopping = tokio::spawn(gateway.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!stopping.is_finished(), "it did not wait for the request");
    latch.open();
    assert!(rest(&mut asking).await.ends_with("# EOF\n"));
    timeout(SOON, stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_takes_too_long_does_not_hold_the_stop() {
    let latch = Arc::new(Latch::default());
    let _end = OpenAtEnd(Arc::clone(&latch));
    let node = Node {
        gate: Some(latch),
        ..Node::default()
    };
    let gateway = start(
        node,
        Limits {
            stop_time: Duration::from_millis(50),
            ..roomy()
        },
    )
    .await;
    let mut asking = connect(gateway.address()).await;
    asking
        .write_all(request("GET", "/metrics", "").as_bytes())
        .await
        .unwrap();
    assert_eq!(get(gateway.address(), "/livez").await.status, 200);
    timeout(SOON, gateway.stop()).await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_is_dropped_leaves_nothing_open() {
    let gateway = start(Node::default(), roomy()).await;
    let address = gateway.address();
    let mut kept = connect(address).await;
    kept.write_all(KEPT).await.unwrap();
    one_answer(&mut kept).await;
    drop(gateway);
    assert_eq!(rest(&mut kept).await, "");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "it still listens"
    );
}
