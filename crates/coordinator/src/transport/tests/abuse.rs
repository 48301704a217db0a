//! Authenticated nodes that break the rules.

use std::time::Duration;

use bytes::Bytes;
use tetrarch_client::tls::Protocol;
use tetrarch_replica::Lane;
use tetrarch_wire::{
    Frame,
    frame::{CloseCode, FrameType},
};

use super::{
    authority::Authority,
    frames::{batch, beat, channel, push, small},
    node::{Plan, TestNode},
    recorder::eventually,
    stranger::{Member, Stranger, hello},
};
use crate::transport::Limits;

/// A node, and a stranger with the certificate of a node that it knows.
async fn scene() -> (TestNode, Stranger) {
    let authority = Authority::new("ca");
    let mut plan = Plan::new("n1", authority.node("n1"));
    plan.limits = Limits {
        first_frame: Duration::from_millis(200),
        whole_frame: Duration::from_millis(300),
        ..Limits::default()
    };
    let node = plan.start();
    node.expect("n2");
    let identity = authority.node("n2");
    let stranger = Stranger::dial(&node, &identity, Protocol::Mesh)
        .await
        .unwrap();
    (node, stranger)
}

async fn inside() -> (TestNode, Stranger, Member) {
    let (node, stranger) = scene().await;
    let member = stranger.join(hello("n2")).await;
    (node, stranger, member)
}

/// The header of a frame.
fn header(len: u32, frame_type: u8) -> Vec<u8> {
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend([frame_type, 1, 0, 0]);
    bytes
}

async fn refused_at_first(bytes: &[u8], code: CloseCode, words: &str) {
    let (node, stranger) = scene().await;
    let _streams = stranger.open(bytes).await;
    let (seen, text) = stranger.verdict().await;
    assert_eq!(seen, code);
    assert!(text.contains(words), "'{text}' does not contain '{words}'");
    eventually("the node counts it", || {
        node.seen.refusals().contains(&(code.name(), text.clone()))
    })
    .await;
    assert_eq!(node.seen.ups(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn first_words_that_are_no_introduction() {
    let malformed = CloseCode::Malformed;
    refused_at_first(&[0xA7; 64], malformed, "is no known frame type").await;
    let four_gib = header(u32::MAX, FrameType::Hello as u8);
    refused_at_first(
        &four_gib,
        malformed,
        "is 4294967295, over its limit of 65536",
    )
    .await;
    refused_at_first(&header(0, 0xEE), malformed, "238 is no known frame type").await;
    let beat = beat(1).to_bytes().unwrap();
    refused_at_first(
        &beat,
        malformed,
        "the first frame is a node beat, expected a hello",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_instead_of_an_introduction() {
    let (node, stranger) = scene().await;
    let (code, text) = stranger.verdict().await;
    assert_eq!(
        (code, text.as_str()),
        (CloseCode::Timeout, "no first frame within 200 ms")
    );
    eventually("the node counts it", || {
        node.seen.refusals().contains(&("timeout", text.clone()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_introduction_that_drips() {
    let (_node, stranger) = scene().await;
    let (mut sender, _receiver) = stranger.open(&[0]).await;
    let dripping = async {
        let bytes = Frame::Hello(hello("n2")).to_bytes().unwrap();
        for byte in &bytes[1..] {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if sender.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    let ((code, _), ()) = tokio::join!(stranger.verdict(), dripping);
    assert_eq!(code, CloseCode::Timeout);
}

async fn closed_for(node: &TestNode, stranger: &Stranger, code: CloseCode, words: &str) {
    let (seen, text) = stranger.verdict().await;
    assert_eq!(seen, code, "{text}");
    assert!(text.contains(words), "'{text}' does not contain '{words}'");
    eventually("the node counts it", || {
        node.seen.closed() == [(code.name(), text.clone())]
    })
    .await;
    eventually("the peer is gone", || node.seen.downs().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_frame_end_a_connection_that_stands() {
    let cases: [(&[u8], &str); 4] = [
        (&[0xA7; 64], "a stream begins with 167, expected 0 to 16"),
        (
            &[3, 0xA7, 0xA7, 0xA7, 0xA7, 0xA7, 0xA7, 0xA7, 0xA7],
            "no known frame type",
        ),
        (
            &[16, 0xFF, 0xFF, 0xFF, 0xFF, 0x20, 1, 0, 0],
            "4294967295, over its limit of 1052672",
        ),
        (
            &[0, 0, 0, 0, 0, 0xEE, 1, 0, 0],
            "238 is no known frame type",
        ),
    ];
    for (bytes, words) in cases {
        let (node, stranger, _member) = inside().await;
        let _stream = stranger.open_uni(bytes).await;
        closed_for(&node, &stranger, CloseCode::Malformed, words).await;
        assert_eq!(node.seen.frame_count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_never_ends_is_cut() {
    let (node, stranger, _member) = inside().await;
    let frame = Frame::Channel(push(channel(1), 1, &batch(5_000)))
        .to_bytes()
        .unwrap();
    let whole = Frame::Channel(small(channel(1), 1)).to_bytes().unwrap();
    let begun = [&[0], &whole[..], &frame[..1_000]].concat();
    let _stream = stranger.open_uni(&begun).await;
    closed_for(
        &node,
        &stranger,
        CloseCode::Timeout,
        "did not arrive within 300ms",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_frame_in_a_wrong_place_ends_the_connection() {
    let (node, stranger, mut member) = inside().await;
    let frame = Frame::Channel(push(channel(1), 1, &batch(10)))
        .to_bytes()
        .unwrap();
    for _ in 0..2 {
        member.sender.write_all(&frame).await.unwrap();
    }
    // Two are forgiven: the connection still carries what it should.
    let fine = Frame::Channel(small(channel(1), 1)).to_bytes().unwrap();
    let mut stream = stranger.open_uni(&[&[0], &fine[..]].concat()).await;
    eventually("a frame in its place", || node.seen.frame_count() == 1).await;
    assert_eq!(node.seen.frames.lock().unwrap().remove(0).1, Lane::Data);
    stream
        .write_all(&beat(1).to_bytes().unwrap())
        .await
        .unwrap();
    closed_for(
        &node,
        &stranger,
        CloseCode::Malformed,
        "a node beat arrived on the data lane",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_that_are_no_beats() {
    let (node, stranger, _member) = inside().await;
    for _ in 0..3 {
        let bytes = Bytes::from_static(b"not a frame");
        stranger.connection.send_datagram(bytes).unwrap();
    }
    closed_for(
        &node,
        &stranger,
        CloseCode::Malformed,
        "a datagram is no frame",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_what_a_peer_needs() {
    let (node, stranger, _member) = inside().await;
    for _ in 0..3 {
        drop(stranger.open(b"x").await);
    }
    closed_for(
        &node,
        &stranger,
        CloseCode::Malformed,
        "a second bidirectional stream",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_node_reads_why_in_a_frame_too() {
    let (_node, stranger) = scene().await;
    let mut wrong = hello("n2");
    wrong.protocol = 7;
    let first = Frame::Hello(wrong).to_bytes().unwrap();
    let (_sender, receiver) = stranger.open(&first).await;
    let timeouts = tetrarch_client::transport::ReceiveTimeouts::OPENED;
    let mut receiver = tetrarch_client::transport::FrameReceiver::new(receiver, timeouts);
    let Some(Frame::Close(close)) = receiver.next().await.unwrap() else {
        panic!("no close frame");
    };
    assert_eq!(close.code, CloseCode::WrongVersion);
    assert_eq!(
        close.detail,
        "n2 speaks protocol version 7, expected version 1"
    );
    assert_eq!(stranger.verdict().await, (close.code, close.detail));
}
