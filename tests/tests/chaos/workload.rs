//! Everything that clients do during an experiment, on a runtime of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tetrarch_client::ClientConfig;
use tetrarch_tests::{
    Dice, Mesh,
    history::{Append, Drained, Read},
};
use tokio::{runtime::Runtime, sync::watch, task::JoinSet, time::timeout};

use super::{
    CHANNEL,
    clients::{config, connect, runtime},
    produce::{Producing, produce},
    read::{Reading, drain, follow, linearizable},
    record::Clock,
};

const PRODUCERS: u32 = 3;
/// One producer gives up early, so that some outcomes stay unknown.
const PATIENCE: [Duration; PRODUCERS as usize] = [
    Duration::from_secs(60),
    Duration::from_secs(60),
    Duration::from_millis(1_500),
];

/// Producers and readers at work.
pub(crate) struct Workload {
    runtime: Runtime,
    config: ClientConfig,
    clock: Clock,
    stop: watch::Sender<bool>,
    acknowledged: Arc<AtomicU64>,
    producers: JoinSet<Vec<Append>>,
    readers: JoinSet<Vec<Read>>,
}

impl Workload {
    /// Starts them all.
    pub(crate) fn start(mesh: &Mesh, dice: &Dice) -> Self {
        let mut workload = Self {
            runtime: runtime(),
            config: config(mesh),
            clock: Clock::start(),
            stop: watch::Sender::new(false),
            acknowledged: Arc::default(),
            producers: JoinSet::new(),
            readers: JoinSet::new(),
        };
        workload.start_producers(dice);
        workload.start_readers(mesh, dice);
        workload
    }

    /// How many events were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends them all once everything is settled, and returns what they recorded.
    pub(crate) fn finish(&mut self, within: Duration) -> (Vec<Append>, Vec<Read>) {
        self.stop.send_replace(true);
        let (producers, readers) = (&mut self.producers, &mut self.readers);
        let ended = self.runtime.block_on(async {
            let all = async {
                let appends = std::mem::take(producers).join_all().await;
                let reads = std::mem::take(readers).join_all().await;
                (appends.concat(), reads.concat())
            };
            timeout(within, all).await
        });
        ended.expect("clients end once the mesh is well")
    }

    /// What each node tells, up to all that is committed now.
    pub(crate) fn drain(&self, mesh: &Mesh, within: Duration) -> Vec<Drained> {
        let names = mesh.nodes.iter().map(|node| node.name.clone());
        let draining = async {
            let client = connect(&self.config).await;
            let point = client.wait_ready(CHANNEL, within).await;
            let last = point.expect("the channel is led").commit.get();
            let mut drained = Vec::new();
            for name in names {
                let told = timeout(within, drain(&client, &name, last)).await;
                drained.push(told.unwrap_or_else(|_| panic!("{name} does not tell up to {last}")));
            }
            drained
        };
        self.runtime.block_on(draining)
    }

    fn start_producers(&mut self, dice: &Dice) {
        for (number, patience) in (1..).zip(PATIENCE) {
            let (config, stop) = (self.config.clone(), self.stop.subscribe());
            let (clock, acknowledged) = (self.clock, Arc::clone(&self.acknowledged));
            let dice = dice.part(u64::from(number));
            let working = async move {
                let client = connect(&config).await;
                produce(Producing {
                    client,
                    clock,
                    number,
                    dice,
                    patience,
                    stop,
                    acknowledged,
                })
                .await
            };
            self.producers.spawn_on(working, self.runtime.handle());
        }
    }

    fn start_readers(&mut self, mesh: &Mesh, dice: &Dice) {
        let nodes = mesh.nodes.iter().map(|node| Some(node.name.clone()));
        for (number, node) in (100..).zip(nodes.chain([None])) {
            let (config, stop) = (self.config.clone(), self.stop.subscribe());
            let (clock, dice) = (self.clock, dice.part(number));
            let working = async move {
                let reading = Reading {
                    client: connect(&config).await,
                    clock,
                    dice,
                    stop,
                };
                match node {
                    Some(node) => follow(reading, node).await,
                    None => linearizable(reading).await,
                }
            };
            self.readers.spawn_on(working, self.runtime.handle());
        }
    }
}
