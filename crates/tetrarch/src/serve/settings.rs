//! From `node.toml` to what a node wants to know.

use std::net::SocketAddr;
use std::thread::available_parallelism;

use tetrarch_client::tls::Identity;
use tetrarch_coordinator::NodeConfig;
use tetrarch_log::StoreOptions;
use tetrarch_replica::Settings;

use crate::config::NodeFile;

/// The configuration of the node.
pub(super) fn node_config(file: &NodeFile, listen: SocketAddr, identity: Identity) -> NodeConfig {
    let advertised = file
        .listen
        .advertise
        .as_ref()
        .or(file.listen.address.as_ref());
    NodeConfig {
        data_dir: file.node.data_dir.clone(),
        listen,
        address: advertised.map_or_else(|| listen.to_string(), ToString::to_string),
        labels: file.node.labels.clone(),
        identity,
        client_identity: None,
        peers: peers(file),
        protocol: protocol(file),
        store: store(file),
        disk_dwell: file.storage.disk_dwell,
        replace_after: file.timing.replace_after,
        scrub_bytes_per_second: file.storage.scrub_bytes_per_second,
        workers: or_cores(file.runtime.workers),
        max_unacknowledged_bytes: size(file.limits.node_unacked_bytes),
        recent_bytes: size(file.limits.node_recent_bytes),
        metrics_channels: file.metrics.channel_pattern.clone(),
        metrics_max_channels: size(file.metrics.channels_max),
    }
}

/// The number, or one per core for 0.
pub(super) fn or_cores(number: u64) -> usize {
    match number {
        0 => available_parallelism().map_or(1, Into::into),
        number => size(number),
    }
}

fn peers(file: &NodeFile) -> Vec<(String, String)> {
    file.peers
        .iter()
        .map(|(name, address)| (name.clone(), address.to_string()))
        .collect()
}

fn protocol(file: &NodeFile) -> Settings {
    let (timing, limits) = (&file.timing, &file.limits);
    Settings {
        heartbeat: timing.heartbeat,
        missed_heartbeats: u32::try_from(timing.missed).unwrap_or(u32::MAX),
        slot: timing.slot,
        slot_cap: timing.slot_cap,
        election_timeout: timing.election_timeout,
        transfer_timeout: timing.transfer_timeout,
        unacked_bytes: size(limits.channel_unacked_bytes),
        unacked_batches: size(limits.channel_unacked_batches),
        recent_bytes: size(limits.channel_recent_bytes),
        producer_window: size(limits.producer_window),
        max_producers: size(limits.channel_producers),
        ..Settings::default()
    }
}

fn store(file: &NodeFile) -> StoreOptions {
    let storage = &file.storage;
    StoreOptions {
        max_bytes: storage.max_bytes,
        wal_file_bytes: storage.wal_file_bytes,
        wal_files_max: size(storage.wal_files_max),
        pending_max_bytes: storage.pending_max_bytes,
        flush_trigger_bytes: storage.flush_trigger_bytes,
        segment_bytes: storage.segment_bytes,
        segment_max_age_ms: storage.segment_max_age_ms,
        open_files_max: size(storage.open_files_max),
        ..StoreOptions::default()
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};
    use std::path::PathBuf;
    use tetrarch_replica::DiskGauge;

    #[test]
    fn the_defaults_of_the_file_are_those_of_the_parts() {
        let text = "[node]\nname = \"n\"\n[listen]\naddress = \"h:1\"\n";
        let file = parse(text, PathBuf::new(), &Environment::new()).unwrap();
        assert_eq!(protocol(&file), Settings::default());
        assert_eq!(store(&file), StoreOptions::default());
        assert_eq!(file.storage.disk_dwell, DiskGauge::DWELL);
        assert_eq!(
            file.timing.replace_after,
            Some(NodeConfig::DEFAULT_REPLACE_AFTER)
        );
        assert_eq!(
            file.storage.scrub_bytes_per_second,
            NodeConfig::DEFAULT_SCRUB_BYTES_PER_SECOND
        );
        assert_eq!(
            size(file.limits.node_unacked_bytes),
            NodeConfig::DEFAULT_MAX_UNACKNOWLEDGED_BYTES
        );
        assert_eq!(
            size(file.metrics.channels_max),
            NodeConfig::DEFAULT_METRICS_MAX_CHANNELS
        );
        assert_eq!(protocol(&file).validate(), Ok(()));
    }
}
