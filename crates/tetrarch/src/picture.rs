//! The state of a mesh, asked of all its nodes at once.

use std::time::Duration;

use tetrarch_client::{Client, Status};
use tetrarch_wire::frame::ChannelStatus;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::Error;
use crate::show;

/// How long a further node may take. What it would have said is unknown otherwise.
const PATIENCE: Duration = Duration::from_secs(1);

/// What all nodes say that are heard, as one picture.
///
/// # Errors
/// If no node answers.
pub async fn of_all(client: &Client) -> Result<Status, Error> {
    let mut picture = client.admin().status().await?;
    let mut asked = JoinSet::new();
    for node in &picture.nodes {
        if node.alive && node.name != picture.asked {
            asked.spawn(ask(client.clone(), node.name.clone()));
        }
    }
    while let Some(answer) = asked.join_next().await {
        if let Ok(Some(status)) = answer {
            show::merge(&mut picture, status);
        }
    }
    Ok(picture)
}

async fn ask(client: Client, node: String) -> Option<Status> {
    let admin = client.admin();
    match timeout(PATIENCE, admin.through(&node).status()).await {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::debug!(node, %error, "a node does not tell its state");
            None
        }
        Err(_) => None,
    }
}

/// What all nodes say of one channel, as one picture.
///
/// # Errors
/// If no node answers, or none knows the channel.
pub async fn of_channel(client: &Client, name: &str) -> Result<ChannelStatus, Error> {
    // A node that knows no such channel gives the right error.
    let known = client.admin().show_channel(name).await?;
    let picture = of_all(client).await?;
    let found = picture
        .channels
        .into_iter()
        .find(|channel| channel.name == name);
    Ok(found.unwrap_or(known))
}
