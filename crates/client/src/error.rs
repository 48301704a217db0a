//! What can go wrong for a user of the client. Every variant says what was tried, where, and with
//! which values; its message ends with the next step. All of them can be cloned, because one
//! failure is often the answer to many waiting callers.

use std::{io, sync::Arc, time::Duration};

use tetrarch_wire::{
    DecodeError, NodeId, ProducerEpoch, ProducerSeq, Seq,
    frame::{Refused, RetryReason},
};
use thiserror::Error;

use crate::{
    tls::IdentityError,
    transport::{DialError, RefusedBy},
};

/// The result of a client's operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation of the client failed.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The client's own identity cannot be used.
    #[error(transparent)]
    Identity(#[from] Arc<IdentityError>),
    /// No local socket could be opened.
    #[error("cannot open a UDP socket on {address}: {source}; choose another bind address")]
    Bind {
        /// The local address.
        address: String,
        /// What the operating system says.
        source: Arc<io::Error>,
    },
    /// A node could not be connected to.
    #[error(transparent)]
    Dial(#[from] Arc<DialError>),
    /// No address of any node is known.
    #[error("no node is known; configure at least one seed address as host:port")]
    NoSeeds,
    /// No node has this name.
    #[error("no node is called '{node}'; the mesh has {known}")]
    UnknownNode {
        /// The name that was asked for.
        node: String,
        /// The names that exist.
        known: String,
    },
    /// No channel has this name.
    #[error("node {node} knows no channel '{channel}'; create it or check its name")]
    UnknownChannel {
        /// The name that was asked for.
        channel: String,
        /// Who was asked.
        node: String,
    },
    /// A connection or stream was lost before the answer came.
    #[error("the connection to node {node} was lost during a {what}: {why}; it may be tried again")]
    Lost {
        /// What was going on.
        what: &'static str,
        /// With whom.
        node: String,
        /// What the transport says.
        why: String,
    },
    /// No answer came in time.
    #[error("node {node} did not answer a {what} within {after:?}; it may be tried again")]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// Who was asked.
        node: String,
        /// How long was waited.
        after: Duration,
    },
    /// A node refused.
    #[error("node {node} refused a {what} ({}): {detail}; {}", reason.name(), remedy(*reason))]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Who was asked.
        node: String,
        /// Why it refused.
        reason: RetryReason,
        /// When trying again can help; `None` if it cannot.
        retry_after: Option<Duration>,
        /// Who leads the channel, if the node knows.
        leader: Option<NodeId>,
        /// What the node says.
        detail: String,
    },
    /// A node sent something that the protocol does not allow.
    #[error("node {node} broke the protocol: {why}; check that client and node versions fit")]
    Protocol {
        /// Who.
        node: String,
        /// How.
        why: String,
    },
    /// The events may or may not be in the log.
    #[error(
        "it is not known whether {count} events from producer seq {} are in channel \
         '{channel}': {why}; read the channel to find out",
        first.get()
    )]
    Indeterminate {
        /// The channel.
        channel: String,
        /// Producer seq of the first event.
        first: ProducerSeq,
        /// How many events.
        count: u32,
        /// What happened last.
        why: String,
    },
    /// The events are not in the log: nobody accepted them in time.
    #[error(
        "{count} events were not appended to channel '{channel}' within {after:?}: {why}; \
         send them again later"
    )]
    NotAppended {
        /// The channel.
        channel: String,
        /// How many events.
        count: u32,
        /// How long it was tried.
        after: Duration,
        /// What happened last.
        why: String,
    },
    /// The events are not in the log: the leader's disk is full.
    #[error(
        "channel '{channel}' takes no events: the disk of node {node} is full; free space there \
         or let another node lead"
    )]
    StorageFull {
        /// The channel.
        channel: String,
        /// The leader.
        node: String,
    },
    /// The log misses events that were acknowledged to this producer.
    #[error(
        "channel '{channel}' expects producer seq {} but {} is next; the producer was forgotten \
         or the channel was restored: open a new producer",
        expected.get(), sent.get()
    )]
    OutOfOrder {
        /// The channel.
        channel: String,
        /// What the leader expects.
        expected: ProducerSeq,
        /// What is next here.
        sent: ProducerSeq,
    },
    /// A newer incarnation of this producer exists.
    #[error(
        "producer of channel '{channel}' at epoch {} was replaced by one at epoch {}; stop this one",
        ours.get(), current.get()
    )]
    Fenced {
        /// The channel.
        channel: String,
        /// Our incarnation.
        ours: ProducerEpoch,
        /// The newest one.
        current: ProducerEpoch,
    },
    /// The leader accepts no request of this size.
    #[error("channel '{channel}' accepts at most {limit} bytes a request; send smaller events")]
    TooLarge {
        /// The channel.
        channel: String,
        /// Most bytes.
        limit: u32,
    },
    /// The client may not write to the channel.
    #[error("node {node} denies this client to write to channel '{channel}'; ask for the right")]
    Denied {
        /// The channel.
        channel: String,
        /// Who said so.
        node: String,
    },
    /// An event or name breaks a limit, or what was read is damaged.
    #[error(transparent)]
    Invalid(#[from] DecodeError),
    /// The handle, or what it belongs to, was closed.
    #[error("the {what} was closed")]
    Closed {
        /// What was closed.
        what: &'static str,
    },
    /// What is read now does not continue what was read before.
    #[error(
        "channel '{channel}' on node {node} does not continue what was read before seq {at}: its \
         history was replaced; subscribe anew and compare"
    )]
    Diverged {
        /// The channel.
        channel: String,
        /// Who served it.
        node: String,
        /// The first seq that does not continue.
        at: Seq,
    },
    /// The events that come next were dropped by retention.
    #[error(
        "events {wanted}..{available} of channel '{channel}' are gone; subscribe from {available}"
    )]
    Trimmed {
        /// The channel.
        channel: String,
        /// The seq that came next.
        wanted: Seq,
        /// The first one that is there.
        available: Seq,
    },
}

impl Error {
    /// Whether the same operation can succeed if it is tried again, unchanged.
    #[must_use]
    pub fn can_retry(&self) -> bool {
        match self {
            Self::Dial(error) => !matches!(
                **error,
                DialError::Refused { .. } | DialError::Identity(_) | DialError::Peer { .. }
            ),
            Self::Refused {
                reason,
                retry_after,
                ..
            } => is_passing(*reason) || retry_after.is_some(),
            Self::Lost { .. }
            | Self::Timeout { .. }
            | Self::NotAppended { .. }
            | Self::StorageFull { .. } => true,
            Self::Identity(_)
            | Self::Bind { .. }
            | Self::NoSeeds
            | Self::UnknownNode { .. }
            | Self::UnknownChannel { .. }
            | Self::Protocol { .. }
            | Self::Indeterminate { .. }
            | Self::OutOfOrder { .. }
            | Self::Fenced { .. }
            | Self::TooLarge { .. }
            | Self::Denied { .. }
            | Self::Invalid(_)
            | Self::Closed { .. }
            | Self::Diverged { .. }
            | Self::Trimmed { .. } => false,
        }
    }

    /// How long the node asks to wait before trying again, if it says.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self {
            *retry_after
        } else {
            None
        }
    }

    /// Who leads the channel, if the node that refused knows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        if let Self::Refused { leader, .. } = self {
            *leader
        } else {
            None
        }
    }

    /// Whether a node says that it does not lead.
    pub(crate) fn denies_leading(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                reason: RetryReason::NotLeader | RetryReason::NoLeader | RetryReason::Draining,
                ..
            }
        )
    }

    /// Whether a node says that it does not have the channel: others hold it by now, or it is so new that
    /// this node does not know it yet.
    pub(crate) fn denies_holding(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                reason: RetryReason::UnknownChannel,
                ..
            }
        )
    }

    pub(crate) fn refused(what: &'static str, node: &str, refused: Refused) -> Self {
        Self::Refused {
            what,
            node: node.to_owned(),
            reason: refused.reason,
            retry_after: refused
                .retry_after_ms
                .map(|ms| Duration::from_millis(ms.into())),
            leader: refused.leader,
            detail: refused.detail,
        }
    }

    /// The connection to `node` ended; a refusal of our certificate shows only then.
    pub(crate) fn lost(what: &'static str, node: &str, why: &crate::net::Lost) -> Self {
        if let Some(cause) = &why.connection {
            let refusal = DialError::from_connection(node, cause.clone());
            if let DialError::Refused { by, .. } = &refusal
                && *by == RefusedBy::Peer
            {
                return Self::Dial(Arc::new(refusal));
            }
        }
        Self::Lost {
            what,
            node: node.to_owned(),
            why: why.text.clone(),
        }
    }
}

/// Whether a refusal for this reason passes by itself.
pub(crate) const fn is_passing(reason: RetryReason) -> bool {
    match reason {
        RetryReason::NotLeader
        | RetryReason::NoLeader
        | RetryReason::Draining
        | RetryReason::QueueFull
        | RetryReason::Starting => true,
        RetryReason::UnknownChannel
        | RetryReason::Invalid
        | RetryReason::Denied
        | RetryReason::Internal
        | RetryReason::Exists
        | RetryReason::NoPlacement
        | RetryReason::Diverged => false,
    }
}

const fn remedy(reason: RetryReason) -> &'static str {
    match reason {
        RetryReason::NotLeader => "ask the leader",
        RetryReason::NoLeader => "wait for an election, or ask `tetrarch channel why`",
        RetryReason::Draining => "the leader hands over; try again",
        RetryReason::QueueFull => "send less at once, or try again",
        RetryReason::Starting => "the node has just started; try again",
        RetryReason::UnknownChannel => "create the channel or check its name",
        RetryReason::Invalid => "correct the request",
        RetryReason::Denied => "ask for the right",
        RetryReason::Internal => "see the node's log",
        RetryReason::Exists => "choose another name",
        RetryReason::NoPlacement => "add nodes, or ask for fewer replicas",
        RetryReason::Diverged => {
            "subscribe anew and compare: other events took the place of those read before"
        }
    }
}
