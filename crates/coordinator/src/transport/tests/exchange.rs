//! Frames arrive, in order, on the lane on which they were sent.

use std::{sync::atomic::Ordering, time::Duration};

use tetrarch_replica::Lane;
use tokio::time::{sleep, timeout};

use super::{
    authority::Authority,
    frames::{batch, beat, channel, election, number, push, small},
    node::{Plan, TestNode, connected, duellists, node_id, pair},
    recorder::{Recorder, eventually},
};
use crate::transport::Limits;

const MANY: u64 = 2_000;

/// The numbers of the frames of one channel on one lane, as they arrived.
fn numbers(seen: &Recorder, lane: Lane, of: u64) -> Vec<u64> {
    let frames = seen.frames.lock().unwrap();
    let frames = frames
        .iter()
        .filter(|(_, arrived, frame)| *arrived == lane && frame.channel == channel(of));
    frames.map(|(_, _, frame)| number(frame)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_keep_their_order_per_channel_and_lane_in_both_directions() {
    let (one, two) = pair(&Authority::new("ca")).await;
    let large = batch(60_000);
    for number in 0..MANY {
        for (from, to) in [(&one, &two), (&two, &one)] {
            let uid = channel(number % 20);
            from.mesh.send(to.id, Lane::Control, election(uid, number));
            from.mesh.send(to.id, Lane::Bulk, small(uid, number));
            let pushed = if number % 50 == 0 {
                push(uid, number, &large)
            } else {
                small(uid, number)
            };
            from.mesh.send(to.id, Lane::Data, pushed);
        }
    }
    let all = 3 * usize::try_from(MANY).unwrap();
    for node in [&one, &two] {
        eventually("all frames arrived", || node.seen.frame_count() == all).await;
        for (lane, of) in [Lane::Control, Lane::Data, Lane::Bulk]
            .into_iter()
            .flat_map(|lane| (0..20).map(move |of| (lane, of)))
        {
            let expected: Vec<_> = (of..MANY).step_by(20).collect();
            assert_eq!(numbers(&node.seen, lane, of), expected);
        }
        assert_eq!(node.seen.dropped(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_find_each_other() {
    let authority = Authority::new("ca");
    let nodes = ["n1", "n2", "n3"].map(|name| TestNode::start(&authority, name));
    for node in &nodes {
        nodes.iter().for_each(|other| node.meet(other));
    }
    let [one, two, three] = &nodes;
    connected(one, two).await;
    connected(two, three).await;
    connected(three, one).await;
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.id != from.id) {
            from.mesh.send(to.id, Lane::Data, small(channel(1), 1));
        }
    }
    for node in &nodes {
        eventually("a frame of each", || node.seen.frame_count() == 2).await;
        assert_eq!(node.mesh.peers().len(), 2);
        assert_eq!(node.seen.ups().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dial_at_once_and_one_connection_stays() {
    let authority = Authority::new("ca");
    for _ in 0..4 {
        let (one, two) = duellists(&authority).await;
        // Whatever is sent from the first moment on arrives once, however the duel ends.
        for number in 0..500 {
            one.mesh.send(two.id, Lane::Data, small(channel(1), number));
            two.mesh.send(one.id, Lane::Data, small(channel(1), number));
            if number % 50 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        for node in [&one, &two] {
            eventually("all frames arrived", || node.seen.frame_count() == 500).await;
            eventually("one connection stays", || node.connections() == 1).await;
            assert_eq!(node.seen.ups().len(), 1);
            assert_eq!(node.seen.downs(), []);
            // One of the two may dial before the other one knows it.
            let refusals = node.seen.refusals();
            assert!(
                refusals.iter().all(|(word, _)| *word == "denied"),
                "{refusals:?}"
            );
            assert_eq!(node.seen.dropped(), []);
        }
        one.mesh.abandon();
        two.mesh.abandon();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_travel_as_datagrams_or_on_the_control_lane() {
    let (one, two) = pair(&Authority::new("ca")).await;
    one.mesh.beat(two.id, beat(1), false);
    one.mesh.beat(two.id, beat(2), true);
    eventually("both beats arrived", || {
        two.seen.beats.lock().unwrap().len() == 2
    })
    .await;
    let beats = two.seen.beats.lock().unwrap();
    assert!(beats.contains(&(one.id, beat(1))) && beats.contains(&(one.id, beat(2))));
    assert_eq!(one.seen.dropped(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_node_holds_back_data_but_not_control() {
    let authority = Authority::new("ca");
    let mut plan = Plan::new("n1", authority.node("n1"));
    plan.limits = Limits {
        data_queue: 1024 * 1024,
        ..Limits::default()
    };
    let (one, two) = (plan.start(), TestNode::start(&authority, "n2"));
    one.meet(&two);
    two.meet(&one);
    connected(&one, &two).await;
    two.seen.stuck.store(true, Ordering::Relaxed);
    let large = batch(60_000);
    let full = timeout(Duration::from_secs(5), async {
        let mut sent = 0;
        while one.seen.dropped().is_empty() {
            for number in 0..20 {
                one.mesh
                    .send(two.id, Lane::Data, push(channel(number), sent, &large));
            }
            sent += 1;
            sleep(Duration::from_millis(1)).await;
        }
    });
    full.await.unwrap();
    let dropped = one.seen.dropped();
    assert!(
        dropped
            .iter()
            .all(|drop| *drop == (Lane::Data, "queue_full"))
    );
    one.mesh
        .send(two.id, Lane::Control, election(channel(1), 1));
    eventually("control passes", || two.seen.frame_count() == 1).await;
    two.seen.stuck.store(false, Ordering::Relaxed);
    eventually("data follows", || two.seen.frame_count() > 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_queued_is_counted() {
    let (one, two) = pair(&Authority::new("ca")).await;
    one.mesh
        .send(node_id("n9"), Lane::Data, small(channel(1), 1));
    one.mesh
        .send(two.id, Lane::Control, push(channel(1), 1, &batch(10)));
    one.mesh.beat(
        two.id,
        tetrarch_wire::Frame::Channel(small(channel(1), 1)),
        true,
    );
    one.expect("n3");
    one.mesh
        .send(node_id("n3"), Lane::Bulk, small(channel(1), 1));
    assert_eq!(
        one.seen.dropped(),
        [
            (Lane::Data, "unknown_peer"),
            (Lane::Control, "wrong_lane"),
            (Lane::Control, "wrong_lane"),
            (Lane::Bulk, "no_connection"),
        ]
    );
}
