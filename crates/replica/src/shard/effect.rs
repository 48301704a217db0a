//! What a shard needs for a turn, and what comes of it.

use tetrarch_wire::ChannelUid;

use crate::{Chance, Effect, Now, beat::LocalChannel};

/// Something to be carried out, in order.
#[derive(Clone, Debug)]
pub enum ShardEffect {
    /// The beats are to be told how a channel stands. What follows must not leave before: a vote
    /// whose epoch the beats do not know yet would let the old leader be confirmed (protocol §5, the
    /// refused rows of an acknowledgement).
    Stamp(LocalChannel),
    /// What a channel's replica wants done.
    Replica(ChannelUid, Effect),
}

/// What a turn may use: the time, chance, and a place for its effects.
pub struct Turn<'a> {
    /// The time of the turn.
    pub now: Now,
    /// Randomness.
    pub chance: &'a mut dyn Chance,
    /// Effects, in the order in which they are to be carried out.
    pub effects: &'a mut Vec<ShardEffect>,
}
