//! Refused connections in the log: each cause once per address and a while, however often somebody
//! tries. The counter counts every one.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{error::Refusal, inbound::TransportEvent};

/// How long the same complaint is not repeated.
const QUIET: Duration = Duration::from_secs(10);
/// How many complaints are remembered.
const REMEMBERED: usize = 256;

/// What was complained about lately.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    lately: Mutex<HashMap<(IpAddr, &'static str), Instant>>,
}

impl Complaints {
    /// Logs a refusal, unless that was done lately, and makes it an event to count.
    pub(super) fn file(&self, remote: SocketAddr, refusal: Refusal) -> Option<TransportEvent> {
        let Refusal { reason, detail, .. } = &refusal;
        if !refusal.is_worth_telling() {
            tracing::debug!(%remote, reason, detail, "no connection");
            return None;
        }
        if self.is_news(remote.ip(), reason, Instant::now()) {
            tracing::warn!(%remote, reason, detail, "connection refused");
        }
        Some(TransportEvent::HandshakeRefused {
            remote,
            reason,
            detail: refusal.detail,
        })
    }

    fn is_news(&self, remote: IpAddr, reason: &'static str, now: Instant) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= REMEMBERED {
            lately.retain(|_, told| now < *told + QUIET);
        }
        if lately.len() >= REMEMBERED {
            return false;
        }
        let key = (remote, reason);
        let told = lately.get(&key).is_some_and(|told| now < *told + QUIET);
        if !told {
            lately.insert(key, now);
        }
        !told
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_same_cause_from_the_same_address_is_news_once_in_a_while() {
        let complaints = Complaints::default();
        let [here, there] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(127, 0, 0, last)));
        let now = Instant::now();
        assert!(complaints.is_news(here, "denied", now));
        assert!(!complaints.is_news(here, "denied", now + QUIET / 2));
        assert!(complaints.is_news(here, "timeout", now));
        assert!(complaints.is_news(there, "denied", now));
        assert!(complaints.is_news(here, "denied", now + QUIET));
    }

    #[test]
    fn a_flood_of_causes_is_not_remembered_without_bound() {
        let complaints = Complaints::default();
        let now = Instant::now();
        for number in 0..10_000u32 {
            complaints.is_news(Ipv4Addr::from_bits(number).into(), "denied", now);
        }
        assert!(complaints.lately.lock().unwrap().len() <= REMEMBERED);
    }
}
