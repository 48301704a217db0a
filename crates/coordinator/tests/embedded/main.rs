//! Nodes embedded in one process: what an application that holds a node sees.

mod mesh;

use std::time::Duration;

use bytes::Bytes;
use tetrarch_wire::{ChannelClass, Event, ReplicaRole, Retention, frame::CreateChannel};

use mesh::Mesh;
use tetrarch_client::{FetchFrom, SubscribeOptions};

const PATIENCE: Duration = Duration::from_secs(20);

fn channel(name: &str) -> CreateChannel {
    CreateChannel {
        name: name.to_owned(),
        class: ChannelClass::Quorum,
        replicas: 3,
        filter: Default::default(),
        retention: Retention::FOREVER,
    }
}

fn event(number: u32) -> Event {
    Event::new(Bytes::from(format!("event {number}")))
}

#[tokio::test]
async fn three_nodes_replicate_a_channel() {
    let mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    client
        .admin()
        .create_channel(channel("orders"))
        .await
        .unwrap();
    let producer = client.producer("orders").await.unwrap();
    for number in 0..100 {
        producer.publish(event(number)).await.unwrap();
    }
    for name in ["n1", "n2", "n3"] {
        let options = SubscribeOptions {
            node: Some(name.to_owned()),
            ..Default::default()
        };
        let mut events = client.subscribe("orders", FetchFrom::Start, options);
        for number in 0..100 {
            let delivered = tokio::time::timeout(PATIENCE, events.next())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(delivered.event.payload, format!("event {number}"), "{name}");
        }
    }
    mesh.stop().await;
}

#[tokio::test]
async fn exactly_one_node_leads_and_the_watch_tells_how_it_came_about() {
    let mesh = Mesh::start(3).await;
    let mut watches: Vec<_> = mesh.nodes.iter().map(|node| node.transitions()).collect();
    let client = mesh.client().await;
    client
        .admin()
        .create_channel(channel("orders"))
        .await
        .unwrap();
    let producer = client.producer("orders").await.unwrap();
    producer.publish(event(1)).await.unwrap();
    let roles: Vec<_> = mesh.nodes.iter().map(|node| node.role("orders")).collect();
    let leaders = roles
        .iter()
        .filter(|role| **role == Some(ReplicaRole::Leader))
        .count();
    assert_eq!(leaders, 1, "{roles:?}");
    let leader = roles
        .iter()
        .position(|role| *role == Some(ReplicaRole::Leader))
        .unwrap();
    let mut steps = Vec::new();
    while steps.len() < 3 {
        let step = tokio::time::timeout(PATIENCE, watches[leader].recv())
            .await
            .unwrap()
            .unwrap();
        if step.channel == "orders" {
            steps.push(step.change.transition.signal().name());
        }
    }
    assert_eq!(
        steps,
        ["CapabilitySelected", "MissedHeartbeats", "ElectionWon"]
    );
    mesh.stop().await;
}

#[tokio::test]
async fn a_node_that_is_dropped_lets_go_of_its_store() {
    let mut mesh = Mesh::start(1).await;
    mesh.drop_all_and_restart_one().await;
    mesh.stop().await;
}

#[tokio::test]
async fn stopping_twice_is_stopping_once_and_a_restart_remembers() {
    let mut mesh = Mesh::start(3).await;
    let client = mesh.client().await;
    client
        .admin()
        .create_channel(channel("orders"))
        .await
        .unwrap();
    let producer = client.producer("orders").await.unwrap();
    for number in 0..10 {
        producer.publish(event(number)).await.unwrap();
    }
    drop((producer, client));
    mesh.stop().await;
    mesh.stop().await;
    mesh.restart().await;
    let client = mesh.client().await;
    let mut events = client.subscribe("orders", FetchFrom::Start, SubscribeOptions::default());
    for number in 0..10 {
        let delivered = tokio::time::timeout(PATIENCE, events.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(delivered.event.payload, format!("event {number}"));
    }
    mesh.stop().await;
}

#[tokio::test]
async fn a_node_without_its_mesh_says_what_is_missing() {
    let mesh = Mesh::start_some(3, 1).await;
    let error = mesh.nodes[0]
        .wait_ready(Duration::from_millis(200))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("the catalog has no leader"),
        "{error}"
    );
    mesh.stop().await;
}
