//! Series of channels: their own, shared ones, and their end.

use tetrarch_replica::HaltReason;

use super::*;

fn of(name: &str, channel: &str) -> String {
    format!("{name}{{channel=\"{channel}\"}}")
}

fn lag(name: &str, channel: &str) -> String {
    format!("tetrarch_replica_lag_{name}{{channel=\"{channel}\",replica=\"n2\"}}")
}

fn at_most(max_channels: usize) -> Telemetry {
    limited(SeriesLimit {
        pattern: Pattern::new("*"),
        max_channels,
    })
}

#[test]
fn the_series_of_a_channel_end_when_its_last_handle_is_dropped() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    let clone = channel.clone();
    let replica = channel.replica("n2");
    replica.observe(&Lag {
        events: Some(1),
        ..Lag::default()
    });
    drop(channel);
    assert!(telemetry.encode().contains("channel=\"orders\""));
    assert_eq!(value(&telemetry, "tetrarch_channels"), Some(1.0));
    drop(clone);
    assert!(!telemetry.encode().contains("channel=\"orders\""));
    assert_eq!(value(&telemetry, "tetrarch_channels"), Some(0.0));
}

#[test]
fn where_a_channel_stands_is_shown() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    channel.progress(&Progress {
        epoch: Epoch::new(3, VoterId::NONE),
        leader_known: true,
        log_start: Seq::new(2),
        tail: Seq::new(9),
        durable: Seq::new(8),
        commit: Seq::new(7),
    });
    for (name, expected) in [
        ("tetrarch_channel_epoch", 3.0),
        ("tetrarch_channel_log_start_seq", 2.0),
        ("tetrarch_channel_tail_seq", 9.0),
        ("tetrarch_channel_durable_seq", 8.0),
        ("tetrarch_channel_commit_seq", 7.0),
    ] {
        assert_eq!(
            value(&telemetry, &of(name, "orders")),
            Some(expected),
            "{name}"
        );
    }
    let series = of("tetrarch_channel_leaderless_seconds_total", "orders");
    let before = value(&telemetry, &series);
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(value(&telemetry, &series), before);
}

#[test]
fn channels_beyond_the_limit_or_outside_the_pattern_share_series() {
    let telemetry = limited(SeriesLimit {
        pattern: Pattern::new("eu/*"),
        max_channels: 1,
    });
    let own = telemetry.channel("eu/a");
    let beyond = telemetry.channel("eu/b");
    let outside = telemetry.channel("us/a");
    own.appended(1, 10);
    beyond.appended(2, 20);
    outside.appended(3, 30);
    beyond.halted(&HaltReason::Corrupt);
    outside.halted(&HaltReason::Corrupt);
    let appended = "tetrarch_appended_events_total";
    assert_eq!(value(&telemetry, &of(appended, "eu/a")), Some(1.0));
    assert_eq!(value(&telemetry, &of(appended, OTHER)), Some(5.0));
    assert_eq!(
        value(&telemetry, &of("tetrarch_appended_bytes_total", OTHER)),
        Some(50.0)
    );
    assert_eq!(value(&telemetry, &of(appended, "eu/b")), None);
    let idle = "tetrarch_channel_role{channel=\"__other__\",role=\"Idle\"}";
    assert_eq!(value(&telemetry, idle), Some(2.0));
    let halted = "tetrarch_channel_halted{channel=\"__other__\",reason=\"corrupt\"}";
    assert_eq!(value(&telemetry, halted), Some(2.0));
    assert_eq!(
        value(&telemetry, &of("tetrarch_channel_epoch", OTHER)),
        None
    );
    assert_eq!(value(&telemetry, "tetrarch_channels_folded"), Some(2.0));
}

#[test]
fn counters_that_are_shared_do_not_fall_when_a_channel_closes() {
    let telemetry = at_most(0);
    let stays = telemetry.channel("a");
    let goes = telemetry.channel("b");
    stays.appended(1, 10);
    goes.delivered(4, 40);
    drop(goes);
    drop(stays);
    assert_eq!(
        value(&telemetry, &of("tetrarch_appended_events_total", OTHER)),
        Some(1.0)
    );
    assert_eq!(
        value(&telemetry, &of("tetrarch_delivered_bytes_total", OTHER)),
        Some(40.0)
    );
    assert_eq!(value(&telemetry, "tetrarch_channels_folded"), Some(0.0));
}

#[test]
fn a_closed_channel_makes_room_for_another() {
    let telemetry = at_most(1);
    let first = telemetry.channel("a");
    let second = telemetry.channel("b");
    let epoch = |channel| value(&telemetry, &of("tetrarch_channel_epoch", channel));
    assert_eq!((epoch("a"), epoch("b")), (Some(0.0), None));
    drop(first);
    let third = telemetry.channel("c");
    assert_eq!(
        (epoch("a"), epoch("b"), epoch("c")),
        (None, None, Some(0.0))
    );
    drop((second, third));
}

#[test]
fn the_mesh_s_own_channels_are_never_folded() {
    let telemetry = at_most(0);
    let _meta = telemetry.channel("__meta");
    assert_eq!(
        value(&telemetry, &of("tetrarch_channel_epoch", "__meta")),
        Some(0.0)
    );
}

#[test]
fn a_channel_that_is_deleted_and_created_again_has_one_set_of_series() {
    let telemetry = telemetry();
    let old = telemetry.channel("orders");
    let new = telemetry.channel("orders");
    old.appended(1, 1);
    new.appended(2, 2);
    assert_eq!(
        value(&telemetry, &of("tetrarch_appended_events_total", "orders")),
        Some(3.0)
    );
}

#[test]
fn lag_is_shown_while_it_is_known() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    let replica = channel.replica("n2");
    assert_eq!(value(&telemetry, &lag("events", "orders")), None);
    let time = Some(Duration::from_millis(1_500));
    replica.observe(&Lag {
        events: Some(4),
        bytes: None,
        time,
    });
    assert_eq!(value(&telemetry, &lag("events", "orders")), Some(4.0));
    assert_eq!(value(&telemetry, &lag("seconds", "orders")), Some(1.5));
    assert_eq!(value(&telemetry, &lag("bytes", "orders")), None);
    assert!(value(&telemetry, &lag("age_seconds", "orders")).is_some());
    replica.forget();
    assert_eq!(value(&telemetry, &lag("events", "orders")), None);
    replica.observe(&Lag {
        events: Some(0),
        ..Lag::default()
    });
    assert_eq!(value(&telemetry, &lag("events", "orders")), Some(0.0));
    drop(replica);
    assert_eq!(value(&telemetry, &lag("events", "orders")), None);
}

#[test]
fn a_change_of_role_forgets_the_lag_of_others() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    let replica = channel.replica("n2");
    replica.observe(&Lag {
        events: Some(4),
        ..Lag::default()
    });
    let lost = TransitionSignal::QuorumLost;
    channel.transition(&change(ReplicaRole::Leader, ReplicaRole::Replica, lost));
    assert_eq!(value(&telemetry, &lag("events", "orders")), None);
}

#[test]
fn of_shared_lags_the_worst_is_shown() {
    let telemetry = at_most(0);
    let channels = ["a", "b", "c"].map(|name| telemetry.channel(name));
    let replicas = channels.each_ref().map(|channel| channel.replica("n2"));
    for (replica, events) in replicas.iter().zip([Some(4), Some(9), None]) {
        replica.observe(&Lag {
            events,
            ..Lag::default()
        });
    }
    assert_eq!(value(&telemetry, &lag("events", OTHER)), Some(9.0));
}

#[test]
fn subscriptions_are_counted_and_the_slowest_of_a_client_is_shown() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    let slow = channel.subscription("app");
    let quick = channel.subscription("app");
    slow.lag(100);
    quick.lag(1);
    let lag = "tetrarch_subscription_lag_events{channel=\"orders\",client=\"app\"}";
    assert_eq!(value(&telemetry, lag), Some(100.0));
    assert_eq!(
        value(&telemetry, &of("tetrarch_subscriptions", "orders")),
        Some(2.0)
    );
    drop(slow);
    assert_eq!(value(&telemetry, lag), Some(1.0));
    drop(quick);
    assert_eq!(value(&telemetry, lag), None);
    assert_eq!(
        value(&telemetry, &of("tetrarch_subscriptions", "orders")),
        Some(0.0)
    );
}

#[test]
fn the_name_of_a_client_cannot_forge_a_series() {
    let telemetry = telemetry();
    let channel = telemetry.channel("orders");
    let subscription = channel.subscription("x\"} 1\ntetrarch_forged 1\n");
    subscription.lag(2);
    let text = telemetry.encode();
    assert!(!text.lines().any(|line| line.starts_with("tetrarch_forged")));
    assert!(text.contains("client=\"x\\\"} 1\\ntetrarch_forged 1\\n\"} 2\n"));
}
