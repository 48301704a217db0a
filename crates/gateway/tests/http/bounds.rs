//! What strangers and a stuck node cannot do.

use std::{sync::Arc, time::Duration};

use tetrarch_gateway::{Gateway, GatewayError, Limits};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::{
    client::{connect, get, request, rest, send},
    node::{Latch, Node, OpenAtEnd, roomy, start},
};

#[tokio::test]
async fn a_body_is_refused_unread() {
    let gateway = start(Node::default(), roomy()).await;
    for length in [
        "Content-Length: 4000000000\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let answer = send(gateway.address(), &request("GET", "/livez", length)).await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (413, Some("close")),
            "{length}"
        );
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let gateway = start(Node::default(), roomy()).await;
    let filler = format!(
        "X-Filler: {}\r\n",
        "x".repeat(2 * Limits::default().head_bytes)
    );
    let answer = send(gateway.address(), &request("GET", "/livez", &filler)).await;
    assert_eq!(answer.status, 431);
    assert_eq!(get(gateway.address(), "/livez").await.status, 200);
}

#[tokio::test]
async fn what_is_no_http_gets_one_answer_and_the_connection_is_closed() {
    let gateway = start(Node::default(), roomy()).await;
    assert_eq!(
        send(gateway.address(), "\0\x01\x02 nonsense\r\n\r\n")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let limits = Limits {
        head_time: Duration::from_millis(100),
        ..roomy()
    };
    let gateway = start(Node::default(), limits).await;
    let mut slow = connect(gateway.address()).await;
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    let answer = rest(&mut slow).await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn a_connection_has_an_end_even_if_it_is_used() {
    let limits = Limits {
        connection_time: Duration::from_millis(100),
        ..roomy()
    };
    let gateway = start(Node::default(), limits).await;
    let mut kept = connect(gateway.address()).await;
    kept.write_all(b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let limits = Limits {
        connections: 1,
        ..roomy()
    };
    let gateway = start(Node::default(), limits).await;
    let idle = connect(gateway.address()).await;
    let address = gateway.address();
    let mut waiting = tokio::spawn(async move { get(address, "/livez").await });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(
        early.is_err(),
        "it was answered although another connection was open"
    );
    drop(idle);
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_node_that_is_stuck_is_told_apart_from_one_that_is_not_ready() {
    let latch = Arc::new(Latch::default());
    let _end = OpenAtEnd(Arc::clone(&latch));
    let node = Node {
        gate: Some(latch),
        ..Node::default()
    };
    let limits = Limits {
        answer_time: Duration::from_millis(100),
        questions: 2,
        ..roomy()
    };
    let gateway = start(node, limits).await;
    assert_eq!(get(gateway.address(), "/livez").await.status, 200);
    for _ in 0..2 {
        let answer = get(gateway.address(), "/readyz").await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("no_answer"), "{}", answer.body);
    }
    // Both questions are still open, so none is left for a node that answers nothing.
    assert_eq!(get(gateway.address(), "/livez").await.status, 503);
}

#[tokio::test]
async fn a_failure_of_the_node_is_an_answer_too() {
    let gateway = start(
        Node {
            panics: true,
            ..Node::default()
        },
        roomy(),
    )
    .await;
    let answer = get(gateway.address(), "/readyz").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("internal"), "{}", answer.body);
    assert_eq!(get(gateway.address(), "/livez").await.status, 200);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Gateway::bind(address, Arc::new(Node::default()), roomy())
        .await
        .unwrap_err();
    assert!(matches!(error, GatewayError::Listen { .. }));
    let words = error.to_string();
    assert!(
        words.contains(&address.to_string()) && words.contains("in use"),
        "{words}"
    );
}
