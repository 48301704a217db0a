//! How QUIC connections are tuned. The figures were chosen by measuring on loopback, where all of
//! this work is bound by CPU: one write of 64 KiB instead of many small ones matters most, the
//! packet size next, and windows only have to be large enough.

use std::{sync::Arc, time::Duration};

use quinn::{AckFrequencyConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

/// Largest UDP payload that is probed for: what an Ethernet of 1,500 bytes carries over IPv6.
const MAX_MTU: u16 = 1_452;
/// Payload that every path is assumed to carry.
const INITIAL_MTU: u16 = 1_200;

/// The knobs of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Bidirectional streams that the peer may hold open.
    pub max_bidi_streams: u32,
    /// Unidirectional streams that the peer may hold open.
    pub max_uni_streams: u32,
    /// Bytes that the peer may send on one stream before we read them.
    pub stream_window: u32,
    /// Bytes that the peer may send on the connection before we read them.
    pub connection_window: u32,
    /// Bytes that we keep for sending or resending. More than a path holds costs speed: on
    /// a busy loopback 1 MiB carried a quarter more than 8 MiB.
    pub send_window: u32,
    /// Silence after which the connection counts as lost.
    pub idle_timeout: Duration,
    /// How often a sign of life is sent on a silent connection.
    pub keep_alive: Duration,
    /// Bytes of datagrams that wait for us before old ones are dropped.
    pub datagram_buffer: usize,
}

impl Tuning {
    /// For connections between nodes. Failed nodes are found by beats, not by the idle timeout.
    #[must_use]
    pub const fn mesh() -> Self {
        Self {
            max_bidi_streams: 64,
            max_uni_streams: 64,
            stream_window: 8 << 20,
            connection_window: 64 << 20,
            send_window: 2 << 20,
            idle_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(2),
            datagram_buffer: 1 << 20,
        }
    }

    /// For connections that a client dials. There are no beats here, so silence is noticed sooner;
    /// the shorter timeout of the two ends is the one that counts.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            max_bidi_streams: 0,
            max_uni_streams: 0,
            idle_timeout: Duration::from_secs(4),
            keep_alive: Duration::from_secs(1),
            ..Self::mesh()
        }
    }
}

/// The QUIC configuration for a tuning.
#[must_use]
pub fn transport_config(tuning: &Tuning) -> TransportConfig {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(MAX_MTU);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(tuning.max_bidi_streams.into())
        .max_concurrent_uni_streams(tuning.max_uni_streams.into())
        .stream_receive_window(tuning.stream_window.into())
        .receive_window(tuning.connection_window.into())
        .send_window(tuning.send_window.into())
        .max_idle_timeout(Some(idle(tuning.idle_timeout)))
        .keep_alive_interval(Some(tuning.keep_alive))
        .initial_mtu(INITIAL_MTU)
        .mtu_discovery_config(Some(discovery))
        .ack_frequency_config(Some(acknowledgements()))
        .enable_segmentation_offload(true)
        .datagram_receive_buffer_size(Some(tuning.datagram_buffer))
        .datagram_send_buffer_size(tuning.datagram_buffer);
    config
}

/// One acknowledgement for many packets: on loopback and in a LAN nothing is gained by more.
fn acknowledgements() -> AckFrequencyConfig {
    let mut config = AckFrequencyConfig::default();
    config
        .ack_eliciting_threshold(VarInt::from_u32(10))
        .max_ack_delay(Some(Duration::from_millis(5)));
    config
}

/// Longer than QUIC can say means as long as it can say.
fn idle(timeout: Duration) -> IdleTimeout {
    IdleTimeout::try_from(timeout).unwrap_or_else(|_| VarInt::MAX.into())
}

/// Shared form of [`transport_config`], as endpoint configurations want it.
impl From<&Tuning> for Arc<TransportConfig> {
    fn from(tuning: &Tuning) -> Self {
        Self::new(transport_config(tuning))
    }
}
