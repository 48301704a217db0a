//! What one data track carries. Not a test of correctness: run it by name, in release mode.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tetrarch_replica::Lane;
use tokio::time::sleep;

use super::{
    authority::Authority,
    frames::{batch, channel, push},
    node::pair,
    recorder::eventually,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn one_data_track() {
    let (one, two) = pair(&Authority::new("ca")).await;
    sleep(Duration::from_secs(1)).await;
    two.seen.count_only.store(true, Ordering::Relaxed);
    for size in [256, 4 * 1024, 16 * 1024, 64 * 1024, 1024 * 1024 - 1_024] {
        let batch = batch(size);
        let frames = (1 << 30) / batch.size().max(2_048);
        let total = frames * batch.size();
        two.seen.bytes.store(0, Ordering::Relaxed);
        let began = Instant::now();
        let mut sent = 0;
        while sent < frames {
            // A window as the protocol core keeps one: never more than 4 MiB on the way.
            let arrived = two.seen.bytes.load(Ordering::Relaxed);
            if sent * batch.size() < arrived + 4 * 1024 * 1024 {
                one.mesh
                    .send(two.id, Lane::Data, push(channel(1), 1, &batch));
                sent += 1;
            } else {
                tokio::task::yield_now().await;
            }
        }
        eventually("all arrived", || {
            two.seen.bytes.load(Ordering::Relaxed) == total
        })
        .await;
        let took = began.elapsed().as_secs_f64();
        println!(
            "{size:>8} B: {:>7.1} MB/s, {:>9.0} frames/s",
            total as f64 / took / 1e6,
            frames as f64 / took
        );
    }
    assert_eq!(one.seen.dropped(), []);
}
