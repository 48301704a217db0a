//! A validated change of role, and the only holder of a role that can be changed by one.

use tetrarch_wire::ReplicaRole;
use thiserror::Error;

use crate::{TransitionSignal, Verdict, verdict};

/// A change of role that exists in the table. It can only be made by [`StateTransition::apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateTransition {
    from: ReplicaRole,
    to: ReplicaRole,
    signal: TransitionSignal,
}

/// A change of role that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum StateTransitionError {
    /// No signal leads from the one role to the other.
    #[error("no signal leads from {from} to {to}")]
    InvalidPair {
        /// The role before.
        from: ReplicaRole,
        /// The role that was wanted.
        to: ReplicaRole,
    },
    /// Some signal does, but not this one.
    #[error("{signal} does not lead from {from} to {to}")]
    SignalMismatch {
        /// The role before.
        from: ReplicaRole,
        /// The role that was wanted.
        to: ReplicaRole,
        /// The signal that was given.
        signal: TransitionSignal,
    },
}

impl StateTransition {
    /// Validates a change of role. Total and pure: every triple gives a transition or an error.
    ///
    /// # Errors
    /// If the table does not hold the triple.
    pub fn apply(
        from: ReplicaRole,
        to: ReplicaRole,
        signal: TransitionSignal,
    ) -> Result<Self, StateTransitionError> {
        match verdict(from, to, signal) {
            Verdict::Legal => Ok(Self { from, to, signal }),
            Verdict::SignalMismatch => {
                Err(StateTransitionError::SignalMismatch { from, to, signal })
            }
            Verdict::InvalidPair => Err(StateTransitionError::InvalidPair { from, to }),
        }
    }

    /// The role before.
    #[must_use]
    pub const fn from(&self) -> ReplicaRole {
        self.from
    }

    /// The role after.
    #[must_use]
    pub const fn to(&self) -> ReplicaRole {
        self.to
    }

    /// What drove the change.
    #[must_use]
    pub const fn signal(&self) -> TransitionSignal {
        self.signal
    }
}

/// A node's current role in one channel. It starts Idle and is changed only by consuming a
/// [`StateTransition`] that begins where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Role(ReplicaRole);

impl Role {
    /// The role after a start (protocol §4 rule b).
    #[must_use]
    pub const fn new() -> Self {
        Self(ReplicaRole::Idle)
    }

    /// The role now.
    #[must_use]
    pub const fn get(&self) -> ReplicaRole {
        self.0
    }

    /// Changes the role.
    ///
    /// # Errors
    /// If the transition begins at another role than the current one; nothing changes then.
    pub fn change(&mut self, transition: StateTransition) -> Result<(), StateTransitionError> {
        if transition.from != self.0 {
            return Err(StateTransitionError::InvalidPair {
                from: self.0,
                to: transition.to,
            });
        }
        self.0 = transition.to;
        Ok(())
    }
}

impl Default for Role {
    fn default() -> Self {
        Self::new()
    }
}
