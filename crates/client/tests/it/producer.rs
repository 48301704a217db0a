//! Publishing exactly once, whatever happens to requests and answers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tetrarch_client::{Error, Producer, ProducerOptions};
use tetrarch_wire::{Event, Seq, batch::EventBlock};

use crate::mesh::{CHANNEL, Fault, Mesh};

fn event(number: usize) -> Event {
    Event::new(Bytes::from(format!("event-{number}")))
}

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("event-{number}")).collect()
}

/// Small requests, so that many are on their way.
fn small() -> ProducerOptions {
    ProducerOptions {
        max_batch_bytes: 40,
        stall_after: Duration::from_millis(100),
        ..ProducerOptions::default()
    }
}

async fn publish(producer: &Producer, from: usize, to: usize) -> Vec<Seq> {
    let mut tickets = Vec::new();
    for number in from..to {
        tickets.push(producer.send(event(number)).await.unwrap());
    }
    let mut seqs = Vec::new();
    for ticket in tickets {
        seqs.push(ticket.acked().await.unwrap().seq);
    }
    seqs
}

/// Publishes under faults: everything is in the log once, in order, where its ack says.
async fn survives(faults: &[Fault]) {
    let mesh = Mesh::start(2).await;
    let client = mesh.client().await;
    let producer = client.producer_with(CHANNEL, small()).await.unwrap();
    mesh.fault(faults);
    let seqs = publish(&producer, 0, 100).await;
    assert_eq!(mesh.payloads(), expected(100));
    let world = mesh.shared.lock();
    let mut placed = Vec::new();
    for batch in &world.log.batches {
        let count = u64::from(batch.events().unwrap().count());
        placed.extend((0..count).map(|index| batch.base_seq().plus(index)));
    }
    assert_eq!(seqs, placed);
}

#[tokio::test]
async fn events_are_appended_in_order_and_acknowledged_with_their_seqs() {
    survives(&[]).await;
}

#[tokio::test]
async fn a_request_lost_with_its_connection_is_sent_again() {
    survives(&[
        Fault::Serve,
        Fault::LoseRequest,
        Fault::Serve,
        Fault::LoseRequest,
    ])
    .await;
}

#[tokio::test]
async fn an_answer_lost_with_its_connection_makes_no_duplicate() {
    survives(&[
        Fault::Serve,
        Fault::LoseAnswer,
        Fault::Serve,
        Fault::LoseAnswer,
    ])
    .await;
}

#[tokio::test]
async fn an_indeterminate_answer_makes_no_duplicate() {
    survives(&[Fault::Forget, Fault::Serve, Fault::Forget]).await;
}

#[tokio::test]
async fn a_request_that_is_never_answered_is_sent_again() {
    survives(&[Fault::Swallow]).await;
}

#[tokio::test]
async fn a_second_answer_is_ignored() {
    survives(&[
        Fault::AnswerTwice,
        Fault::AnswerTwice,
        Fault::Serve,
        Fault::AnswerTwice,
    ])
    .await;
}

#[tokio::test]
async fn a_refusal_in_the_middle_keeps_the_order() {
    survives(&[
        Fault::Serve,
        Fault::Refuse,
        Fault::Serve,
        Fault::Full,
        Fault::Refuse,
    ])
    .await;
}

#[tokio::test]
async fn events_follow_the_leader() {
    let mut mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    let producer = client.producer_with(CHANNEL, small()).await.unwrap();
    publish(&producer, 0, 50).await;
    mesh.elect(1);
    publish(&producer, 50, 100).await;
    mesh.stop(1);
    mesh.elect(2);
    publish(&producer, 100, 150).await;
    assert_eq!(mesh.payloads(), expected(150));
}

#[tokio::test]
async fn a_leader_that_falls_silent_is_left_as_soon_as_others_know_a_new_one() {
    let mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    let producer = client.producer_with(CHANNEL, small()).await.unwrap();
    publish(&producer, 0, 10).await;
    mesh.shared.change(|world| world.mute[0] = true);
    let begin = Instant::now();
    let (seqs, ()) = tokio::join!(publish(&producer, 10, 60), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        mesh.elect(1);
    });
    assert_eq!(seqs.len(), 50);
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(mesh.payloads(), expected(60));
}

#[tokio::test]
async fn publishing_waits_for_a_leader_and_says_so_when_none_comes() {
    let mesh = Mesh::start(2).await;
    mesh.shared.change(|world| world.leader = None);
    let client = mesh.client().await;
    let options = ProducerOptions {
        deliver_within: Duration::from_millis(300),
        ..small()
    };
    let producer = client.producer_with(CHANNEL, options).await.unwrap();
    let error = producer.publish(event(0)).await.unwrap_err();
    assert!(
        matches!(error, Error::NotAppended { count: 1, .. }),
        "{error}"
    );
    assert!(error.can_retry());
    assert!(error.to_string().contains("no_leader"), "{error}");
    mesh.elect(1);
    publish(&producer, 0, 10).await;
    assert_eq!(mesh.payloads(), expected(10));
}

#[tokio::test]
async fn what_nobody_answers_in_time_is_indeterminate_and_the_producer_goes_on() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let options = ProducerOptions {
        deliver_within: Duration::from_millis(300),
        ..small()
    };
    let producer = client.producer_with(CHANNEL, options).await.unwrap();
    publish(&producer, 0, 5).await;
    mesh.shared.change(|world| world.mute[0] = true);
    let error = producer.publish(event(99)).await.unwrap_err();
    assert!(matches!(error, Error::Indeterminate { .. }), "{error}");
    mesh.shared.change(|world| world.mute[0] = false);
    publish(&producer, 5, 10).await;
    assert_eq!(mesh.payloads(), expected(10));
}

#[tokio::test]
async fn a_full_disk_is_waited_out_and_named_when_it_stays_full() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let options = ProducerOptions {
        deliver_within: Duration::from_millis(300),
        ..small()
    };
    let producer = client.producer_with(CHANNEL, options).await.unwrap();
    mesh.fault(&[Fault::Full; 3]);
    publish(&producer, 0, 1).await;
    mesh.fault(&[Fault::Full; 1_000]);
    let error = producer.publish(event(99)).await.unwrap_err();
    assert!(matches!(error, Error::StorageFull { .. }), "{error}");
    mesh.shared.change(|world| world.faults.clear());
    publish(&producer, 1, 10).await;
    assert_eq!(mesh.payloads(), expected(10));
}

#[tokio::test]
async fn a_denied_event_fails_alone_and_the_next_incarnation_goes_on() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let producer = client.producer_with(CHANNEL, small()).await.unwrap();
    publish(&producer, 0, 3).await;
    mesh.fault(&[Fault::Deny]);
    let error = producer.publish(event(99)).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    assert!(!error.can_retry());
    publish(&producer, 3, 10).await;
    assert_eq!(mesh.payloads(), expected(10));
}

#[tokio::test]
async fn batches_and_blocks_are_acknowledged_as_a_whole() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let producer = client.producer(CHANNEL).await.unwrap();
    let events: Vec<Event> = (0..10_000).map(event).collect();
    let batch = producer.send_batch(&events).await.unwrap();
    let mut block = EventBlock::builder();
    block.push(&event(10_000)).unwrap();
    let block = producer.send_block(block.finish()).await.unwrap();
    let ack = batch.acked().await.unwrap();
    assert_eq!(ack.count(), 10_000);
    assert_eq!(
        (ack.first_seq(), ack.last_seq()),
        (Seq::new(1), Seq::new(10_000))
    );
    assert_eq!((ack.copies, ack.degraded), (2, false));
    assert_eq!(block.acked().await.unwrap().first_seq(), Seq::new(10_001));
    assert_eq!(mesh.payloads(), expected(10_001));
}

#[tokio::test]
async fn flush_and_close_wait_and_a_closed_producer_takes_nothing() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let producer = client.producer(CHANNEL).await.unwrap();
    for number in 0..100 {
        drop(producer.send(event(number)).await.unwrap());
    }
    producer.flush().await.unwrap();
    assert_eq!(mesh.payloads(), expected(100));
    let other = producer.clone();
    drop(producer.send(event(100)).await.unwrap());
    producer.close().await.unwrap();
    assert_eq!(mesh.payloads(), expected(101));
    let error = other.publish(event(101)).await.unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_producer_ends_what_waits_for_it() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let producer = client.producer(CHANNEL).await.unwrap();
    mesh.shared.change(|world| world.mute[0] = true);
    let ticket = producer.send(event(0)).await.unwrap();
    drop(producer);
    let ended = tokio::time::timeout(Duration::from_secs(1), ticket.acked()).await;
    assert!(ended.unwrap().is_err());
}

#[tokio::test]
async fn an_unknown_channel_is_named() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let error = client.producer("nothing").await.unwrap_err();
    assert!(matches!(error, Error::UnknownChannel { .. }), "{error}");
    assert!(error.to_string().contains("'nothing'"), "{error}");
}
