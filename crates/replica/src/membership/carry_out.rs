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
    /// A learner holds nearly everything: it votes from now on.
    Add(Voter),
    /// A voter is not wanted any more.
    Remove(VoterId),
    /// This leader itself is not, and nobody else is left to be taken out.
    HandOver(VoterId),
    /// The voters are the wanted ones, and the catalog does not know it yet.
    Report,
    /// Somebody has to catch up or to come back first.
    Wait,
}

impl Replica {
    /// The catalog says who is to hold the channel.
    pub(crate) fn on_placed(&mut self, set: ReplicaSet, ctx: &mut Context<'_>) {
        if self.members.take(set) {
            self.update_followers(ctx.now.mono);
            if let Some(leadership) = &mut self.leadership {
                leadership.placement_at = None;
            }
            self.carry_out_placement(ctx);
        }
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
        let Some(step) = self.next_step(now) else {
            return;
        };
        let pause = match &step {
            Step::Add(_) | Step::Remove(_) | Step::Wait => 1,
            Step::HandOver(_) | Step::Report => PATIENCE,
        };
        if let Some(leadership) = &mut self.leadership {
            leadership.placement_at = Some(now.plus(self.settings.heartbeat * pause));
        }
        match step {
            Step::Add(voter) => self.configure(self.config().with(voter).ok(), ctx),
            Step::Remove(voter) => self.configure(self.config().without(voter).ok(), ctx),
            Step::HandOver(successor) => self.hand_over_to(successor, ctx),
            Step::Report => {
                if let Some(set) = &self.members.set {
                    ctx.effects.push(Effect::Placed {
                        version: set.version(),
                    });
                }
            }
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
        Some(leadership.placement_at.unwrap_or_default())
    }

    fn next_step(&mut self, now: Moment) -> Option<Step> {
        let set = self.members.set.clone()?;
        let config = self.config().clone();
        if !config.contains(self.me) {
            // It was needed to end an election, and has no vote.
            return Some(self.best_successor().map_or(Step::Wait, Step::HandOver));
        }
        let learners = set.wanted().filter(|(id, _)| !config.contains(*id));
        let learners: Vec<(VoterId, Voter)> = learners.map(|(id, voter)| (id, *voter)).collect();
        if config.voters().len() < limits::MAX_VOTERS {
            let tail = self.log.tail().seq;
            let within = self.settings.heartbeat * ROUND;
            for (id, voter) in &learners {
                let follower = self.follower_mut(*id);
                if follower.is_some_and(|one| one.completes_round(tail, now, within)) {
                    return Some(Step::Add(*voter));
                }
            }
            if !learners.is_empty() {
                return Some(Step::Wait);
            }
        }
        let leaving = config.voter_ids().iter().copied();
        let leaving: Vec<VoterId> = leaving.filter(|id| !set.wants(*id)).collect();
        let others = leaving.iter().copied().filter(|id| *id != self.me);
        // Whoever is not there first: of those that are left more are.
        if let Some(one) = others.min_by_key(|id| self.is_connected_to(*id)) {
            let remains = config.without(one).ok()?;
            let step = Step::Remove(one);
            return Some(if self.reaches_majority_of(&remains) {
                step
            } else {
                Step::Wait
            });
        }
        if leaving.contains(&self.me) {
            let successor = self.best_successor().map_or(Step::Wait, Step::HandOver);
            return Some(successor);
        }
        Some(Step::Report)
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

    /// Appends a configuration, which is in force at once.
    fn configure(&mut self, config: Option<ChannelConfig>, ctx: &mut Context<'_>) {
        let version = self.members.set.as_ref().map(ReplicaSet::version);
        let (Some(mut config), Some(version)) = (config, version) else {
            return;
        };
        config.version = version;
        if let Some(leadership) = &mut self.leadership {
            leadership.staging.push_control(Control::Config(config));
        }
        self.form_batches(ctx);
    }
}
