//! What must hold in every state (the invariants of protocol §18), and what a run must have come
//! through to be worth anything.

use stateright::Property;
use tetrarch_fsm::LEGAL_TRANSITIONS;
use tetrarch_wire::ReplicaRole;

use super::{Entry, Log, Message, Quorum, State, state::MOST_VOTERS};

/// All of them. What happens only with a crash or a park is asked for only where there is one.
pub(crate) fn all() -> Vec<Property<Quorum>> {
    let mut properties = always();
    properties.extend(sometimes());
    properties
}

/// What must hold in every state.
pub(crate) fn always() -> Vec<Property<Quorum>> {
    vec![
        Property::always("I2 at most one leader of a number", one_leader),
        Property::always("I4 at most one vote for a number", one_vote),
        Property::always("I4 epoch_seen never decreases", epoch_seen_stays),
        Property::always("I6 log matching", logs_match),
        Property::always("I7 leader completeness", leaders_are_complete),
        Property::always(
            "I8 what is acknowledged is on a majority",
            acked_on_majority,
        ),
        Property::always("I9 what is acknowledged stays", |_, state: &State| {
            !state.acked.overwritten
        }),
        Property::always("I10 committed prefixes are equal", prefixes_equal),
        Property::always("I11 nothing committed is cut", |_, state: &State| {
            !state.acked.cut
        }),
    ]
}

fn sometimes() -> Vec<Property<Quorum>> {
    vec![
        Property::sometimes("a leader is elected", |model: &Quorum, state: &State| {
            let mut nodes = state.voters(model.bounds());
            nodes.any(|(_, node)| node.role == ReplicaRole::Leader)
        }),
        Property::sometimes("an event is committed", |_, state: &State| {
            state.acked.log.entries().any(Entry::is_event)
        }),
        Property::sometimes("a log is cut", |model: &Quorum, _| {
            model.coverage().has_cut()
        }),
        Property::sometimes("Idle to Replica by CapabilitySelected", taken::<0>),
        Property::sometimes("Replica to Candidate by MissedHeartbeats", taken::<1>),
        Property::sometimes("Candidate to Leader by ElectionWon", taken::<2>),
        Property::sometimes("Candidate to Replica by ElectionLost", taken::<3>),
        Property::sometimes("Replica to Idle by DiskPressureWithdraw", taken::<5>),
        Property::sometimes("Leader to Idle by LeaderDiskPressureWithdraw", taken::<6>),
        Property::sometimes(
            "Candidate to Idle by CandidateDiskPressureWithdraw",
            taken::<7>,
        ),
        Property::sometimes("Leader to Replica by PeerLeaderObserved", taken::<12>),
        Property::sometimes("Leader to Replica by QuorumLost", taken::<13>),
    ]
}

/// Whether a property can be met only where nodes are parked.
#[must_use]
pub fn needs_parks(name: &str) -> bool {
    name.contains("Withdraw")
}

fn taken<const ROW: usize>(model: &Quorum, _: &State) -> bool {
    const { assert!(ROW < LEGAL_TRANSITIONS.len()) };
    model.coverage().has_taken(ROW)
}

/// Whoever has said anything as a leader led, and so does whoever leads now.
fn one_leader(model: &Quorum, state: &State) -> bool {
    let now = state
        .voters(model.bounds())
        .filter(|(_, node)| node.role == ReplicaRole::Leader);
    let now = now.map(|(me, node)| (node.promise.n, me));
    let ever = state.messages.iter().filter_map(|message| match *message {
        Message::Append { n, leader, .. } => Some((n, leader)),
        Message::VoteRequest { .. }
        | Message::Vote { .. }
        | Message::Ack { .. }
        | Message::Committed { .. } => None,
    });
    let mut leaders = [None; 8];
    now.chain(ever).all(|(n, leader)| {
        let known = leaders[usize::from(n)].get_or_insert(leader);
        *known == leader
    })
}

/// What was told of votes, a request for votes being one for oneself, and what is promised on disk.
fn one_vote(model: &Quorum, state: &State) -> bool {
    let told = state.messages.iter().filter_map(|message| match *message {
        Message::Vote {
            n,
            voter,
            candidate,
        } => Some((n, voter, candidate)),
        Message::VoteRequest { n, candidate, .. } => Some((n, candidate, candidate)),
        Message::Append { .. } | Message::Ack { .. } | Message::Committed { .. } => None,
    });
    let kept = state.voters(model.bounds()).filter_map(|(me, node)| {
        let promise = node.kept_promise;
        promise.voted.map(|to| (promise.n, me, to))
    });
    let mut given = [[None; 8]; MOST_VOTERS];
    told.chain(kept).all(|(n, voter, to)| {
        let known = given[usize::from(voter)][usize::from(n)].get_or_insert(to);
        *known == to
    })
}

/// What was ever said in an epoch was said after that epoch was durable, and it stays so (I5).
fn epoch_seen_stays(_: &Quorum, state: &State) -> bool {
    state.messages.iter().all(|message| {
        let (sender, n) = message.sender();
        let node = &state.nodes[usize::from(sender)];
        node.wiped || (node.kept_promise.n >= n && node.promise.n >= node.kept_promise.n)
    })
}

fn logs_match(model: &Quorum, state: &State) -> bool {
    let logs = || {
        let nodes = state.voters(model.bounds());
        nodes.flat_map(|(_, node)| [node.log, node.kept_log])
    };
    let differ = |one: Log, other: Log| one < other && !match_each_other(one, other);
    !logs().any(|one| logs().any(|other| differ(one, other)))
}

/// The same epoch at the same seq means the same up to there.
fn match_each_other(one: Log, other: Log) -> bool {
    let epoch = |log: Log, seq| log.get(seq).map(Entry::epoch);
    let both = 1..=one.len().min(other.len());
    let last = both
        .rev()
        .find(|seq| epoch(one, *seq) == epoch(other, *seq));
    last.is_none_or(|seq| one.prefix(seq) == other.prefix(seq))
}

fn leaders_are_complete(model: &Quorum, state: &State) -> bool {
    let mut nodes = state.voters(model.bounds());
    nodes.all(|(_, node)| {
        let committed = state.acked.before(node.promise.n);
        node.role != ReplicaRole::Leader || committed.is_prefix_of(node.log)
    })
}

/// A disk that was wiped, or that has lost something and not been given it again, is a fault that the
/// count allows for.
fn acked_on_majority(model: &Quorum, state: &State) -> bool {
    let acked = state.acked.log;
    let holders = state.voters(model.bounds()).filter(|(_, node)| {
        node.wiped || node.kept_promise.limbo.is_some() || acked.is_prefix_of(node.kept_log)
    });
    holders.count() >= model.bounds().majority()
}

fn prefixes_equal(model: &Quorum, state: &State) -> bool {
    let acked = state.acked.log;
    let mut nodes = state.voters(model.bounds());
    nodes.all(|(_, node)| {
        let known = node.log.prefix(node.commit);
        known.len() == node.commit && known.is_prefix_of(acked)
    })
}
