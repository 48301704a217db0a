//! One connection to a peer that stands, as everybody who has to do with it sees it: who is at the
//! other end, how often it broke a rule, and whether it is about to leave.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use quinn::{Connection, VarInt};
use tetrarch_client::transport::ReceiveError;
use tetrarch_wire::{frame::CloseCode, limits};
use tokio::sync::watch;

use super::{duel::Claim, inbound::Peer, outbox::LinkNumber};

/// How many broken rules end a connection.
const STRIKES: u32 = 3;

/// Why a connection ends although it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Another connection to the same start of the peer stays. What is on its way arrives first.
    Replaced,
    /// A later start of the peer is connected.
    Superseded,
    /// The peer finished its control stream: it is about to close.
    PeerLeaves,
    /// The peer said goodbye and then finished its control stream, the last of its streams. It
    /// waits until everything is read.
    PeerStops,
    /// This node stops.
    Shutdown,
    /// The peer broke the rules.
    Cause {
        /// Which.
        code: CloseCode,
        /// For people.
        detail: String,
    },
}

impl Leave {
    /// What the peer is told: the code and the words.
    pub(super) fn notice(&self) -> (CloseCode, &str) {
        match self {
            Self::Replaced => (
                CloseCode::Duplicate,
                "the other connection of this pair is kept",
            ),
            Self::Superseded => (
                CloseCode::Duplicate,
                "a later start of this node is connected",
            ),
            Self::PeerLeaves => (CloseCode::Normal, "the peer finished its control stream"),
            Self::PeerStops => (CloseCode::Normal, "the peer stops, and everything is read"),
            Self::Shutdown => (CloseCode::Shutdown, "the node stops"),
            Self::Cause { code, detail } => (*code, detail),
        }
    }
}

/// A connection to a peer.
#[derive(Debug)]
pub(super) struct Link {
    /// Its number in this process.
    pub(super) number: LinkNumber,
    /// The QUIC connection.
    pub(super) connection: Connection,
    /// The other end.
    pub(super) peer: Arc<Peer>,
    /// What counts when another connection to the peer appears.
    pub(super) claim: Claim,
    strikes: AtomicU32,
    said_goodbye: AtomicBool,
    leave: watch::Sender<Option<Leave>>,
}

impl Link {
    /// A connection whose two ends know each other.
    pub(super) fn new(
        number: LinkNumber,
        connection: Connection,
        peer: Arc<Peer>,
        claim: Claim,
    ) -> Self {
        Self {
            number,
            connection,
            peer,
            claim,
            strikes: AtomicU32::new(0),
            said_goodbye: AtomicBool::new(false),
            leave: watch::Sender::new(None),
        }
    }

    /// Makes the connection end. Only the first reason counts.
    pub(super) fn leave(&self, why: Leave) {
        self.leave.send_if_modified(|leave| {
            let first = leave.is_none();
            if first {
                *leave = Some(why);
            }
            first
        });
    }

    /// The peer said goodbye.
    pub(super) fn note_goodbye(&self) {
        self.said_goodbye.store(true, Ordering::Release);
    }

    /// The peer finished its control stream.
    pub(super) fn control_ended(&self) {
        let stops = self.said_goodbye.load(Ordering::Acquire);
        self.leave(if stops {
            Leave::PeerStops
        } else {
            Leave::PeerLeaves
        });
    }

    /// Waits until the connection is to end.
    pub(super) async fn leaving(&self) -> Leave {
        let mut leave = self.leave.subscribe();
        let why = leave.wait_for(Option::is_some).await;
        // The sender lives as long as `self`, so waiting does not fail.
        why.ok()
            .and_then(|why| why.clone())
            .unwrap_or(Leave::Shutdown)
    }

    /// The peer broke a rule that leaves the connection usable. The third time ends it.
    pub(super) fn strike(&self, code: CloseCode, detail: String) {
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(peer = %self.peer.name, strikes, code = code.name(), detail, "rule broken");
        if strikes >= STRIKES {
            self.leave(Leave::Cause { code, detail });
        }
    }
}

/// Closes a connection with a code and as many of the words as a peer accepts.
pub(super) fn close(connection: &Connection, code: CloseCode, detail: &str) {
    connection.close(VarInt::from_u32(code as u32), clip(detail).as_bytes());
}

/// The code that a peer closed with.
pub(super) fn close_code(code: VarInt) -> Option<CloseCode> {
    let mut known = CloseCode::ALL.into_iter();
    known.find(|known| *known as u64 == code.into_inner())
}

/// The code for a stream that cannot be read any further; `None` if nobody broke a rule.
pub(super) fn code_of(error: &ReceiveError) -> Option<CloseCode> {
    match error {
        ReceiveError::Malformed(_) | ReceiveError::CutShort | ReceiveError::Reset { .. } => {
            Some(CloseCode::Malformed)
        }
        ReceiveError::TooSlow { .. } => Some(CloseCode::Timeout),
        ReceiveError::Closed | ReceiveError::Lost(_) => None,
    }
}

/// As much of a text as may cross a connection.
pub(super) fn clip(text: &str) -> &str {
    let mut end = text.len().min(limits::MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_survives_quic() {
        for code in CloseCode::ALL {
            assert_eq!(close_code(VarInt::from_u32(code as u32)), Some(code));
        }
        assert_eq!(close_code(VarInt::from_u32(99)), None);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(clip("short"), "short");
        let long = "ü".repeat(limits::MAX_TEXT_BYTES);
        assert_eq!(clip(&long).len(), limits::MAX_TEXT_BYTES);
        assert_eq!(clip(&format!("x{long}")).len(), limits::MAX_TEXT_BYTES - 1);
    }
}
