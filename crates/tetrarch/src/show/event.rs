//! An event.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use tetrarch_client::Delivered;

/// An event with its place; what is not text is in base64, under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventShown<'a> {
    channel: &'a str,
    seq: u64,
    epoch: u64,
    ts_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

impl<'a> EventShown<'a> {
    /// Shows an event of a channel.
    #[must_use]
    pub fn new(channel: &'a str, delivered: &'a Delivered) -> Self {
        let (key, key_base64) = delivered
            .event
            .key
            .as_deref()
            .map_or((None, None), text_or_base64);
        let (payload, payload_base64) = text_or_base64(&delivered.event.payload);
        Self {
            channel,
            seq: delivered.seq.get(),
            epoch: delivered.epoch.n,
            ts_ms: delivered.ts_ms,
            key,
            key_base64,
            payload,
            payload_base64,
        }
    }
}

fn text_or_base64(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;
    use tetrarch_wire::{Epoch, Event, Seq, VoterId};

    fn shown(payload: &'static [u8]) -> serde_json::Value {
        let delivered = Delivered {
            seq: Seq::new(7),
            epoch: Epoch::new(2, VoterId::NONE),
            ts_ms: 9,
            event: Event::new(Bytes::from_static(payload)),
        };
        serde_json::to_value(EventShown::new("c", &delivered)).unwrap()
    }

    #[test]
    fn text_is_shown_as_it_is_and_everything_else_in_base64() {
        let expected = json!({"channel": "c", "seq": 7, "epoch": 2, "ts_ms": 9, "payload": "hé"});
        assert_eq!(shown("hé".as_bytes()), expected);
        let bytes = shown(&[0xff, 0]);
        assert_eq!(bytes["payload_base64"], "/wA=");
        assert!(bytes.get("payload").is_none());
    }
}
