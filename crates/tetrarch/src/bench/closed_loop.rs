//! A producer that publishes its next event when the last is acknowledged.

use tetrarch_client::Producer;

use super::stamp::Stamps;
use super::tally::Tally;

/// Publishes one event at a time until the window closes.
pub(super) async fn run(producer: Producer, stamps: Stamps, tally: &Tally) {
    while tally.window().is_open() {
        let (event, handed_over) = stamps.event();
        match producer.publish(event).await {
            Ok(ack) => tally.acknowledged(1, handed_over, ack.copies),
            Err(error) => {
                tally.failed(1, &error);
                if !error.can_retry() {
                    return;
                }
            }
        }
    }
}
