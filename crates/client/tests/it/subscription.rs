//! Reading on and on, without loss or repetition.

use std::time::Duration;

use bytes::Bytes;
use tetrarch_client::{Client, Error, FetchFrom, FetchOptions, SubscribeOptions, Subscription};
use tetrarch_wire::{Event, Link, Seq};

use crate::mesh::{CHANNEL, Mesh};

async fn publish(client: &Client, from: usize, to: usize) {
    let producer = client.producer(CHANNEL).await.unwrap();
    for number in from..to {
        let payload = Bytes::from(format!("event-{number}"));
        producer.publish(Event::new(payload)).await.unwrap();
    }
}

async fn read(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut read = Vec::new();
    while read.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(10), subscription.next());
        let event = next.await.unwrap().unwrap();
        read.push(String::from_utf8(event.event.payload.to_vec()).unwrap());
    }
    read
}

fn names(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("event-{number}")).collect()
}

fn on(node: &str) -> SubscribeOptions {
    SubscribeOptions {
        node: Some(node.to_owned()),
        ..SubscribeOptions::default()
    }
}

#[tokio::test]
async fn every_node_serves_the_same_events() {
    let mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    publish(&client, 0, 20).await;
    for node in ["n1", "n2", "n3"] {
        let mut subscription = client.subscribe(CHANNEL, FetchFrom::Start, on(node));
        assert_eq!(read(&mut subscription, 20).await, names(0, 20));
        assert_eq!(subscription.node(), Some(node));
        assert_eq!(subscription.commit(), Some(Seq::new(20)));
    }
}

#[tokio::test]
async fn a_subscription_goes_on_at_the_next_seq_when_its_node_dies() {
    let mut mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    publish(&client, 0, 10).await;
    let mut subscription = client.subscribe(CHANNEL, FetchFrom::Start, SubscribeOptions::default());
    assert_eq!(read(&mut subscription, 5).await, names(0, 5));
    let serving = subscription.node().unwrap().to_owned();
    let index = ["n1", "n2", "n3"]
        .iter()
        .position(|name| *name == serving)
        .unwrap();
    mesh.stop(index);
    mesh.elect((index + 1) % 3);
    let (read, ()) = tokio::join!(read(&mut subscription, 15), publish(&client, 10, 20));
    assert_eq!(read, names(5, 20));
    assert_ne!(subscription.node(), Some(&*serving));
}

#[tokio::test]
async fn now_means_the_moment_of_the_first_read() {
    let mesh = Mesh::start(2).await;
    let client = mesh.client().await;
    publish(&client, 0, 10).await;
    let mut subscription = client.subscribe(CHANNEL, FetchFrom::Now, SubscribeOptions::default());
    let (read, ()) = tokio::join!(read(&mut subscription, 5), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        publish(&client, 10, 15).await;
    });
    assert_eq!(read, names(10, 15));
}

#[tokio::test]
async fn a_read_can_begin_at_any_seq_and_after_any_position() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    publish(&client, 0, 10).await;
    let from = FetchFrom::Seq(Seq::new(8));
    let mut subscription = client.subscribe(CHANNEL, from, SubscribeOptions::default());
    assert_eq!(read(&mut subscription, 1).await, names(7, 8));
    let after = FetchFrom::After(subscription.position().unwrap());
    let mut next = client.subscribe(CHANNEL, after, SubscribeOptions::default());
    assert_eq!(read(&mut next, 2).await, names(8, 10));
}

#[tokio::test]
async fn more_than_the_credit_flows() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let producer = client.producer(CHANNEL).await.unwrap();
    let options = SubscribeOptions {
        credit_bytes: 0,
        ..SubscribeOptions::default()
    };
    let mut subscription = client.subscribe(CHANNEL, FetchFrom::Start, options);
    let event = Event::new(Bytes::from(vec![1; 100_000]));
    let sending = async {
        for _ in 0..100 {
            drop(producer.send(event.clone()).await.unwrap());
        }
        producer.flush().await.unwrap();
    };
    let receiving = async {
        for seq in 1..=100 {
            assert_eq!(subscription.next().await.unwrap().seq, Seq::new(seq));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), async {
        tokio::join!(sending, receiving)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn dropped_events_and_another_history_end_it_with_their_seqs() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    publish(&client, 0, 10).await;
    mesh.shared.change(|world| world.log.start = Seq::new(6));
    let from = FetchFrom::Seq(Seq::new(2));
    let mut late = client.subscribe(CHANNEL, from, SubscribeOptions::default());
    match late.next().await.unwrap_err() {
        Error::Trimmed {
            wanted, available, ..
        } => {
            assert_eq!((wanted, available), (Seq::new(2), Seq::new(6)));
        }
        other => panic!("{other}"),
    }
    let mut position = mesh.shared.lock().log.end();
    position.seq = Seq::new(7);
    position.link = Link::genesis(b"another history");
    let after = FetchFrom::After(position);
    let mut strange = client.subscribe(CHANNEL, after, SubscribeOptions::default());
    match strange.next().await.unwrap_err() {
        Error::Diverged { at, .. } => assert_eq!(at, Seq::new(8)),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_unknown_node_is_named_with_those_that_exist() {
    let mesh = Mesh::start(2).await;
    let client = mesh.client().await;
    let mut subscription = client.subscribe(CHANNEL, FetchFrom::Start, on("n9"));
    let error = subscription.next().await.unwrap_err();
    assert!(error.to_string().contains("'n9'; the mesh has"), "{error}");
    assert!(error.to_string().contains("n1") && error.to_string().contains("n2"));
}

#[tokio::test]
async fn fetch_and_read_index_follow_the_leader() {
    let mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    publish(&client, 0, 10).await;
    mesh.elect(2);
    let point = client.read_index(CHANNEL).await.unwrap();
    assert_eq!(point.commit, Seq::new(11));
    let options = FetchOptions {
        node: Some("n2".to_owned()),
        ..FetchOptions::default()
    };
    let from = FetchFrom::Seq(Seq::new(9));
    let fetched = client.fetch(CHANNEL, from, &options).await.unwrap();
    let seqs: Vec<u64> = fetched
        .batches
        .iter()
        .flatten()
        .map(|event| event.seq.get())
        .collect();
    assert_eq!(seqs, [9, 10]);
    assert_eq!(fetched.next, Some(mesh.shared.lock().log.end()));
    assert_eq!(fetched.node, "n2");
}
