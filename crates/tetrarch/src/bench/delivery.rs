//! A subscriber that notes how old events are when they reach it.

use std::time::Instant;

use tetrarch_client::{Client, FetchFrom, SubscribeOptions};

use super::stamp::Stamps;
use super::tally::Tally;

/// Reads a channel from its start, for ever; ends early only if it can no longer be read.
pub(super) async fn run(client: &Client, channel: &str, stamps: Stamps, tally: &Tally) {
    let mut events = client.subscribe(channel, FetchFrom::Start, SubscribeOptions::default());
    loop {
        match events.next_batch().await {
            Ok(batch) => {
                let now = Instant::now();
                let age = |event: tetrarch_wire::Event| stamps.age(&event.payload, now);
                tally.delivered(now, batch.events().filter_map(age));
            }
            Err(error) if error.can_retry() => {}
            Err(error) => return tally.failed(1, &error),
        }
    }
}
