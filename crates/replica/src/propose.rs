//! What the node itself wants a leader to append.

use tetrarch_mutant::{Mutant, planted};
use tetrarch_wire::{Seq, batch::Control};

use crate::{Proposal, Replica};

impl Replica {
    /// Takes a proposal up if this node leads; else it is dropped, and made again by whoever does.
    pub(crate) fn on_propose(&mut self, proposal: Proposal) {
        match proposal {
            Proposal::Trim { upto } => self.propose_trim(upto),
        }
    }

    /// How far all nodes that are to vote and are connected hold this leader's log; `None` if there are none.
    fn held_by_learners(&self) -> Option<Seq> {
        let followers = self.leadership.iter().flat_map(|l| l.followers.iter());
        let learners = followers.filter(|(id, one)| {
            let is_wanted = self.members.set.is_some() && self.is_to_stay(**id);
            one.connected && is_wanted && !self.config().contains(**id)
        });
        learners.map(|(_, learner)| learner.acked).min()
    }

    /// Only what is committed and durable on *all* voters may go, so that no voter is ever left
    /// with a gap (protocol §9.4). Nor is a node that is on its way to a vote, as long as it is there.
    fn propose_trim(&mut self, upto: Seq) {
        let everywhere = if planted(Mutant::TrimWhatAVoterLacks) {
            self.durable_by_voter().into_iter().max()
        } else {
            self.durable_by_voter().into_iter().min()
        };
        let upto = upto.min(self.commit).min(everywhere.unwrap_or(Seq::ZERO));
        let upto = upto.min(self.held_by_learners().unwrap_or(upto));
        let known = self.controls.trim_point();
        if upto <= known.max(self.log.start().seq) {
            return;
        }
        // One at a time: whoever wants more asks again, and what is asked while the disk or a
        // majority stands still does not pile up.
        if let Some(leadership) = &mut self.leadership
            && leadership.transfer.is_none()
            && !leadership.staging.has_trim_point()
            && !self.controls.is_trim_under_way()
        {
            let trim = Control::TrimPoint { upto };
            leadership.staging.push_control(trim);
        }
    }
}
