//! Every metric of a node: the only place where a name, a unit, a label or a help text is written
//! down. `docs/metrics.md` is generated from it.

use super::definition::{Definition, Kind, Topic, Unit};

macro_rules! topic {
    ($topic:ident: $(
        $name:ident = $kind:ident($unit:ident) $metric:literal [$($label:literal),*] $help:literal;
    )+) => {
        $(
            pub(super) const $name: Definition = Definition {
                name: $metric,
                kind: Kind::$kind,
                unit: Unit::$unit,
                labels: &[$($label),*],
                help: $help,
            };
        )+
        const $topic: &[Definition] = &[$($name),+];
    };
}

topic! { NODE:
    BUILD_INFO = Info(None) "tetrarch_build_info" ["version"]
        "The version that runs.";
    NODE_INFO = Info(None) "tetrarch_node_info" ["node", "cluster"]
        "The name of the node and the mesh that it belongs to.";
    START_TIME = Gauge(Seconds) "tetrarch_start_time_seconds" []
        "When the node started, in seconds of Unix time.";
    CERTIFICATE_NOT_AFTER = Gauge(Seconds)
        "tetrarch_certificate_not_after_timestamp_seconds" ["certificate"]
        "When the certificate that is in use runs out, in seconds of Unix time.";
    CERTIFICATE_RELOADS = Counter(None) "tetrarch_certificate_reloads_total" ["outcome"]
        "Times that certificates were read again.";
    QUEUE_DEPTH = Gauge(None) "tetrarch_queue_depth" ["queue"]
        "What waits in a queue now, over all queues of that kind.";
}

topic! { ROLES:
    TRANSITIONS = Counter(None) "tetrarch_transitions_total" ["from", "to", "signal"]
        "Changes of a replica's role. Every transition that exists is here, from the start.";
    TRANSITIONS_REJECTED = Counter(None)
        "tetrarch_transitions_rejected_total" ["from", "to", "signal", "reason"]
        "Changes of role that were attempted although they do not exist. Anything but 0 is a bug.";
    ELECTIONS = Counter(None) "tetrarch_elections_total" ["outcome"]
        "Candidacies of this node that ended.";
    CHANNELS = Gauge(None) "tetrarch_channels" []
        "Channels that are open on this node.";
    CHANNELS_FOLDED = Gauge(None) "tetrarch_channels_folded" []
        "Open channels without series of their own: they share those of `__other__`.";
    CHANNEL_ROLE = Gauge(None) "tetrarch_channel_role" ["channel", "role"]
        "1 for the role that this node has in the channel, else 0. For `__other__`, the number of channels.";
    CHANNEL_EPOCH = Gauge(None) "tetrarch_channel_epoch" ["channel"]
        "The number of the highest epoch seen. Not given for `__other__`.";
    CHANNEL_HALTED = Gauge(None) "tetrarch_channel_halted" ["channel", "reason"]
        "1 if the channel takes no part on this node until somebody looks at it. For `__other__`, the number of channels.";
    CHANNEL_LIMBO = Gauge(None) "tetrarch_channel_limbo" ["channel"]
        "1 if this node may have forgotten what it promised in the channel, and does not vote until it has caught up, else 0. For `__other__`, the number of channels.";
    CHANNEL_FORKS = Gauge(None) "tetrarch_channel_forks" ["channel"]
        "Forks of a channel of the class `available` that this node keeps until all their events are in the log. For `__other__`, the sum.";
    CHANNEL_FORK_EVENTS = Gauge(None) "tetrarch_channel_fork_events" ["channel"]
        "Events in those forks. For `__other__`, the sum.";
    CHANNEL_LEADERLESS = Counter(Seconds) "tetrarch_channel_leaderless_seconds_total" ["channel"]
        "Time in which this node knew no leader of the channel. For `__other__`, the sum.";
}

topic! { REPLICATION:
    CHANNEL_LOG_START = Gauge(None) "tetrarch_channel_log_start_seq" ["channel"]
        "First seq that this node still holds. Not given for `__other__`.";
    CHANNEL_TAIL = Gauge(None) "tetrarch_channel_tail_seq" ["channel"]
        "Last seq in this node's log. Not given for `__other__`.";
    CHANNEL_DURABLE = Gauge(None) "tetrarch_channel_durable_seq" ["channel"]
        "Last seq that is durable on this node. Not given for `__other__`.";
    CHANNEL_COMMIT = Gauge(None) "tetrarch_channel_commit_seq" ["channel"]
        "Last seq that this node knows to be committed. Not given for `__other__`.";
    APPENDED_EVENTS = Counter(None) "tetrarch_appended_events_total" ["channel"]
        "Events appended to the channel's log on this node. For `__other__`, the sum.";
    APPENDED_BYTES = Counter(Bytes) "tetrarch_appended_bytes_total" ["channel"]
        "Bytes of the batches appended to the channel's log on this node. For `__other__`, the sum.";
    SEALED_EVENTS = Counter(None) "tetrarch_fork_events_sealed_total" ["channel"]
        "Events that were cut off the log on this node and are in a fork. For `__other__`, the sum.";
    REPUBLISHED_EVENTS = Counter(None) "tetrarch_fork_events_republished_total" ["channel"]
        "Events of forks that this node, as the leader, has appended to the log. For `__other__`, the sum.";
    KNOWN_EVENTS = Counter(None) "tetrarch_fork_events_known_total" ["channel"]
        "Events of forks that were in the log already when this node, as the leader, came to them. For `__other__`, the sum.";
    LAG_EVENTS = Gauge(None) "tetrarch_replica_lag_events" ["channel", "replica"]
        "Events by which the replica is behind, as far as this node knows; absent if it does not. For `__other__`, the worst.";
    LAG_BYTES = Gauge(Bytes) "tetrarch_replica_lag_bytes" ["channel", "replica"]
        "Bytes by which the replica is behind, as far as this node knows; absent if it does not. For `__other__`, the worst.";
    LAG_SECONDS = Gauge(Seconds) "tetrarch_replica_lag_seconds" ["channel", "replica"]
        "For how long the replica has been behind, as far as this node knows; absent if it does not. For `__other__`, the worst.";
    LAG_AGE = Gauge(Seconds) "tetrarch_replica_lag_age_seconds" ["channel", "replica"]
        "How old the facts are on which the replica's lag rests. For `__other__`, the oldest.";
}

topic! { CLIENTS:
    PRODUCE = Counter(None) "tetrarch_produce_requests_total" ["code"]
        "Produce requests that were answered, by what became of them.";
    REQUESTS_REFUSED = Counter(None) "tetrarch_requests_refused_total" ["reason"]
        "Other requests and subscriptions that were refused or ended, by the reason that the client was told.";
    COMMIT_LATENCY = Histogram(Seconds) "tetrarch_commit_latency_seconds" []
        "From the arrival of a produce request at the leader to its commit.";
    SUBSCRIPTIONS = Gauge(None) "tetrarch_subscriptions" ["channel"]
        "Subscriptions that this node serves. For `__other__`, the sum.";
    SUBSCRIPTION_LAG = Gauge(None) "tetrarch_subscription_lag_events" ["channel", "client"]
        "Committed events that a client's slowest subscription has still to be sent. For `__other__`, the worst.";
    DELIVERED_EVENTS = Counter(None) "tetrarch_delivered_events_total" ["channel"]
        "Events sent to subscribers and readers. For `__other__`, the sum.";
    DELIVERED_BYTES = Counter(Bytes) "tetrarch_delivered_bytes_total" ["channel"]
        "Bytes of the batches sent to subscribers and readers. For `__other__`, the sum.";
}

topic! { STORE:
    STORE_STATE = Gauge(None) "tetrarch_store_state" ["state"]
        "1 for the state that the store is in, else 0.";
    STORE_ERRORS = Counter(None) "tetrarch_store_errors_total" ["kind"]
        "Operations on files that failed, by what the failure means.";
    DAMAGED = Gauge(None) "tetrarch_damaged_segments" []
        "Segments that are known to be damaged and not mended yet.";
    DAMAGED_FORKS = Gauge(None) "tetrarch_damaged_forks" []
        "Forks that are known to be damaged.";
    MENDED = Counter(None) "tetrarch_segments_mended_total" []
        "Segments that were damaged and are whole again, with batches of other replicas.";
    SYNC_LATENCY = Histogram(Seconds) "tetrarch_wal_sync_latency_seconds" []
        "From handing a group of the write-ahead log to the disk to its being durable.";
    GROUP_BYTES = Histogram(Bytes) "tetrarch_wal_group_bytes" []
        "Bytes that became durable with one sync.";
    GROUP_REQUESTS = Histogram(None) "tetrarch_wal_group_requests" []
        "Requests that became durable with one sync.";
    DISK_LEVEL = Gauge(None) "tetrarch_disk_level" ["level"]
        "1 for the level of the store's disk, else 0.";
    DISK_FREE = Gauge(Bytes) "tetrarch_disk_free_bytes" []
        "Free bytes on the store's file system.";
    DISK_SIZE = Gauge(Bytes) "tetrarch_disk_size_bytes" []
        "Size of the store's file system.";
}

topic! { TRANSPORT:
    CONNECTIONS = Gauge(None) "tetrarch_connections" ["kind"]
        "Connections that carry frames now.";
    CONNECTIONS_CLOSED = Counter(None) "tetrarch_connections_closed_total" ["code"]
        "Connections that this node closed for cause.";
    HANDSHAKES_REFUSED = Counter(None) "tetrarch_handshakes_refused_total" ["reason"]
        "Connections that were refused before they could carry frames.";
    TRANSPORT_BYTES = Counter(Bytes) "tetrarch_transport_bytes_total" ["lane", "direction"]
        "Bytes of frames, by the lane that they took.";
    FRAMES_REFUSED = Counter(None) "tetrarch_frames_refused_total" ["reason"]
        "Frames that arrived and were not accepted.";
    FRAMES_DROPPED = Counter(None) "tetrarch_frames_dropped_total" ["lane", "frame", "reason"]
        "Frames that were dropped on their way out.";
    ROUND_TRIP = Gauge(Seconds) "tetrarch_peer_round_trip_seconds" ["peer"]
        "The round trip to a peer that was measured last.";
}

/// Every metric, by topic.
pub const TOPICS: &[Topic] = &[
    Topic {
        title: "The node",
        metrics: NODE,
    },
    Topic {
        title: "Roles and elections",
        metrics: ROLES,
    },
    Topic {
        title: "Replication",
        metrics: REPLICATION,
    },
    Topic {
        title: "Clients",
        metrics: CLIENTS,
    },
    Topic {
        title: "The store",
        metrics: STORE,
    },
    Topic {
        title: "Transport",
        metrics: TRANSPORT,
    },
];

/// Every metric, in the order of the table.
pub fn metrics() -> impl Iterator<Item = &'static Definition> {
    TOPICS.iter().flat_map(|topic| topic.metrics)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_begin_with_the_name_of_the_product() {
        let names: BTreeSet<&str> = metrics().map(|metric| metric.name).collect();
        assert_eq!(names.len(), metrics().count());
        for name in names {
            assert!(name.starts_with("tetrarch_"), "{name}");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_ends_in_what_its_kind_and_unit_ask_for_and_in_nothing_else() {
        for metric in metrics() {
            let kind = match metric.kind {
                Kind::Counter => "_total",
                Kind::Info => "_info",
                Kind::Gauge | Kind::Histogram => "",
            };
            let unit = match metric.unit {
                Unit::None => String::new(),
                Unit::Seconds | Unit::Bytes => format!("_{}", metric.unit.name()),
            };
            assert_eq!(metric.name, format!("{}{unit}{kind}", metric.stem()));
            for word in [
                "_total", "_info", "_seconds", "_bytes", "_count", "_sum", "_bucket",
            ] {
                assert!(
                    !metric.stem().ends_with(word),
                    "{} has a {word} too many",
                    metric.name
                );
            }
        }
    }

    #[test]
    fn help_is_a_sentence_on_one_line_that_needs_no_escape() {
        for metric in metrics() {
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            assert!(!metric.help.contains(['\n', '\\', '"']), "{}", metric.name);
        }
    }
}
