//! The whole text of a scrape.

use std::collections::BTreeMap;

use tetrarch_wire::frame::{CloseCode, DiskLevel, FrameType, ProduceOutcome};

use super::*;

/// Something of everything, so that every metric has a series.
fn busy() -> (Telemetry, Vec<Box<dyn Send>>) {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    channel.transition_rejected(
        &StateTransition::apply(
            ReplicaRole::Idle,
            ReplicaRole::Leader,
            TransitionSignal::ElectionWon,
        )
        .unwrap_err(),
    );
    channel.halted(&tetrarch_replica::HaltReason::Corrupt);
    let replica = channel.replica("n2");
    let time = Some(Duration::from_millis(5));
    replica.observe(&Lag {
        events: Some(3),
        bytes: Some(300),
        time,
    });
    let subscription = channel.subscription("app");
    telemetry.certificate(
        Certificate::Node,
        UNIX_EPOCH + Duration::from_secs(2_000_000_000),
    );
    telemetry.store().damaged(0);
    telemetry.store().damaged_forks(0);
    telemetry.store().disk(&DiskSample {
        level: DiskLevel::Low,
        free: 5,
        size: 50,
    });
    let transport = telemetry.transport();
    transport.handshake_refused("wrong_cluster");
    transport.frame_refused("malformed");
    transport.frame_dropped(TrafficLane::Data, FrameType::Append, "queue_full");
    transport.round_trip("n2", Duration::from_micros(250));
    (
        telemetry,
        vec![Box::new(channel), Box::new(replica), Box::new(subscription)],
    )
}

/// The name of a metric as its definition has it, from the name of one of its series.
fn defined(series: &str) -> Option<&'static Definition> {
    metrics().find(|metric| match metric.kind {
        Kind::Counter | Kind::Gauge | Kind::Info => metric.name == series,
        Kind::Histogram => ["_sum", "_count", "_bucket"]
            .iter()
            .any(|part| series.strip_suffix(part) == Some(metric.name)),
    })
}

#[test]
fn every_metric_of_the_table_is_shown_and_nothing_else_is() {
    let (telemetry, _held) = busy();
    let text = telemetry.encode();
    let mut seen = BTreeMap::<&str, u64>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.split(['{', ' ']).next().unwrap();
        let definition = defined(series).unwrap_or_else(|| panic!("{series} is not in the table"));
        *seen.entry(definition.name).or_default() += 1;
        for label in definition.labels {
            assert!(
                line.contains(&format!("{label}=\"")),
                "{line} lacks {label}"
            );
        }
    }
    for metric in metrics() {
        assert!(
            seen.contains_key(metric.name),
            "{} has no series",
            metric.name
        );
    }
}

#[test]
fn headings_say_what_the_table_says() {
    let text = telemetry().encode();
    for metric in metrics() {
        let family = metric.name.trim_end_matches(match metric.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        });
        for heading in [
            format!("# HELP {family} {}\n", metric.help),
            format!("# TYPE {family} {}\n", metric.kind.name()),
        ] {
            assert_eq!(text.matches(&heading).count(), 1, "{heading}");
        }
        if metric.unit != Unit::None {
            assert!(text.contains(&format!("# UNIT {family} {}\n", metric.unit.name())));
        }
    }
    assert_eq!(text.matches("# TYPE ").count(), metrics().count());
}

#[test]
fn no_series_is_there_twice_and_the_text_ends_with_its_mark() {
    let (telemetry, _held) = busy();
    let text = telemetry.encode();
    assert!(text.ends_with("\n# EOF\n"));
    let mut series: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all);
}

#[test]
fn what_is_measured_is_what_is_shown() {
    let telemetry = telemetry();
    let (store, transport) = (telemetry.store(), telemetry.transport());
    store.state(StoreState::Healthy);
    store.error(StoreErrorKind::StorageFull);
    store.damaged(2);
    store.damaged_forks(3);
    store.mended();
    store.group_synced(&GroupSynced {
        bytes: 8_192,
        requests: 3,
        time: Duration::from_micros(180),
    });
    store.disk(&DiskSample {
        level: DiskLevel::Low,
        free: 5,
        size: 50,
    });
    transport.bytes(TrafficLane::Beat, Direction::Sent, 100);
    transport.closed(CloseCode::Malformed);
    let peer = transport.connection(ConnectionKind::Peer);
    telemetry.clients().produced(&ProduceOutcome::StorageFull);
    telemetry.clients().produced(ProduceCode::RetryQueueFull);
    telemetry.clients().committed(Duration::from_millis(2));
    let queue = telemetry.queue(Queue::WalWrites);
    queue.add(5);
    telemetry.queue(Queue::WalWrites).sub(2);
    telemetry.certificates_reloaded(Outcome::Failed);
    for (series, expected) in [
        ("tetrarch_node_info{node=\"n1\",cluster=\"c0ffee\"}", 1.0),
        ("tetrarch_start_time_seconds", 1.5),
        ("tetrarch_store_state{state=\"healthy\"}", 1.0),
        ("tetrarch_store_state{state=\"recovering\"}", 0.0),
        ("tetrarch_store_errors_total{kind=\"storage_full\"}", 1.0),
        ("tetrarch_damaged_segments", 2.0),
        ("tetrarch_damaged_forks", 3.0),
        ("tetrarch_segments_mended_total", 1.0),
        (
            "tetrarch_wal_sync_latency_seconds_bucket{le=\"0.0001\"}",
            0.0,
        ),
        (
            "tetrarch_wal_sync_latency_seconds_bucket{le=\"0.0002\"}",
            1.0,
        ),
        ("tetrarch_wal_sync_latency_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("tetrarch_wal_group_bytes_sum", 8_192.0),
        ("tetrarch_wal_group_requests_count", 1.0),
        ("tetrarch_disk_level{level=\"low\"}", 1.0),
        ("tetrarch_disk_level{level=\"green\"}", 0.0),
        ("tetrarch_disk_free_bytes", 5.0),
        (
            "tetrarch_transport_bytes_total{lane=\"beat\",direction=\"sent\"}",
            100.0,
        ),
        (
            "tetrarch_transport_bytes_total{lane=\"beat\",direction=\"received\"}",
            0.0,
        ),
        ("tetrarch_connections_closed_total{code=\"malformed\"}", 1.0),
        ("tetrarch_connections{kind=\"peer\"}", 1.0),
        (
            "tetrarch_produce_requests_total{code=\"storage_full\"}",
            1.0,
        ),
        (
            "tetrarch_produce_requests_total{code=\"retry_queue_full\"}",
            1.0,
        ),
        ("tetrarch_commit_latency_seconds_sum", 0.002),
        ("tetrarch_queue_depth{queue=\"wal_writes\"}", 3.0),
        (
            "tetrarch_certificate_reloads_total{outcome=\"failed\"}",
            1.0,
        ),
    ] {
        assert_eq!(value(&telemetry, series), Some(expected), "{series}");
    }
    drop(peer);
    assert_eq!(
        value(&telemetry, "tetrarch_connections{kind=\"peer\"}"),
        Some(0.0)
    );
}

#[test]
fn what_is_not_known_is_absent() {
    let telemetry = telemetry();
    for series in [
        "tetrarch_disk_free_bytes",
        "tetrarch_disk_level{level=\"green\"}",
        "tetrarch_certificate_not_after_timestamp_seconds{certificate=\"node\"}",
        "tetrarch_peer_round_trip_seconds{peer=\"n2\"}",
    ] {
        assert_eq!(value(&telemetry, series), None, "{series}");
    }
    telemetry
        .transport()
        .round_trip("n2", Duration::from_millis(250));
    let round_trip = "tetrarch_peer_round_trip_seconds{peer=\"n2\"}";
    assert_eq!(value(&telemetry, round_trip), Some(0.25));
    telemetry.transport().peer_down("n2");
    assert_eq!(value(&telemetry, round_trip), None);
}

#[test]
fn a_number_beyond_what_the_text_can_hold_does_not_spoil_it() {
    let telemetry = telemetry();
    let sample = DiskSample {
        level: DiskLevel::Green,
        free: u64::MAX,
        size: u64::MAX,
    };
    telemetry.store().disk(&sample);
    assert!(telemetry.encode().ends_with("# EOF\n"));
}

#[test]
fn two_nodes_of_one_process_do_not_mix() {
    let (one, other) = (telemetry(), telemetry());
    one.clients().produced(ProduceCode::Denied);
    let series = "tetrarch_produce_requests_total{code=\"denied\"}";
    assert_eq!(value(&one, series), Some(1.0));
    assert_eq!(value(&other, series), Some(0.0));
}

#[test]
fn the_version_that_runs_is_shown() {
    let series = concat!(
        "tetrarch_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\"}"
    );
    assert_eq!(value(&telemetry(), series), Some(1.0));
}
