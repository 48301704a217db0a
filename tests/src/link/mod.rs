//! The network between the nodes of a mesh, in user space and with faults that can be changed while
//! it runs. Every node dials the others at ports of ours; what arrives there is dropped, doubled,
//! delayed and reordered as the faults of its direction say, and what is left is passed on. No
//! rights are needed, and clients are not affected.

mod faults;
mod relay;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use faults::{Fate, Table};
pub use faults::{LinkFaults, Tally};
use tokio::sync::oneshot;

use crate::{Dice, Mesh, Port};

/// The links between all nodes of a mesh. They end when it is dropped.
#[derive(Debug)]
pub struct Links {
    nodes: usize,
    table: Arc<Mutex<Table>>,
    /// Where node `from` reaches node `to`: `from * nodes + to`.
    entrances: Vec<Option<Port>>,
    stop: Option<oneshot::Sender<()>>,
    relay: Option<JoinHandle<()>>,
}

impl Links {
    /// Links without faults between nodes that listen at `addresses`; `dice` decide what happens
    /// to each datagram once there are faults.
    ///
    /// # Panics
    /// If no sockets can be had.
    #[must_use]
    pub fn between(addresses: &[SocketAddr], dice: &Dice) -> Self {
        let nodes = addresses.len();
        let table = Arc::new(Mutex::new(Table::new(nodes, dice)));
        let pairs = || (0..nodes).flat_map(move |from| (0..nodes).map(move |to| (from, to)));
        let entrances: Vec<Option<Port>> = pairs()
            .map(|(from, to)| (from != to).then(Port::reserve))
            .collect();
        let ways = pairs().zip(&entrances).filter_map(|((from, to), port)| {
            let way = relay::Way {
                dialler: from,
                dialled: to,
                entrance: port.as_ref()?.address(),
                home: addresses[from],
                target: addresses[to],
            };
            Some(way)
        });
        let (stop, stopped) = oneshot::channel();
        let relay = relay::start(ways.collect(), Arc::clone(&table), stopped);
        Self {
            nodes,
            table,
            entrances,
            stop: Some(stop),
            relay: Some(relay),
        }
    }

    /// Links without faults between the nodes of a mesh that does not run yet, which dial each other
    /// through them from its start on.
    #[must_use]
    pub fn within(mesh: &mut Mesh, dice: &Dice) -> Self {
        let addresses: Vec<_> = mesh.nodes.iter().map(|node| node.address).collect();
        let links = Self::between(&addresses, dice);
        for (index, node) in mesh.nodes.iter_mut().enumerate() {
            node.set_variable("TETRARCH_PEERS", links.peers_of(index));
        }
        links
    }

    /// What a node's `[peers]` must say, as its variable of the environment takes it.
    fn peers_of(&self, from: usize) -> String {
        let entrances = self.entrances.iter().skip(from * self.nodes);
        let named = entrances.take(self.nodes).enumerate();
        let named = named.filter_map(|(to, port)| {
            let address = port.as_ref()?.address();
            Some(format!("n{}={address}", to + 1))
        });
        named.collect::<Vec<_>>().join(",")
    }

    /// Replaces the faults of the way from one node to another.
    pub fn set(&self, from: usize, to: usize, faults: LinkFaults) {
        self.table().set(from, to, faults);
    }

    /// Every link is perfect again.
    pub fn heal(&self) {
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                self.set(from, to, LinkFaults::default());
            }
        }
    }

    /// What has happened to datagrams so far, on all links together.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.table().tally()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(relay) = self.relay.take()
            && relay.join().is_err()
        {
            // What it panicked with has been printed.
            self.nodes = 0;
        }
    }
}
