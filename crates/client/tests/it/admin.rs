//! Operators' commands through any node.

use tetrarch_client::{Client, Error};
use tetrarch_wire::{
    ChannelClass, Retention,
    frame::{CreateChannel, LabelFilter, RetryReason},
};

use crate::mesh::{CHANNEL, Mesh};

fn channel(name: &str) -> CreateChannel {
    CreateChannel {
        name: name.to_owned(),
        class: ChannelClass::Quorum,
        replicas: 3,
        filter: LabelFilter::default(),
        retention: Retention::FOREVER,
    }
}

#[tokio::test]
async fn commands_find_the_leader_and_pages_are_followed() {
    let mesh = Mesh::start(3).await;
    mesh.elect(2);
    let client = mesh.client().await;
    let admin = client.admin();
    for name in ["a", "b", "c", "d", "e"] {
        let entry = admin.create_channel(channel(name)).await.unwrap();
        assert_eq!(entry.name, name);
    }
    let listed = admin.list_channels().await.unwrap();
    let names: Vec<&str> = listed.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let status = admin.status().await.unwrap();
    assert_eq!((status.nodes.len(), status.channels.len()), (3, 5));
    assert_eq!(admin.show_channel("c").await.unwrap().name, "c");
    admin.alter_channel("c", Retention::FOREVER).await.unwrap();
    admin.delete_channel("c").await.unwrap();
    let error = admin.show_channel("c").await.unwrap_err();
    assert!(matches!(error, Error::UnknownChannel { .. }), "{error}");
}

#[tokio::test]
async fn a_handover_is_asked_of_the_leader_although_others_do_not_know_it() {
    let mesh = Mesh::start(3).await;
    mesh.elect(2);
    let client = mesh.client().await;
    let admin = client.admin();
    admin.relinquish(CHANNEL, Some("n2")).await.unwrap();
    let error = admin.relinquish("absent", None).await.unwrap_err();
    assert!(matches!(error, Error::UnknownChannel { .. }), "{error}");
}

#[tokio::test]
async fn refusals_are_typed_and_bad_names_never_leave() {
    let mesh = Mesh::start(1).await;
    let client = mesh.client().await;
    let admin = client.admin();
    admin.create_channel(channel("a")).await.unwrap();
    match admin.create_channel(channel("a")).await.unwrap_err() {
        Error::Refused { reason, .. } => assert_eq!(reason, RetryReason::Exists),
        other => panic!("{other}"),
    }
    let error = admin.create_channel(channel("__meta")).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    let error = admin.relinquish("a", Some("n7")).await.unwrap_err();
    assert!(matches!(error, Error::UnknownNode { .. }), "{error}");
}

#[tokio::test]
async fn a_command_whose_answer_was_lost_counts_when_it_is_found_done() {
    let mesh = Mesh::start(2).await;
    let client = mesh.client().await;
    mesh.shared.change(|world| world.lose_admin_answers = 1);
    let entry = client.admin().create_channel(channel("a")).await.unwrap();
    assert_eq!(entry.name, "a");
    mesh.shared.change(|world| world.lose_admin_answers = 1);
    client.admin().delete_channel("a").await.unwrap();
    assert!(client.admin().list_channels().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_client_that_the_mesh_does_not_know_is_refused_at_once() {
    let (mesh, other) = (Mesh::start(1).await, Mesh::start(1).await);
    let mut config = other.config();
    config.seeds = mesh.config().seeds;
    let error = Client::connect(config).await.unwrap_err();
    assert!(matches!(error, Error::Dial(_)), "{error}");
    assert!(!error.can_retry());
}
