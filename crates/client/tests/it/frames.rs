//! Frames over a real connection: order, and bounds on the peer's time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::{Connection, Endpoint};
use tetrarch_client::{
    tls::{Protocol, client_config, server_config},
    transport::{
        FrameReceiver, FrameSender, HANDSHAKE_TIMEOUT, ReceiveError, ReceiveTimeouts, Tuning, bind,
        dial, transport_config,
    },
};
use tetrarch_wire::{
    ChannelUid, Event, Frame, ProducerEpoch, ProducerId, ProducerSeq,
    batch::EventBlock,
    frame::{CloseCode, Credit, Produce},
};

use crate::authority::Authority;

struct Pair {
    here: Connection,
    there: Connection,
    _endpoints: [Endpoint; 2],
}

async fn pair() -> Pair {
    let authority = Authority::new();
    let transport = Arc::new(transport_config(&Tuning::mesh()));
    let mut server = server_config(
        &authority.identity("spiffe://mesh.test/node/n1"),
        &Protocol::ALL,
    )
    .unwrap();
    server.transport_config(Arc::clone(&transport));
    let server = bind("127.0.0.1:0".parse().unwrap(), Some(server)).unwrap();
    let identity = authority.identity("spiffe://mesh.test/node/n2");
    let mut config = client_config(&identity, Protocol::Mesh, Some("n1")).unwrap();
    config.transport_config(transport);
    let client = bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let (here, there) = tokio::join!(dial(&client, &config, &address, HANDSHAKE_TIMEOUT), async {
        server.accept().await.unwrap().await
    });
    Pair {
        here: here.unwrap(),
        there: there.unwrap(),
        _endpoints: [server, client],
    }
}

fn produce(request: u64, payload: usize, count: usize) -> Frame {
    let mut events = EventBlock::builder();
    for _ in 0..count {
        events
            .push(&Event::new(Bytes::from(vec![7; payload])))
            .unwrap();
    }
    Frame::Produce(Produce {
        request,
        channel: ChannelUid::derive("orders", &[0; 16]),
        producer: ProducerId::from_bytes([1; 16]),
        producer_epoch: ProducerEpoch::default(),
        base_producer_seq: ProducerSeq::new(1),
        events: events.finish(),
    })
}

fn quick() -> ReceiveTimeouts {
    ReceiveTimeouts {
        first: Some(Duration::from_millis(200)),
        frame: Duration::from_millis(200),
    }
}

#[tokio::test]
async fn frames_arrive_in_order_and_the_end_is_seen() {
    let pair = pair().await;
    let sending = async {
        let mut sender = FrameSender::new(pair.here.open_uni().await.unwrap());
        for request in 0..1_000 {
            sender.feed(&produce(request, 100, 3)).await.unwrap();
        }
        sender.send(&produce(1_000, 200_000, 5)).await.unwrap();
        sender.finished().await.unwrap();
    };
    let receiving = async {
        let stream = pair.there.accept_uni().await.unwrap();
        let mut receiver = FrameReceiver::new(stream, ReceiveTimeouts::ACCEPTED);
        for request in 0..1_000 {
            assert_eq!(
                receiver.next().await.unwrap(),
                Some(produce(request, 100, 3))
            );
        }
        let last = receiver.next().await.unwrap();
        assert_eq!(last, Some(produce(1_000, 200_000, 5)));
        assert_eq!(receiver.next().await, Ok(None));
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_peer_that_says_nothing_or_stops_inside_a_frame_is_given_up() {
    let pair = pair().await;
    let mut silent = pair.here.open_uni().await.unwrap();
    silent.write_all(&[0; 4]).await.unwrap();
    let stream = pair.there.accept_uni().await.unwrap();
    let mut receiver = FrameReceiver::new(stream, quick());
    let limit = Duration::from_millis(200);
    assert_eq!(receiver.next().await, Err(ReceiveError::TooSlow { limit }));

    let mut sender = FrameSender::new(pair.here.open_uni().await.unwrap());
    sender
        .send(&Frame::Credit(Credit { bytes: 1 }))
        .await
        .unwrap();
    let stream = pair.there.accept_uni().await.unwrap();
    let mut receiver = FrameReceiver::new(stream, quick());
    receiver.next().await.unwrap().unwrap();
    let idle = tokio::time::timeout(2 * limit, receiver.next()).await;
    assert!(idle.is_err(), "silence between frames is fine");
    sender.finish();
    assert_eq!(receiver.next().await, Ok(None));

    let whole = Frame::Credit(Credit { bytes: 1 }).to_bytes().unwrap();
    let mut cut = pair.here.open_uni().await.unwrap();
    cut.write_all(&whole[..whole.len() - 1]).await.unwrap();
    cut.finish().unwrap();
    let stream = pair.there.accept_uni().await.unwrap();
    let mut receiver = FrameReceiver::new(stream, quick());
    assert_eq!(receiver.next().await, Err(ReceiveError::CutShort));
}

#[tokio::test]
async fn a_reset_and_bytes_that_are_no_frame_are_told_apart() {
    let pair = pair().await;
    let mut garbage = pair.here.open_uni().await.unwrap();
    garbage.write_all(&[0xff; 64]).await.unwrap();
    let stream = pair.there.accept_uni().await.unwrap();
    let mut receiver = FrameReceiver::new(stream, quick());
    assert!(matches!(
        receiver.next().await,
        Err(ReceiveError::Malformed(_))
    ));
    receiver.stop(CloseCode::Malformed);

    let mut sender = FrameSender::new(pair.here.open_uni().await.unwrap());
    sender
        .send(&Frame::Credit(Credit { bytes: 1 }))
        .await
        .unwrap();
    let stream = pair.there.accept_uni().await.unwrap();
    let mut receiver = FrameReceiver::new(stream, quick());
    receiver.next().await.unwrap().unwrap();
    sender.reset(CloseCode::Overload);
    let code = CloseCode::Overload as u64;
    assert_eq!(receiver.next().await, Err(ReceiveError::Reset { code }));
}
