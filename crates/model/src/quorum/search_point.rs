//! A replica asks where its log parts from the leader's, by the shipped [`common_end`], and cuts
//! there.
//!
//! Question, answer and cut are one step. Nothing is lost by that: the replica drops the answer if
//! its log has changed since it asked, and within an epoch the leader's answer to the same
//! question does not change, since only the end of its log grows.

use tetrarch_replica::decide::common_end;
use tetrarch_wire::ReplicaRole;

use super::{
    Log,
    step::{Step, small},
};

impl Step<'_> {
    /// Asks the leader that it follows, if that one leads still.
    pub(crate) fn find(&mut self) {
        let node = &self.node;
        let in_doubt = node.verified < node.log.len();
        let (ReplicaRole::Replica, Some(followed)) = (node.role, node.following) else {
            return;
        };
        let leader = &self.before.nodes[usize::from(followed)];
        let leads = leader.role == ReplicaRole::Leader && leader.promise.n == node.promise.n;
        if !in_doubt || !leads || !node.may_speak() {
            return;
        }
        if let Some(point) = point(leader.log, node.log) {
            self.follow_from(point);
        }
    }
}

/// What the leader's log is told to have in common with that of the replica.
fn point(leaders: Log, own: Log) -> Option<Log> {
    let newest_first: Vec<_> = own.epochs().into_iter().rev().collect();
    let end = common_end(
        &leaders.epochs(),
        Log::default().end(),
        leaders.end().seq,
        own.end().seq,
        &newest_first,
    );
    end.map(|end| leaders.prefix(small(end)))
}
