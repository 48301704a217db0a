//! A leader brings the configuration to what the catalog wants: one voter is added or taken out at a
//! time, each step once the one before is committed and the leader has committed a batch of its own
//! epoch (Ongaro 2014 §4.1, and the correction of 2015 to it).

use tetrarch_wire::{ChannelConfig, Voter, VoterId, batch::Control, limits};

use super::ReplicaSet;
use crate::{Context, Effect, Moment, Replica, replication::Follower};

/// For so many heartbeats the catalog is given to write down that a change is complete, and a
/// successor to take over, before that is tried again.
const PATIENCE: u32 = 10;
/// A learner is ready when it takes at most so many heartbeats to receive what there was when they
/// began (Ongaro 2014 §4.2.1).
const ROUND: u32 = 2;

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A learner holds nearly everything and votes from now on, or a voter is not wanted any more.
    Configure(ChannelConfig),
    /// This leader itself is not, and nobody else is left to be taken out.
    HandOver(VoterId),
    /// The voters are the wanted ones of this version, and the catalog does not know it yet.
    Report(u64),
    /// Somebody has to catch up or to come back first.
    Wait,
}

impl Replica {
    /// The catalog says who is to hold the channel.
    pub(crate) fn on_placed(&mut self, set: ReplicaSet, ctx: &mut Context<'_>) {
        let perhaps_gone = self.who_may_have_let_go(&set);
        if self.members.take(set) {
            if let Some(leadership) = &mut self.leadership {
                leadership.placement_at = None;
                leadership
                    .followers
                    .retain(|id, _| !perhaps_gone.contains(id));
            }
            self.update_followers(ctx.now.mono);
            self.carry_out_placement(ctx);
        }
    }

    /// Learners that were not wanted and are wanted again. They may have let go of their logs in between, also
    /// if this leader hears of both at once: what they have acknowledged does not show that they have caught up.
    fn who_may_have_let_go(&self, set: &ReplicaSet) -> Vec<VoterId> {
        let Some(known) = &self.members.set else {
            return Vec::new();
        };
        let learners = set.wanted().map(|(id, _)| id);
        let learners = learners.filter(|id| !self.config().contains(*id));
        learners.filter(|id| !known.wants(*id)).collect()
    }

    /// Replicates to every voter and holder, and to nobody else.
    pub(crate) fn update_followers(&mut self, now: Moment) {
        let Some(mut leadership) = self.leadership.take() else {
            return;
        };
        let tail = self.log.tail();
        leadership.followers.retain(|id, _| self.is_member(*id));
        for member in self.all_members() {
            let id = member.id();
            if id != self.me && !leadership.followers.contains_key(&id) {
                let mut follower = Follower::new(tail, now);
                follower.search(now);
                follower.connected = !self.silence.is_lost(id);
                leadership.followers.insert(id, follower);
            }
        }
        self.leadership = Some(leadership);
    }

    /// Part of each tick of a leader: takes the next step when the one before is done.
    pub(crate) fn carry_out_placement(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        if self.placement_deadline().is_none_or(|at| now < at) {
            return;
        }
        let Some(set) = self.members.set.clone() else {
            return;
        };
        let step = self.next_step(&set, now);
        let pause = match &step {
            Step::Configure(_) | Step::Wait => 1,
            Step::HandOver(_) | Step::Report(_) => PATIENCE,
        };
        if let Some(leadership) = &mut self.leadership {
            leadership.placement_at = Some(now.plus(self.settings.heartbeat * pause));
        }
        match step {
            Step::Configure(mut config) => {
                config.version = set.version();
                if let Some(leadership) = &mut self.leadership {
                    leadership.staging.push_control(Control::Config(config));
                }
                self.form_batches(ctx);
            }
            Step::HandOver(successor) => self.hand_over_to(successor, ctx),
            Step::Report(version) => ctx.effects.push(Effect::Placed { version }),
            Step::Wait => {}
        }
    }

    /// When a leader looks again at what the catalog wants; `None` if that is so, or if a step is
    /// under way.
    pub(crate) fn placement_deadline(&self) -> Option<Moment> {
        let leadership = self.leadership.as_deref()?;
        let set = self.members.set.as_ref()?;
        let is_under_way = self.config().seq > self.commit
            || self.commit < leadership.start
            || leadership.staging.has_config()
            || leadership.transfer.is_some();
        let is_done = set.is_settled() && set.is_carried_out_by(self.config());
        // One that knows less than the log must not undo what is newer.
        let is_outdated = set.version() < self.config().version;
        if is_under_way || is_done || is_outdated || self.is_frozen() {
            return None;
        }
        // What was not looked at yet is looked at at once.
        let at_once = Moment::default();
        Some(leadership.placement_at.unwrap_or(at_once))
    }

    fn next_step(&mut self, set: &ReplicaSet, now: Moment) -> Step {
        let config = self.config().clone();
        if !config.contains(self.me) {
            // It was needed to end an election, and has no vote.
            return self.hand_over_to_another();
        }
        if config.voters().len() < limits::MAX_VOTERS {
            let learners = set.wanted().filter(|(id, _)| !config.contains(*id));
            let learners: Vec<(VoterId, Voter)> = learners.map(|(id, one)| (id, *one)).collect();
            if let Some(ready) = learners.iter().find(|(id, _)| self.is_ready(*id, now)) {
                let grown = config.with(ready.1);
                return Step::Configure(grown.expect("there is room for one who does not vote"));
            }
            if !learners.is_empty() {
                return Step::Wait;
            }
        }
        let leaving = config.voter_ids().iter().copied();
        let others = leaving.filter(|id| *id != self.me && !set.wants(*id));
        // Whoever is not there first: of those that are left more are.
        match others.min_by_key(|id| self.is_connected_to(*id)) {
            Some(one) => {
                let rest = config.without(one).expect("this leader is left");
                if self.reaches_majority_of(&rest) {
                    Step::Configure(rest)
                } else {
                    Step::Wait
                }
            }
            None if set.wants(self.me) => Step::Report(set.version()),
            None => self.hand_over_to_another(),
        }
    }

    /// To somebody who is there: a handover that cannot work keeps writes waiting for nothing.
    fn hand_over_to_another(&self) -> Step {
        let best = self.best_successor();
        let present = best.filter(|one| self.is_connected_to(*one));
        present.map_or(Step::Wait, Step::HandOver)
    }

    /// Whether a learner holds nearly everything.
    fn is_ready(&mut self, id: VoterId, now: Moment) -> bool {
        let tail = self.log.tail().seq;
        let within = self.settings.heartbeat * ROUND;
        let follower = self.follower_mut(id);
        follower.is_some_and(|one| one.completes_round(tail, now, within))
    }

    fn is_connected_to(&self, id: VoterId) -> bool {
        let follower = self.leadership.as_ref().and_then(|l| l.followers.get(&id));
        follower.is_some_and(|follower| follower.connected)
    }

    /// Whether a change to this configuration would leave a leader that can commit.
    fn reaches_majority_of(&self, config: &ChannelConfig) -> bool {
        let ids = config.voter_ids().iter();
        let reached = ids.filter(|id| **id == self.me || self.is_connected_to(**id));
        reached.count() >= config.majority()
    }
}
