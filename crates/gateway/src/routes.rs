//! Which path is answered by what.

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;

use crate::{
    answer::{Answer, Format},
    gate::Gate,
    health::Reason,
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PATHS: &str = "/livez, /readyz, /healthz, /healthz?channel=NAME and /metrics";

/// All routes.
pub(crate) fn router(gate: Gate) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(refuse_bodies))
        .with_state(gate)
}

/// What a probe may ask for. Anything else is refused: a mistyped `channel` must not be answered
/// with the health of the node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeQuery {
    format: Option<Format>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthQuery {
    format: Option<Format>,
    channel: Option<String>,
}

async fn live(
    State(gate): State<Gate>,
    headers: HeaderMap,
    query: Result<Query<NodeQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return wrong_query(&headers, &rejection),
    };
    let answer = gate.ask(|node| node.live()).await.map(|live| match live {
        Ok(()) => Answer::good("live"),
        Err(reasons) => Answer::bad(StatusCode::SERVICE_UNAVAILABLE, "not live", reasons),
    });
    write(answer, query.format, &headers)
}

async fn ready(
    State(gate): State<Gate>,
    headers: HeaderMap,
    query: Result<Query<NodeQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return wrong_query(&headers, &rejection),
    };
    let answer = gate
        .ask(|node| node.ready())
        .await
        .map(|ready| match ready {
            Ok(()) => Answer::good("ready"),
            Err(reasons) => Answer::bad(StatusCode::SERVICE_UNAVAILABLE, "not ready", reasons),
        });
    write(answer, query.format, &headers)
}

async fn health(
    State(gate): State<Gate>,
    headers: HeaderMap,
    query: Result<Query<HealthQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return wrong_query(&headers, &rejection),
    };
    let answer = match query.channel {
        Some(name) => channel_health(&gate, name).await,
        None => node_health(&gate).await,
    };
    write(answer, query.format, &headers)
}

async fn node_health(gate: &Gate) -> Result<Answer, Answer> {
    let (live, ready) = gate.ask(|node| (node.live(), node.ready())).await?;
    let reasons: Vec<Reason> = [live, ready]
        .into_iter()
        .filter_map(Result::err)
        .flatten()
        .collect();
    if reasons.is_empty() {
        return Ok(Answer::good("ok"));
    }
    Ok(Answer::bad(
        StatusCode::SERVICE_UNAVAILABLE,
        "not ok",
        reasons,
    ))
}

async fn channel_health(gate: &Gate, name: String) -> Result<Answer, Answer> {
    let asked = name.clone();
    let found = gate.ask(move |node| node.channel_health(&asked)).await?;
    found
        .map(Answer::channel)
        .ok_or_else(|| unknown_channel(&name))
}

fn unknown_channel(name: &str) -> Answer {
    let reason = Reason {
        code: "unknown_channel",
        what: format!("this node holds no channel named {name:?}"),
        remedy: "check the name, or ask a node that holds it: `tetrarch channel list`".to_owned(),
    };
    Answer::refused(StatusCode::NOT_FOUND, reason)
}

async fn metrics(State(gate): State<Gate>, headers: HeaderMap) -> Response {
    match gate.ask(|node| node.metrics()).await {
        Ok(text) => {
            let kind = HeaderValue::from_static(OPEN_METRICS);
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(answer) => answer.write(Format::wanted(None, &headers)),
    }
}

async fn unknown_path(headers: HeaderMap, uri: Uri) -> Response {
    let reason = Reason {
        code: "unknown_path",
        what: format!("there is nothing at {}", uri.path()),
        remedy: format!("ask for {PATHS}"),
    };
    Answer::refused(StatusCode::NOT_FOUND, reason).write(Format::wanted(None, &headers))
}

async fn wrong_method(headers: HeaderMap, method: Method, uri: Uri) -> Response {
    let reason = Reason {
        code: "wrong_method",
        what: format!("{} does not take {method}", uri.path()),
        remedy: "use GET".to_owned(),
    };
    Answer::refused(StatusCode::METHOD_NOT_ALLOWED, reason).write(Format::wanted(None, &headers))
}

fn wrong_query(headers: &HeaderMap, rejection: &QueryRejection) -> Response {
    let reason = Reason {
        code: "wrong_query",
        what: rejection.body_text(),
        remedy: format!("ask for {PATHS}, each with format=text or format=json"),
    };
    Answer::refused(StatusCode::BAD_REQUEST, reason).write(Format::wanted(None, headers))
}

/// Nothing here takes a body, so none is read.
async fn refuse_bodies(request: Request<Body>, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let reason = Reason {
        code: "body_refused",
        what: "the request has a body, and nothing here takes one".to_owned(),
        remedy: "send the request without a body".to_owned(),
    };
    let answer = Answer::refused(StatusCode::PAYLOAD_TOO_LARGE, reason);
    let mut response = answer.write(Format::wanted(None, request.headers()));
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn write(answer: Result<Answer, Answer>, format: Option<Format>, headers: &HeaderMap) -> Response {
    let (Ok(answer) | Err(answer)) = answer;
    answer.write(Format::wanted(format, headers))
}
