//! Frames over a real connection: order, bounds on the peer's time, and speed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::{
    Connection, Endpoint, TransportConfig,
    congestion::{BbrConfig, NewRenoConfig},
};
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
    pair_with(transport_config(&Tuning::mesh())).await
}

async fn pair_with(transport: TransportConfig) -> Pair {
    let authority = Authority::new();
    let transport = Arc::new(transport);
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

/// CPU time of this process so far, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Sends `frame` over and over through one stream, and prints what that costs.
async fn measure(name: &str, transport: TransportConfig, frame: Frame, bytes: usize) {
    let pair = Arc::new(pair_with(transport).await);
    let size = frame.to_bytes().unwrap().len();
    let frames = bytes / size;
    let (begin, ticks) = (std::time::Instant::now(), cpu_ticks());
    let other = Arc::clone(&pair);
    let sending = tokio::spawn(async move {
        let mut sender = FrameSender::new(other.here.open_uni().await.unwrap());
        for _ in 0..frames {
            sender.feed(&frame).await.unwrap();
        }
        sender.flush().await.unwrap();
        sender.finished().await.unwrap();
    });
    let stream = pair.there.accept_uni().await.unwrap();
    let mut receiver = FrameReceiver::new(stream, ReceiveTimeouts::ACCEPTED);
    let mut received = 0;
    while receiver.next().await.unwrap().is_some() {
        received += 1;
    }
    sending.await.unwrap();
    assert_eq!(received, frames);
    let gigabytes = (frames * size) as f64 / 1e9;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = (cpu_ticks() - ticks) as f64 / 100.0;
    let stats = pair.here.stats();
    println!(
        "{name}: {:.0} MB/s, {:.2} CPU-s/GB, lost {} of {} packets, {} per write, mtu {}",
        gigabytes * 1e3 / seconds,
        cpu / gigabytes,
        stats.path.lost_packets,
        stats.path.sent_packets,
        stats.udp_tx.datagrams / stats.udp_tx.ios.max(1),
        stats.path.current_mtu,
    );
}

/// `cargo test --release -p tetrarch-client throughput -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn throughput() {
    let usual = || transport_config(&Tuning::mesh());
    for (payload, count) in [(256, 1), (256, 256), (1_024, 256), (256, 3_500)] {
        let name = format!("{count} events of {payload} B a frame");
        let bytes = if count == 1 { 100 << 20 } else { 1 << 30 };
        measure(&name, usual(), produce(1, payload, count), bytes).await;
    }
}

/// `cargo test --release -p tetrarch-client tunings -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn tunings() {
    type Change = fn(&mut TransportConfig);
    let changes: [(&str, Change); 8] = [
        ("usual", |_| {}),
        ("usual", |_| {}),
        ("default acknowledgements", |config| {
            config.ack_frequency_config(None);
        }),
        ("NewReno", |config| {
            config.congestion_controller_factory(Arc::new(NewRenoConfig::default()));
        }),
        ("BBR", |config| {
            config.congestion_controller_factory(Arc::new(BbrConfig::default()));
        }),
        ("send window 1 MiB", |config| {
            config.send_window(1 << 20);
        }),
        ("send window 32 MiB", |config| {
            config.send_window(32 << 20);
        }),
        ("stream window 2 MiB", |config| {
            config.stream_receive_window((2_u32 << 20).into());
        }),
    ];
    for (name, change) in changes {
        let mut transport = transport_config(&Tuning::mesh());
        change(&mut transport);
        measure(name, transport, produce(1, 256, 256), 512 << 20).await;
    }
}
