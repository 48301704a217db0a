//! Changes of role: the unit in which a mesh is understood. Each is one count under (from, to,
//! signal) and one structured event of the log.

use std::fmt;

use tetrarch_fsm::{LEGAL_TRANSITIONS, StateTransitionError};
use tetrarch_replica::RoleChange;
use tetrarch_wire::ReplicaRole;

use super::{
    cell::{Count, Each, Words},
    labels::{ElectionOutcome, Label as _},
    page::{Page, Show},
    table,
};

/// From, to, signal and reason of a transition that does not exist.
type Rejection = (&'static str, &'static str, &'static str, &'static str);

/// What happened to roles on this node.
#[derive(Debug, Default)]
pub(super) struct Roles {
    transitions: [Count; LEGAL_TRANSITIONS.len()],
    rejected: Words<Rejection>,
    elections: Each<ElectionOutcome, Count>,
}

impl Roles {
    /// Closing what is idle changes nothing, and so it is neither counted nor told.
    pub(super) fn transition(&self, channel: &str, change: &RoleChange) {
        let transition = &change.transition;
        let triple = (transition.from(), transition.to(), transition.signal());
        if triple.0 == ReplicaRole::Idle && triple.1 == ReplicaRole::Idle {
            return;
        }
        for (legal, count) in LEGAL_TRANSITIONS.iter().zip(&self.transitions) {
            if *legal == triple {
                count.add(1);
            }
        }
        if let Some(outcome) = ElectionOutcome::of(transition) {
            self.elections.of(outcome).add(1);
        }
        tracing::info!(
            target: "tetrarch::role",
            channel,
            from = transition.from().name(),
            to = transition.to().name(),
            signal = transition.signal().name(),
            epoch = %change.epoch,
            reason = change.reason,
            tail = change.tail.seq.get(),
            durable = change.durable.get(),
            commit = change.commit.get(),
            "role changed"
        );
    }

    pub(super) fn rejected(&self, channel: &str, error: &StateTransitionError) {
        let rejection = rejection(error);
        self.rejected.count(rejection);
        let (from, to, signal, reason) = rejection;
        tracing::error!(
            target: "tetrarch::role",
            channel,
            from,
            to,
            signal,
            reason,
            "a change of role was attempted that does not exist"
        );
    }
}

const fn rejection(error: &StateTransitionError) -> Rejection {
    match error {
        StateTransitionError::InvalidPair { from, to } => {
            (from.name(), to.name(), "any", "invalid_pair")
        }
        StateTransitionError::SignalMismatch { from, to, signal } => {
            (from.name(), to.name(), signal.name(), "signal_mismatch")
        }
    }
}

impl Show for Roles {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric(&table::TRANSITIONS, |series| {
            let mut cells = LEGAL_TRANSITIONS.iter().zip(&self.transitions);
            cells.try_for_each(|((from, to, signal), count)| {
                series.counter(&[from.name(), to.name(), signal.name()], count.get())
            })
        })?;
        page.metric(&table::TRANSITIONS_REJECTED, |series| {
            let rejected = self.rejected.snapshot();
            rejected
                .into_iter()
                .try_for_each(|((from, to, signal, reason), count)| {
                    series.counter(&[from, to, signal, reason], count)
                })
        })?;
        page.metric(&table::ELECTIONS, |series| {
            let mut outcomes = self.elections.iter();
            outcomes.try_for_each(|(outcome, count)| series.counter(&[outcome.name()], count.get()))
        })
    }
}
