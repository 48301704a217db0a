//! The change of a role, by the shipped table.

use tetrarch_fsm::{StateTransition, TransitionSignal};
use tetrarch_wire::ReplicaRole;

use crate::Coverage;

/// What becomes of a role. The only way in which a model changes one.
pub(crate) fn changed(
    from: ReplicaRole,
    to: ReplicaRole,
    signal: TransitionSignal,
    coverage: &Coverage,
) -> ReplicaRole {
    let transition = StateTransition::apply(from, to, signal)
        .expect("a model changes roles only as the table allows (I1)");
    coverage.took(&transition);
    transition.to()
}
