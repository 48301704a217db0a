//! Who has which role, followed from outside: one node is asked again and again, and another as
//! soon as it is silent.

use std::fmt;
use std::time::Duration;

use tetrarch_client::{Client, Status};
use tokio::time::{sleep, timeout};

use super::stage::Stage;

/// How often a node is asked.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long it may take to answer before another is asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// The roles in one channel, as one node sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    epoch: Option<u64>,
    nodes: Vec<(String, &'static str)>,
}

impl Roles {
    /// The roles that a status tells of; `None` if it does not know the channel.
    pub(super) fn of(channel: &str, status: &Status) -> Option<Self> {
        let shown = status.channels.iter().find(|one| one.name == channel)?;
        let is_down = |name: &str| {
            status
                .nodes
                .iter()
                .any(|one| one.name == name && !one.alive)
        };
        let role = |replica: &tetrarch_wire::frame::ReplicaStatus| {
            let role = match replica.role {
                _ if is_down(&replica.node) => "down",
                Some(role) => role.name(),
                None => "?",
            };
            (replica.node.clone(), role)
        };
        let mut nodes: Vec<_> = shown.replicas.iter().map(role).collect();
        nodes.sort();
        let epoch = shown.epoch.map(|epoch| epoch.n);
        Some(Self { epoch, nodes })
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.epoch {
            Some(epoch) => write!(f, "epoch {epoch:<4}")?,
            None => f.write_str("epoch ?   ")?,
        }
        for (node, role) in &self.nodes {
            write!(f, "  {node} {role:<9}")?;
        }
        Ok(())
    }
}

/// Shows the roles whenever they change, for ever.
pub(super) async fn watch(client: Client, channel: &'static str, nodes: Vec<String>, stage: Stage) {
    let mut last = None;
    let mut asked = nodes.iter().cycle();
    let mut node = asked.next();
    while let Some(name) = node {
        match timeout(PATIENCE, client.admin().through(name).status()).await {
            Ok(Ok(status)) => {
                let roles = Roles::of(channel, &status);
                if roles.is_some() && roles != last {
                    if let Some(roles) = &roles {
                        stage.say(format_args!("{roles}").to_string().trim_end());
                    }
                    last = roles;
                }
            }
            Ok(Err(_)) | Err(_) => node = asked.next(),
        }
        sleep(ASK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_aligned_and_says_what_is_unknown() {
        let roles = Roles {
            epoch: None,
            nodes: vec![("n1".into(), "down"), ("n2".into(), "Leader")],
        };
        assert_eq!(roles.to_string(), "epoch ?     n1 down       n2 Leader   ");
    }
}
