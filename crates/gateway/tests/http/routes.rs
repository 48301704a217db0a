//! What is answered where.

use serde_json::json;
use tetrarch_gateway::ChannelState;

use crate::{
    client::{get, get_json, request, send},
    node::{Node, channel, reason, roomy, start},
};

#[tokio::test]
async fn a_healthy_node_says_so_in_one_word() {
    let gateway = start(Node::default(), roomy()).await;
    for (path, word) in [
        ("/livez", "live\n"),
        ("/readyz", "ready\n"),
        ("/healthz", "ok\n"),
    ] {
        let answer = get(gateway.address(), path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, word), "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_why_and_what_helps_and_is_still_live() {
    let node = Node {
        not_ready: vec![reason("recovering")],
        ..Node::default()
    };
    let gateway = start(node, roomy()).await;
    assert_eq!(get(gateway.address(), "/livez").await.status, 200);
    let text = get(gateway.address(), "/readyz").await;
    assert_eq!(text.status, 503);
    let expected = "not ready\n\nrecovering: recovering is the matter\n  remedy: wait\n";
    assert_eq!(text.body, expected);
    let answer = get_json(gateway.address(), "/readyz").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (503, Some("application/json"))
    );
    let reasons = json!([
        {"code": "recovering", "what": "recovering is the matter", "remedy": "wait"},
    ]);
    assert_eq!(
        answer.json(),
        json!({"status": "not ready", "reasons": reasons})
    );
    assert_eq!(
        get(gateway.address(), "/readyz?format=json").await.json(),
        answer.json()
    );
}

#[tokio::test]
async fn the_health_of_a_node_has_the_reasons_of_both_probes() {
    let node = Node {
        not_live: vec![reason("store_failed")],
        not_ready: vec![reason("no_peers")],
        ..Node::default()
    };
    let gateway = start(node, roomy()).await;
    assert_eq!(get(gateway.address(), "/livez").await.status, 503);
    let answer = get_json(gateway.address(), "/healthz").await;
    assert_eq!(answer.status, 503);
    let reasons = &answer.json()["reasons"];
    assert_eq!(
        (&reasons[0]["code"], &reasons[1]["code"]),
        (&json!("store_failed"), &json!("no_peers"))
    );
}

#[tokio::test]
async fn a_channel_is_asked_for_by_name_and_catching_up_is_healthy() {
    let behind = ChannelState::CatchingUp {
        events_behind: Some(9),
        seconds_left: None,
    };
    let mut down = channel("down", ChannelState::Unavailable);
    down.reasons.push(reason("no_leader"));
    let channels = vec![
        channel("eu/orders", ChannelState::Serving),
        channel("behind", behind),
        down,
    ];
    let gateway = start(
        Node {
            channels,
            ..Node::default()
        },
        roomy(),
    )
    .await;
    let serving = get_json(gateway.address(), "/healthz?channel=eu%2Forders").await;
    assert_eq!(serving.status, 200);
    assert_eq!(serving.json()["state"], json!("serving"));
    let behind = get_json(gateway.address(), "/healthz?channel=behind").await;
    assert_eq!(
        (behind.status, &behind.json()["events_behind"]),
        (200, &json!(9))
    );
    let down = get(gateway.address(), "/healthz?channel=down").await;
    assert_eq!(down.status, 503);
    assert!(
        down.body.contains("no_leader is the matter"),
        "{}",
        down.body
    );
    let unknown = get_json(gateway.address(), "/healthz?channel=nothing").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(
        unknown.json()["reasons"][0]["code"],
        json!("unknown_channel")
    );
    assert_eq!(get(gateway.address(), "/readyz").await.status, 200);
}

#[tokio::test]
async fn metrics_are_given_as_open_metrics() {
    let gateway = start(Node::default(), roomy()).await;
    let answer = get(gateway.address(), "/metrics").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "# EOF\n"));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_the_paths_that_are() {
    let gateway = start(Node::default(), roomy()).await;
    let answer = get(gateway.address(), "/health").await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.body.contains("there is nothing at /health"),
        "{}",
        answer.body
    );
    assert!(
        answer.body.contains("/healthz?channel=NAME"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn another_method_than_get_is_refused_with_those_that_are_allowed() {
    let gateway = start(Node::default(), roomy()).await;
    let answer = send(gateway.address(), &request("DELETE", "/readyz", "")).await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("get,head"))
    );
    assert!(
        answer.body.contains("/readyz does not take DELETE"),
        "{}",
        answer.body
    );
    let head = send(gateway.address(), &request("HEAD", "/readyz", "")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_mistyped_question_is_not_answered_with_the_health_of_the_node() {
    let gateway = start(Node::default(), roomy()).await;
    for path in [
        "/healthz?chanel=orders",
        "/readyz?channel=orders",
        "/livez?format=xml",
    ] {
        let answer = get_json(gateway.address(), path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(
            answer.json()["reasons"][0]["code"],
            json!("wrong_query"),
            "{path}"
        );
    }
}
