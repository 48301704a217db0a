//! What the gateway asks a node.

use serde::Serialize;

/// A node, as its probes see it. Every method answers from what the node knows and must not wait
/// for the network or the disk; one that is stuck nevertheless is given up after a while, and only
/// its request fails.
pub trait NodeHealth: Send + Sync + 'static {
    /// Whether the process does its work. Reasons against it are such that only a new start of the
    /// process helps; anything else belongs into [`Self::ready`].
    ///
    /// # Errors
    /// What is wrong.
    fn live(&self) -> Result<(), Vec<Reason>>;

    /// Whether the node takes work: connected, recovered, with a store that writes. The state of a
    /// single channel is no reason against it.
    ///
    /// # Errors
    /// What is missing.
    fn ready(&self) -> Result<(), Vec<Reason>>;

    /// How a channel is on this node; `None` if the node does not hold one of that name.
    fn channel_health(&self, name: &str) -> Option<ChannelHealth>;

    /// All measurements in the OpenMetrics text format.
    fn metrics(&self) -> String;
}

/// Why something is not as it should be, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A fixed word, for programs.
    pub code: &'static str,
    /// What is the matter, with the values at hand; for people.
    pub what: String,
    /// What helps; for people.
    pub remedy: String,
}

/// How a channel is on one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelHealth {
    /// Its name.
    pub channel: String,
    /// What it can do.
    #[serde(flatten)]
    pub state: ChannelState,
    /// The node's role in it.
    pub role: &'static str,
    /// The node that leads, as far as the asked node knows.
    pub leader: Option<String>,
    /// What is not as it should be.
    #[serde(skip)]
    pub reasons: Vec<Reason>,
}

/// What a channel can do on one node.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChannelState {
    /// All that the node's role asks for.
    Serving,
    /// It is behind and comes nearer. That is healthy: a node that is stopped for it would be
    /// further behind afterwards.
    CatchingUp {
        /// How far behind, if that is known.
        events_behind: Option<u64>,
        /// How long it will take, if that can be told.
        seconds_left: Option<u64>,
    },
    /// Nothing, for now.
    Unavailable,
}
