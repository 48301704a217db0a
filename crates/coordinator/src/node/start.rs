//! Starting a node, step by step: store, recovery, threads, workers, mesh, tasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::SystemTime,
};

use tetrarch_client::tls::{Identity, PrincipalKind};
use tetrarch_log::{Damage, OpenedStore, RealDisk, StoreIdentity};
use tetrarch_replica::catalog::Genesis;
use tetrarch_wire::{Boot, ChannelUid, HardState, NodeId, Voter};
use tokio::sync::{Semaphore, broadcast, watch};

use super::{Node, NodeFacts, TRANSITIONS_KEPT, Threads, inbound::NodeInbound, recovery};
use crate::{
    NodeConfig, NodeError,
    beats::BeatHandle,
    catalog::{
        CatalogView, Evacuation, Follower, LostChannels, ReportHandle, Reports, opening_of_lost,
        opening_of_new, order_to_open,
    },
    channel::{ChannelOpening, Inbox, Worker, WorkerContext, Workers, inbox},
    clock,
    disk_watch::DiskWatch,
    mesh_link::MeshLink,
    registry::Registry,
    retention::RetentionSweep,
    session::SessionContext,
    store::{FlushHandle, ReadHandle, ScrubHandle, StoreEvents, StoreFailed, WriteHandle},
    telemetry::{Certificate, NodeInfo, Pattern, SeriesLimit, StoreState, Telemetry},
    transport::{Limits, LocalNode, Mesh, MeshConfig, PeerAddress},
};

/// How many channels that have withdrawn from a full disk come back each second (protocol §12).
const COME_BACK_AT_ONCE: usize = 64;
/// How much longer than one transfer a stop waits for the hand-over of all channels.
const DRAIN_TRANSFERS: u32 = 4;

pub(super) async fn start(config: NodeConfig) -> Result<Node, NodeError> {
    let (dir, options) = (config.data_dir.clone(), config.store.clone());
    let node_id = node_id(&config.identity)?;
    let opened = tokio::task::spawn_blocking(move || {
        let store = tetrarch_log::open(Arc::new(RealDisk), &dir, options)?;
        check_owner(&store.identity, node_id, &config)?;
        let telemetry = telemetry(&store.identity, &config);
        let parts = recover(store, &telemetry)?;
        Ok::<_, NodeError>((parts, telemetry, config))
    });
    let (parts, telemetry, config) = match opened.await {
        Ok(opened) => opened?,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    };
    Starting::new(parts, telemetry, config)?.launch()
}

/// What came out of the store.
struct Parts {
    identity: StoreIdentity,
    genesis: Genesis,
    boot: Boot,
    writer: crate::store::Writer,
    flusher: crate::store::Flusher,
    reader: crate::store::Reader,
    openings: Vec<ChannelOpening>,
    /// The store knows nothing yet of the catalog's channel, which this node founds.
    founds_meta: bool,
    lost: LostChannels,
}

fn node_id(identity: &Identity) -> Result<NodeId, NodeError> {
    let principal = identity.principal();
    match principal.kind {
        PrincipalKind::Node => Ok(principal.node_id()),
        PrincipalKind::Client => Err(NodeError::NotANode {
            found: principal.to_string(),
        }),
    }
}

fn check_owner(
    identity: &StoreIdentity,
    node: NodeId,
    config: &NodeConfig,
) -> Result<(), NodeError> {
    if identity.node == node {
        return Ok(());
    }
    Err(NodeError::WrongNode {
        found: identity.name.clone(),
        found_id: identity.node,
        expected: config.identity.principal().to_string(),
    })
}

fn telemetry(identity: &StoreIdentity, config: &NodeConfig) -> Arc<Telemetry> {
    let info = NodeInfo {
        node: identity.name.clone(),
        cluster: identity.cluster.to_string(),
        started: SystemTime::now(),
    };
    let limit = SeriesLimit {
        pattern: Pattern::new(&config.metrics_channels),
        max_channels: config.metrics_max_channels,
    };
    let telemetry = Telemetry::new(info, limit);
    telemetry.certificate(Certificate::Node, config.identity.not_after());
    telemetry.store().state(StoreState::Healthy);
    Arc::new(telemetry)
}

fn recover(store: OpenedStore<RealDisk>, telemetry: &Telemetry) -> Result<Parts, NodeError> {
    let OpenedStore {
        identity,
        boot,
        writer,
        flusher,
        reader,
        channels,
        lost,
        limbo,
    } = store;
    let genesis = Genesis::decode(&identity.genesis).map_err(NodeError::Genesis)?;
    let lost: LostChannels = lost
        .into_iter()
        .map(|(channel, damage)| (channel, promise_of_lost(channel, &damage, limbo)))
        .collect();
    let voter = Voter {
        node: identity.node,
        store: identity.store,
    }
    .id();
    let mut openings = Vec::with_capacity(channels.len());
    // What the store has let go of is taken up only when the catalog says so.
    for channel in channels.into_iter().filter(|channel| channel.is_held) {
        openings.push(recovery::opening(channel, &reader, telemetry)?);
    }
    let meta = genesis.meta_entry();
    let founds = meta.genesis.contains(voter);
    let lacks_meta = founds && openings.iter().all(|one| one.handle.uid != meta.uid);
    let lost_meta = lost.get(&meta.uid);
    let founds_meta = lacks_meta && lost_meta.is_none();
    if lacks_meta {
        openings.push(match lost_meta {
            Some(promise) => opening_of_lost(&meta, *promise, telemetry),
            None => opening_of_new(&meta, voter, telemetry),
        });
    }
    Ok(Parts {
        identity,
        genesis,
        boot,
        writer,
        flusher,
        reader,
        openings,
        founds_meta,
        lost,
    })
}

/// What a channel promises of which nothing can be read, if it can begin anew.
fn promise_of_lost(
    channel: ChannelUid,
    damage: &Damage,
    limbo: Option<HardState>,
) -> Option<HardState> {
    let promise = limbo.filter(|_| damage.may_begin_anew());
    match promise {
        Some(_) => tracing::warn!(
            %channel, %damage,
            "nothing of a channel is left: it begins anew and does not vote before it is whole again"
        ),
        None => {
            tracing::error!(%channel, ?damage, "nothing of a channel can be read: it is left alone");
        }
    }
    promise
}

/// Everything that exists before the node listens.
struct Starting {
    config: NodeConfig,
    identity: StoreIdentity,
    genesis: Genesis,
    boot: Boot,
    openings: Vec<ChannelOpening>,
    founds_meta: bool,
    lost: LostChannels,
    inboxes: Vec<Inbox>,
    sessions: Arc<SessionContext>,
    workers: Workers,
    mesh_link: Arc<MeshLink>,
    writes: WriteHandle,
    reads: ReadHandle,
    flush: FlushHandle,
    scrub: Option<ScrubHandle>,
    threads: Threads,
    store_failed: StoreFailed,
    halt: watch::Sender<bool>,
}

impl Starting {
    fn new(
        parts: Parts,
        telemetry: Arc<Telemetry>,
        mut config: NodeConfig,
    ) -> Result<Self, NodeError> {
        let Parts {
            identity,
            genesis,
            boot,
            writer,
            flusher,
            reader,
            openings,
            founds_meta,
            lost,
        } = parts;
        let persist_bytes = &mut config.protocol.persist_bytes;
        *persist_bytes = (*persist_bytes).min(writer.request_limit());
        let (workers, events, inboxes) = make_workers(config.workers.max(1));
        let store_failed = StoreFailed::default();
        let started = WriteHandle::start(
            writer,
            2 * config.max_unacknowledged_bytes,
            events,
            Arc::clone(&telemetry),
            Arc::clone(&store_failed),
        );
        let (writes, wal) = started.map_err(NodeError::Thread)?;
        let (reads, readers) = ReadHandle::start(&reader).map_err(NodeError::Thread)?;
        let started = FlushHandle::start(
            flusher,
            writes.clone(),
            Arc::clone(&telemetry),
            Arc::clone(&store_failed),
        );
        let (flush, flusher) = started.map_err(NodeError::Thread)?;
        let scrub = match config.scrub_bytes_per_second {
            0 => None,
            bytes => Some(ScrubHandle::start(reads.reader(), bytes).map_err(NodeError::Thread)?),
        };
        let (scrub, scrubber) = scrub.unzip();
        let registry = Arc::new(Registry::default());
        let voter = Voter {
            node: identity.node,
            store: identity.store,
        };
        let mesh_link = Arc::new(MeshLink::default());
        let facts = Arc::new(NodeFacts::new(
            voter,
            (identity.name.clone(), config.address.clone()),
            config.labels.clone(),
            genesis.clone(),
            Arc::clone(&registry),
            Arc::clone(&mesh_link),
        ));
        let sessions = Arc::new(SessionContext {
            facts,
            workers: workers.clone(),
            registry,
            catalog: Arc::new(CatalogView::new(genesis.meta_entry())),
            telemetry,
            room: Arc::new(Semaphore::new(config.max_unacknowledged_bytes / 1024)),
        });
        let threads = Threads {
            wal: Some(wal),
            flush: Some(flusher),
            reads: readers,
            scrub: scrubber,
            tasks: Vec::new(),
        };
        let halt = watch::Sender::new(false);
        Ok(Self {
            config,
            identity,
            genesis,
            boot,
            openings,
            founds_meta,
            lost,
            inboxes,
            sessions,
            workers,
            mesh_link,
            writes,
            reads,
            flush,
            scrub,
            threads,
            store_failed,
            halt,
        })
    }

    /// Listens, connects, and starts the tasks, the workers with their channels.
    fn launch(mut self) -> Result<Node, NodeError> {
        let beats = BeatHandle::new(
            self.boot,
            self.config.protocol.heartbeat,
            self.workers.clone(),
            Arc::clone(&self.sessions.facts),
            Arc::clone(&self.mesh_link),
        );
        let (reports, report_task) = Reports::new(
            Arc::clone(&self.sessions.catalog),
            self.workers.clone(),
            Arc::clone(&self.sessions.registry),
        );
        let halt = self.halt.subscribe();
        self.threads.tasks.push(tokio::spawn(report_task.run(halt)));
        let evacuation = Evacuation {
            view: Arc::clone(&self.sessions.catalog),
            workers: self.workers.clone(),
            registry: Arc::clone(&self.sessions.registry),
            facts: Arc::clone(&self.sessions.facts),
            replace_after: self.config.replace_after,
        };
        let halt = self.halt.subscribe();
        self.threads.tasks.push(tokio::spawn(evacuation.run(halt)));
        let inbound = NodeInbound {
            workers: self.workers.clone(),
            beats: beats.clone(),
            sessions: Arc::clone(&self.sessions),
            reports: reports.clone(),
            connected: Default::default(),
        };
        let mesh = Mesh::start(self.mesh_config(), Arc::new(inbound))?;
        self.mesh_link.connect(mesh.clone());
        let transitions = broadcast::Sender::new(TRANSITIONS_KEPT);
        let context = self.worker_context((&mesh, &beats, reports), &transitions);
        self.spawn_tasks(context, beats);
        let transfer = self.config.protocol.transfer_timeout;
        tracing::info!(
            node = %self.identity.name,
            address = %mesh.local_addr(),
            boot = self.boot.get(),
            "started"
        );
        Ok(Node {
            mesh,
            mesh_link: self.mesh_link,
            sessions: self.sessions,
            workers: self.workers,
            writes: self.writes,
            reads: self.reads,
            flush: self.flush,
            scrub: self.scrub,
            transitions,
            store_failed: self.store_failed,
            stopping: watch::Sender::new(false),
            halt: self.halt,
            threads: self.threads.into(),
            client_identity: self.config.client_identity,
            drain_timeout: transfer.saturating_mul(DRAIN_TRANSFERS),
        })
    }

    fn mesh_config(&self) -> MeshConfig {
        let address_of = |name: &str, genesis: &str| {
            let given = self.config.peers.iter().find(|(peer, _)| peer == name);
            given.map_or_else(|| genesis.to_owned(), |(_, address)| address.clone())
        };
        let others = self
            .genesis
            .nodes()
            .iter()
            .filter(|node| node.node != self.identity.node);
        let peers = others.map(|node| PeerAddress {
            node: node.node,
            name: node.name.clone(),
            address: address_of(&node.name, &node.address),
        });
        MeshConfig {
            listen: self.config.listen,
            identity: self.config.identity.clone(),
            local: LocalNode {
                cluster: self.identity.cluster,
                node: self.identity.node,
                store: self.identity.store,
                boot: self.boot,
                name: self.identity.name.clone(),
                address: self.config.address.clone(),
                labels: self.config.labels.clone(),
            },
            clock: Arc::new(|| clock::moment().as_nanos()),
            peers: peers.collect(),
            limits: Limits::default(),
        }
    }

    fn worker_context(
        &self,
        (mesh, beats, reports): (&Mesh, &BeatHandle, ReportHandle),
        transitions: &broadcast::Sender<super::TransitionEvent>,
    ) -> WorkerContext {
        WorkerContext {
            me: self.sessions.facts.me(),
            meta: self.genesis.meta_entry().uid,
            settings: self.config.protocol.clone(),
            heartbeat: self.config.protocol.heartbeat,
            recent_bytes: self.config.recent_bytes / self.config.workers.max(1),
            come_back_at_once: (COME_BACK_AT_ONCE / self.config.workers.max(1)).max(1),
            mesh: mesh.clone(),
            beats: beats.clone(),
            writes: self.writes.clone(),
            reads: self.reads.clone(),
            flush: self.flush.clone(),
            registry: Arc::clone(&self.sessions.registry),
            facts: Arc::clone(&self.sessions.facts),
            reports,
            telemetry: Arc::clone(&self.sessions.telemetry),
            transitions: transitions.clone(),
        }
    }

    fn spawn_tasks(&mut self, context: WorkerContext, beats: BeatHandle) {
        let shares = self.share_channels();
        let tasks = &mut self.threads.tasks;
        for ((index, inbox), openings) in self.inboxes.drain(..).enumerate().zip(shares) {
            let answers = self.workers.all()[index].answers.clone();
            let worker = Worker::new(index, context.clone(), inbox, answers, openings);
            tasks.push(tokio::spawn(worker.run(self.halt.subscribe())));
        }
        let disk = DiskWatch {
            reads: self.reads.clone(),
            writes: self.writes.clone(),
            beats: beats.clone(),
            workers: self.workers.clone(),
            facts: Arc::clone(&self.sessions.facts),
            telemetry: Arc::clone(&self.sessions.telemetry),
            data_dir: self.config.data_dir.clone(),
            options: self.config.store.clone(),
            dwell: self.config.disk_dwell,
        };
        tasks.push(tokio::spawn(disk.run(self.halt.subscribe())));
        tasks.push(tokio::spawn(beats.run(self.halt.subscribe())));
        let follower = Follower {
            me: context.me,
            view: Arc::clone(&self.sessions.catalog),
            workers: self.workers.clone(),
            writes: self.writes.clone(),
            reads: self.reads.clone(),
            registry: Arc::clone(&self.sessions.registry),
            telemetry: Arc::clone(&self.sessions.telemetry),
            lost: std::mem::take(&mut self.lost),
            releasing: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        let retention = RetentionSweep {
            registry: Arc::clone(&self.sessions.registry),
            catalog: Arc::clone(&self.sessions.catalog),
            reads: self.reads.clone(),
            workers: self.workers.clone(),
        };
        tasks.push(tokio::spawn(follower.run(self.halt.subscribe())));
        tasks.push(tokio::spawn(retention.run(self.halt.subscribe())));
    }

    /// The channels that the node had, for each worker its own. All are registered before anybody
    /// looks, so that the catalog's follower does not take one up as if it were new.
    fn share_channels(&mut self) -> Vec<Vec<ChannelOpening>> {
        let mut shares: Vec<Vec<ChannelOpening>> = Vec::new();
        shares.resize_with(self.inboxes.len(), Vec::new);
        let meta = self.genesis.meta_entry().uid;
        for opening in self.openings.drain(..) {
            let uid = opening.handle.uid;
            if self.founds_meta && uid == meta {
                order_to_open(&opening, &self.writes);
            }
            self.sessions.registry.insert(&opening.handle);
            shares[self.workers.index_of(uid)].push(opening);
        }
        shares
    }
}

fn make_workers(count: usize) -> (Workers, StoreEvents, Vec<Inbox>) {
    let mut handles = Vec::with_capacity(count);
    let mut events = Vec::with_capacity(count);
    let mut inboxes = Vec::with_capacity(count);
    for _ in 0..count {
        let (handle, store, inbox) = inbox();
        handles.push(handle);
        events.push(store);
        inboxes.push(inbox);
    }
    (Workers::new(handles), events, inboxes)
}
