//! Votes and handovers (protocol §7, §13).

use serde::{Deserialize, Serialize};

use super::structure::always_valid;
use crate::{Epoch, LogPosition, Seq, VoterId};

/// What a vote is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VoteKind {
    /// "Would you?": nothing is persisted, nobody steps down.
    Pre,
    /// A vote: persisted before it is given.
    Vote,
    /// A vote in a handover that the leader ordered: given although that leader is alive.
    Transfer,
}

/// A candidate asks for a vote. The frame's epoch is the one it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRequest {
    /// What is asked.
    pub kind: VoteKind,
    /// Who asks.
    pub candidate: VoterId,
    /// The durable end of its log.
    pub last: LogPosition,
    /// Where its configuration was written.
    pub config_seq: Seq,
}

/// Why a vote is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefusalReason {
    /// A higher epoch is known.
    Stale,
    /// The vote of this epoch went to another.
    Voted,
    /// The candidate's log is behind.
    Log,
    /// A live leader is heard.
    LeaderAlive,
    /// The voter may have lost what it acknowledged and does not vote.
    Limbo,
    /// One of the two does not vote in this channel.
    NotVoter,
    /// Another node outranks the candidate.
    Rank,
}

/// The answer to a vote request. The frame's epoch is the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteResponse {
    /// What was asked.
    pub kind: VoteKind,
    /// Who answers.
    pub voter: VoterId,
    /// `None` if the vote is given.
    pub refusal: Option<RefusalReason>,
    /// The highest epoch that the voter has seen.
    pub epoch_seen: Epoch,
    /// The durable end of the voter's log.
    pub last: LogPosition,
    /// Who it believes to lead.
    pub leader: Option<VoterId>,
    /// Which voters it hears, by their place in the configuration.
    pub heard: u16,
}

/// The leader asks a replica to get ready to take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferPrepare {
    /// What the replica must hold durably.
    pub must_have: Seq,
}

/// The leader tells a replica to stand now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferNow {
    /// What the replica must hold durably.
    pub must_have: Seq,
}

always_valid!(VoteRequest, VoteResponse, TransferPrepare, TransferNow);
