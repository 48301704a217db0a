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
    if timing.slot > timing.slot_cap {
        reader.problem_at(
            "timing.slot_ms",
            "must not be more than `timing.slot_cap_ms`",
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
    if timing.election_timeout < timing.heartbeat * 2 {
        let why = "must be at least two heartbeats: a leader that misses one is not gone";
        reader.problem_at("timing.election_timeout_ms", why);
    }
}

fn check_limits(file: &NodeFile, reader: &mut Reader) {
    let limits = &file.limits;
    if limits.channel_unacked_bytes > limits.node_unacked_bytes {
        let why = "must not be more than `limits.node_unacked_bytes`";
        reader.problem_at("limits.channel_unacked_bytes", why);
    }
    let storage = &file.storage;
    if storage.flush_trigger_bytes > storage.pending_max_bytes / 2 {
        let why = "must not be more than half of `storage.pending_max_bytes`: \
                   appends would wait for every flush";
        reader.problem_at("storage.flush_trigger_bytes", why);
    }
}
