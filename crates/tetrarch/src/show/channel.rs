//! A channel with its replicas.

use serde::Serialize;
use tetrarch_wire::frame::{ChannelStatus, Moving, ReplicaStatus};

use super::{RetentionShown, known};

/// A channel as the asked node sees it; `null` for what it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelShown {
    /// Its name.
    pub name: String,
    /// Its promise.
    pub class: &'static str,
    /// The number of its epoch.
    pub epoch: Option<u64>,
    /// Name of the node that leads.
    pub leader: Option<String>,
    /// Last seq in the log.
    pub tail: Option<u64>,
    /// Last committed seq.
    pub commit: Option<u64>,
    /// Whether it moves to other nodes.
    pub is_moving: bool,
    /// Its replicas.
    pub replicas: Vec<ReplicaShown>,
    /// First seq that is still there.
    pub log_start: Option<u64>,
    /// Why it is halted on the asked node.
    pub halted: Option<String>,
    /// Why the asked node does not vote in it, if it may have forgotten what it promised.
    pub limbo: Option<String>,
    /// How long it keeps events.
    pub retention: RetentionShown,
    /// Its uid.
    pub uid: String,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicaShown {
    /// Name of its node.
    pub node: String,
    /// Its role.
    pub role: Option<&'static str>,
    /// Whether it comes (`in`) or goes (`out`).
    pub moving: Option<&'static str>,
    /// Last durable seq.
    pub tail: Option<u64>,
    /// How many events it is behind.
    pub lag_events: Option<u64>,
    /// For how long it has been behind.
    pub lag_ms: Option<u64>,
}

impl From<ChannelStatus> for ChannelShown {
    fn from(channel: ChannelStatus) -> Self {
        let seq = |seq: tetrarch_wire::Seq| seq.get();
        Self {
            name: channel.name,
            class: channel.class.name(),
            epoch: channel.epoch.map(|epoch| epoch.n),
            leader: channel.leader,
            tail: channel.tail.map(seq),
            commit: channel.commit.map(seq),
            is_moving: !channel.placement.is_settled,
            replicas: channel.replicas.into_iter().map(Into::into).collect(),
            log_start: channel.log_start.map(seq),
            halted: channel.halted,
            limbo: channel.limbo,
            retention: channel.retention.into(),
            uid: channel.uid.to_string(),
        }
    }
}

impl From<ReplicaStatus> for ReplicaShown {
    fn from(replica: ReplicaStatus) -> Self {
        Self {
            node: replica.node,
            role: replica.role.map(|role| role.name()),
            moving: replica.moving.map(|moving| match moving {
                Moving::In => "in",
                Moving::Out => "out",
            }),
            tail: replica.tail.map(|seq| seq.get()),
            lag_events: replica.lag_events,
            lag_ms: replica.lag_ms,
        }
    }
}

impl ChannelShown {
    /// The headings of [`Self::row`].
    pub const HEADINGS: [&'static str; 7] = [
        "CHANNEL", "CLASS", ">EPOCH", "LEADER", ">TAIL", ">COMMIT", "REPLICAS",
    ];

    /// The channel as a row of a table.
    #[must_use]
    pub fn row(self) -> Vec<String> {
        let replicas: Vec<_> = self.replicas.iter().map(ReplicaShown::brief).collect();
        let name = match (self.halted, self.limbo) {
            (Some(_), _) => format!("{} (halted)", self.name),
            (None, Some(_)) => format!("{} (limbo)", self.name),
            (None, None) => self.name,
        };
        vec![
            name,
            self.class.to_owned(),
            known(self.epoch),
            known(self.leader),
            known(self.tail),
            known(self.commit),
            replicas.join("  "),
        ]
    }
}

impl ReplicaShown {
    /// The headings of [`Self::row`].
    pub const HEADINGS: [&'static str; 6] =
        ["NODE", "ROLE", "MOVES", ">TAIL", ">LAG EVENTS", ">LAG MS"];

    /// The replica as a row of a table.
    #[must_use]
    pub fn row(self) -> Vec<String> {
        vec![
            self.node,
            known(self.role),
            self.moving.unwrap_or("").to_owned(),
            known(self.tail),
            known(self.lag_events),
            known(self.lag_ms),
        ]
    }

    /// Node, role and lag in one word or two.
    #[must_use]
    pub fn brief(&self) -> String {
        let lag = match self.lag_events {
            Some(lag) if lag > 0 => format!(" -{lag}"),
            _ => String::new(),
        };
        format!("{}:{}{lag}", self.node, self.role.unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_are_null_in_json_and_a_question_in_tables() {
        let replica = ReplicaShown {
            moving: None,
            node: "n1".into(),
            role: None,
            tail: None,
            lag_events: None,
            lag_ms: Some(3),
        };
        assert_eq!(replica.brief(), "n1:?");
        let json = serde_json::to_value(&replica).unwrap();
        let expected = serde_json::json!(
            {"node": "n1", "role": null, "moving": null, "tail": null, "lag_events": null, "lag_ms": 3}
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn a_lag_is_shown_where_there_is_one() {
        let replica = ReplicaShown {
            moving: None,
            node: "n2".into(),
            role: Some("Replica"),
            tail: Some(5),
            lag_events: Some(7),
            lag_ms: None,
        };
        assert_eq!(replica.brief(), "n2:Replica -7");
        assert_eq!(replica.row(), ["n2", "Replica", "", "5", "7", "?"]);
    }
}
