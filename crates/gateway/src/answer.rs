//! Answers: the same facts as lines for people or as JSON for programs.

use std::fmt::Write as _;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::health::{ChannelHealth, ChannelState, Reason};

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Lines for people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Format {
    /// What the request prefers: the address before the header, and text unless JSON is named.
    pub(crate) fn wanted(asked: Option<Self>, headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let names_json = accepted
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("application/json"));
        asked.unwrap_or(if names_json { Self::Json } else { Self::Text })
    }
}

/// An answer before it is written.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Answer {
    #[serde(skip)]
    code: StatusCode,
    /// The answer in one word.
    status: &'static str,
    #[serde(flatten)]
    facts: Map<String, Value>,
    reasons: Vec<Reason>,
}

impl Answer {
    /// All is well, in this word.
    pub(crate) fn good(status: &'static str) -> Self {
        Self::new(StatusCode::OK, status, Vec::new())
    }

    /// Something is not, in this word and for these reasons.
    pub(crate) fn bad(code: StatusCode, status: &'static str, reasons: Vec<Reason>) -> Self {
        Self::new(code, status, reasons)
    }

    /// The request cannot be answered.
    pub(crate) fn refused(code: StatusCode, reason: Reason) -> Self {
        Self::new(code, "refused", vec![reason])
    }

    /// How a channel is.
    pub(crate) fn channel(health: ChannelHealth) -> Self {
        let (code, status) = match health.state {
            ChannelState::Serving => (StatusCode::OK, "ok"),
            ChannelState::CatchingUp { .. } => (StatusCode::OK, "catching up"),
            ChannelState::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let facts = match serde_json::to_value(&health) {
            Ok(Value::Object(facts)) => facts,
            _ => Map::new(),
        };
        Self {
            facts,
            ..Self::new(code, status, health.reasons)
        }
    }

    fn new(code: StatusCode, status: &'static str, reasons: Vec<Reason>) -> Self {
        Self {
            code,
            status,
            facts: Map::new(),
            reasons,
        }
    }

    /// Writes the answer down.
    pub(crate) fn write(&self, format: Format) -> Response {
        let (kind, body) = match format {
            Format::Text => ("text/plain; charset=utf-8", self.text()),
            Format::Json => ("application/json", self.json()),
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (self.code, headers, body).into_response()
    }

    fn json(&self) -> String {
        // Nothing in an answer can fail to be written; if it did, the status still tells.
        serde_json::to_string(self)
            .map(|line| line + "\n")
            .unwrap_or_default()
    }

    fn text(&self) -> String {
        let mut out = format!("{}\n", self.status);
        for (name, value) in &self.facts {
            let name = name.replace('_', " ");
            match value {
                Value::Null => out += &format!("{name}: unknown\n"),
                Value::String(text) => out += &format!("{name}: {text}\n"),
                other => out += &format!("{name}: {other}\n"),
            }
        }
        for Reason { code, what, remedy } in &self.reasons {
            let written = write!(out, "\n{code}: {what}\n  remedy: {remedy}\n");
            debug_assert!(written.is_ok(), "a string takes everything");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> Reason {
        Reason {
            code: "disk_full",
            what: "0 bytes free".into(),
            remedy: "make room".into(),
        }
    }

    fn format(asked: Option<Format>, accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        Format::wanted(asked, &headers)
    }

    #[test]
    fn json_is_for_who_asks_for_it() {
        assert_eq!(format(None, "*/*"), Format::Text);
        assert_eq!(
            format(None, "text/html, application/json;q=0.9"),
            Format::Json
        );
        assert_eq!(format(Some(Format::Text), "application/json"), Format::Text);
        assert_eq!(Format::wanted(None, &HeaderMap::new()), Format::Text);
    }

    #[test]
    fn text_and_json_hold_the_same_facts() {
        let answer = Answer::channel(ChannelHealth {
            channel: "orders".into(),
            state: ChannelState::CatchingUp {
                events_behind: Some(12),
                seconds_left: None,
            },
            role: "Replica",
            leader: Some("n1".into()),
            reasons: vec![reason()],
        });
        assert_eq!(answer.code, StatusCode::OK);
        assert_eq!(
            serde_json::from_str::<Value>(&answer.json()).unwrap(),
            serde_json::json!({
                "status": "catching up",
                "channel": "orders",
                "state": "catching_up",
                "events_behind": 12,
                "seconds_left": null,
                "role": "Replica",
                "leader": "n1",
                "reasons": [
                    {"code": "disk_full", "what": "0 bytes free", "remedy": "make room"},
                ],
            })
        );
        let text = answer.text();
        for line in [
            "catching up\n",
            "\nchannel: orders\n",
            "\nevents behind: 12\n",
            "\nseconds left: unknown\n",
            "\nleader: n1\n",
            "\ndisk_full: 0 bytes free\n  remedy: make room\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
    }
}
