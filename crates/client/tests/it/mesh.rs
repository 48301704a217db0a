//! A small mesh: some nodes around one shared log. A leader can be chosen, and faults are queued
//! for the produce requests to come.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use quinn::{Endpoint, VarInt};
use tetrarch_client::{
    Client, ClientConfig,
    tls::{Protocol, server_config},
    transport::{Tuning, bind},
};
use tetrarch_wire::{
    ChannelClass, ChannelUid, NodeId, Retention, VoterId,
    frame::{ChannelEntry, ChannelRoute, MetadataResponse, NodeRoute},
};
use tokio::sync::watch;

use crate::{authority::Authority, log::Log, node};

pub(crate) const CHANNEL: &str = "orders";

/// What happens to one produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is lost before it is carried out.
    LoseRequest,
    /// The connection is lost after it was carried out.
    LoseAnswer,
    /// It is carried out, but the node says that it does not know.
    Forget,
    /// It is carried out and never answered.
    Swallow,
    /// It is answered twice.
    AnswerTwice,
    /// The queue is full.
    Refuse,
    /// The disk is full.
    Full,
    /// Not allowed.
    Deny,
    /// Nothing is wrong.
    Serve,
}

pub(crate) struct World {
    pub(crate) log: Log,
    pub(crate) uid: ChannelUid,
    pub(crate) leader: Option<usize>,
    pub(crate) nodes: Vec<NodeRoute>,
    pub(crate) faults: VecDeque<Fault>,
    /// How often each node answered a produce request with events in the log.
    pub(crate) requests: usize,
    /// Nodes that answer nothing.
    pub(crate) mute: Vec<bool>,
    pub(crate) channels: Vec<ChannelEntry>,
    /// Whether appended batches are dropped at once, for measurements.
    pub(crate) forgets: bool,
    /// Admin requests whose answer is lost.
    pub(crate) lose_admin_answers: usize,
}

impl World {
    pub(crate) fn leader_id(&self) -> Option<NodeId> {
        self.leader.map(|index| self.nodes[index].node)
    }

    pub(crate) fn metadata(&self, request: u64, names: &[String]) -> MetadataResponse {
        let route = ChannelRoute {
            name: CHANNEL.to_owned(),
            uid: self.uid,
            class: ChannelClass::Quorum,
            retention: Retention::FOREVER,
            epoch: self.log.epoch,
            leader: self.leader_id(),
            replicas: self
                .nodes
                .iter()
                .map(|node| (node.node, VoterId::from_bytes(*node.node.as_bytes())))
                .collect(),
        };
        MetadataResponse {
            request,
            channels: names
                .iter()
                .filter(|name| *name == CHANNEL)
                .map(|_| route.clone())
                .collect(),
            nodes: self.nodes.clone(),
        }
    }
}

/// The state that all nodes share, and a signal of its changes.
#[derive(Clone)]
pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    changed: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let outcome = change(&mut self.lock());
        self.changed.send_modify(|version| *version += 1);
        outcome
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

pub(crate) struct Mesh {
    pub(crate) shared: Shared,
    authority: Authority,
    endpoints: Vec<Option<Endpoint>>,
}

impl Mesh {
    pub(crate) async fn start(count: usize) -> Self {
        let authority = Authority::new();
        let shared = Shared {
            world: Arc::new(Mutex::new(World {
                log: Log::new(b"test"),
                uid: ChannelUid::derive(CHANNEL, &[0; 16]),
                leader: Some(0),
                nodes: Vec::new(),
                faults: VecDeque::new(),
                requests: 0,
                mute: vec![false; count],
                channels: Vec::new(),
                forgets: false,
                lose_admin_answers: 0,
            })),
            changed: watch::Sender::new(0),
        };
        let mut mesh = Self {
            shared,
            authority,
            endpoints: Vec::new(),
        };
        for index in 0..count {
            let endpoint = mesh.listen(index, 0);
            mesh.endpoints.push(Some(endpoint));
        }
        mesh
    }

    fn listen(&self, index: usize, port: u16) -> Endpoint {
        let name = format!("n{}", index + 1);
        let uri = format!("spiffe://mesh.test/node/{name}");
        let mut config = server_config(&self.authority.identity(&uri), &Protocol::ALL).unwrap();
        config.transport_config((&Tuning::mesh()).into());
        let endpoint = bind(([127, 0, 0, 1], port).into(), Some(config)).unwrap();
        let route = NodeRoute {
            node: NodeId::from_spiffe_uri(&uri),
            name,
            address: endpoint.local_addr().unwrap().to_string(),
            alive: true,
        };
        self.shared.change(|world| {
            world.nodes.truncate(world.nodes.len().max(index));
            if world.nodes.len() == index {
                world.nodes.push(route);
            } else {
                world.nodes[index] = route;
            }
        });
        tokio::spawn(node::serve(endpoint.clone(), self.shared.clone(), index));
        endpoint
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let identity = self.authority.identity("spiffe://mesh.test/client/app");
        let nodes = self.shared.lock().nodes.clone();
        let seeds = nodes.into_iter().map(|node| node.address).collect();
        ClientConfig {
            answer_within: Duration::from_secs(1),
            give_up_after: Duration::from_secs(5),
            ..ClientConfig::new(seeds, identity)
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.config()).await.unwrap()
    }

    /// Stops a node; its connections end.
    pub(crate) fn stop(&mut self, index: usize) {
        if let Some(endpoint) = self.endpoints[index].take() {
            endpoint.close(VarInt::from_u32(9), b"stopped");
        }
    }

    /// Makes another node lead.
    pub(crate) fn elect(&self, index: usize) {
        self.shared.change(|world| {
            world.leader = Some(index);
            world.log.elect();
        });
    }

    pub(crate) fn fault(&self, faults: &[Fault]) {
        self.shared
            .change(|world| world.faults.extend(faults.iter().copied()));
    }

    pub(crate) fn payloads(&self) -> Vec<String> {
        self.shared.lock().log.payloads()
    }
}
