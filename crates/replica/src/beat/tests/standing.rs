//! A channel that has been heard for long in beats that do not name it any more, and then stands
//! otherwise to the peer.

use super::*;

/// Node 0 leads channel 1 in epoch 5, node 1 has followed for several intervals; then it stands as
/// `change` says. Gives whether node 0 still counts it, and whether it still hears node 0.
fn after(change: impl FnOnce(&mut LocalChannel)) -> (bool, bool) {
    let mut mesh = Mesh::new(2);
    let mut local = following(1, channel(1), 5, 0);
    mesh.stamp(0, &leading(0, channel(1), 5, 10));
    mesh.stamp(1, &local);
    for _ in 0..4 {
        mesh.round();
    }
    change(&mut local);
    mesh.stamp(1, &local);
    mesh.take_facts();
    mesh.round();
    let facts = mesh.take_facts();
    let any = |is: fn(&ChannelFact) -> bool| facts.iter().any(|(_, fact)| is(fact));
    (
        any(|fact| matches!(fact, ChannelFact::BeatAcked { .. })),
        any(|fact| matches!(fact, ChannelFact::LeaderHeard { .. })),
    )
}

/// Otherwise a leader could take its own epoch for the latest, and answer a linearizable read,
/// although this node has voted for another one (I13). No change of role goes with either.
#[test]
fn it_is_refused_from_the_next_beat_on() {
    assert_eq!(after(|_| {}), (true, true));
    assert_eq!(after(|local| local.epoch_seen.n = 6), (false, false));
    assert_eq!(
        after(|local| local.leader = Some(voter(2))),
        (false, true),
        "another leader in the same epoch: it is heard, and refused"
    );
}
