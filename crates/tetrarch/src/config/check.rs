//! Values that are possible each alone, but not together.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::sections::NodeFile;

/// Notes every contradiction between settings.
pub(super) fn check(file: &NodeFile, reader: &mut Reader) {
    check_addresses(file, reader);
    check_peers(file, reader);
    check_timing(file, reader);
    check_limits(file, reader);
}

fn check_addresses(file: &NodeFile, reader: &mut Reader) {
    let Some(address) = &file.listen.address else {
        return;
    };
    match &file.listen.advertise {
        None if address.is_unspecified() => {
            let why = "is every address of this machine, which nobody can dial: \
                       give `listen.advertise` too";
            reader.problem_at("listen.address", why);
        }
        Some(advertise) if advertise.is_unspecified() => {
            reader.problem_at(
                "listen.advertise",
                "must be an address that others can dial",
            );
        }
        _ => {}
    }
}

fn check_peers(file: &NodeFile, reader: &mut Reader) {
    let mut seen = BTreeMap::new();
    for (name, address) in &file.peers {
        if *name == file.node.name {
            reader.problem_at("peers", &format!("names this node itself, `{name}`"));
        }
        if let Some(other) = seen.insert(address, name) {
            reader.problem_at(
                "peers",
                &format!("gives `{other}` and `{name}` the same address"),
            );
        }
    }
}

fn check_timing(file: &NodeFile, reader: &mut Reader) {
    let timing = &file.timing;
    if timing.slot_min > timing.slot_max {
        reader.problem_at(
            "timing.slot_min_ms",
            "must not be more than `timing.slot_max_ms`",
        );
    }
    if timing.silence().as_secs() > 30 {
        let silence = timing.silence().as_millis();
        let why = format!(
            "times `timing.heartbeat_ms` is {silence} ms, but a leader must count as silent \
             within 30000 ms"
        );
        reader.problem_at("timing.missed", &why);
    }
    if timing.election_jitter > timing.silence() * 4 {
        let why = "must not be more than four times the silence (heartbeat_ms × missed): \
                   most of the time without a leader would be spent waiting";
        reader.problem_at("timing.election_jitter_ms", why);
    }
}

fn check_limits(file: &NodeFile, reader: &mut Reader) {
    let limits = &file.limits;
    if limits.channel_inflight_bytes > limits.node_inflight_bytes {
        let why = "must not be more than `limits.node_inflight_bytes`";
        reader.problem_at("limits.channel_inflight_bytes", why);
    }
}
