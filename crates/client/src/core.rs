//! What all parts of a client share: the connections, the directory and the numbers of requests;
//! and the one loop that asks, follows hints, and tries again until a deadline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tetrarch_wire::{
    Frame, NodeId,
    frame::{AdminResponse, ChannelRoute, Metadata, MetadataResponse, NodeRoute},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Error, Result,
    admin::Failure,
    backoff::Backoff,
    config::ClientConfig,
    directory::Directory,
    net::{NodeConnection, Pool},
};

/// Whom to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    /// Any node; the one that a refusal hints at, once there is one.
    Anybody,
    /// This node alone.
    Node(&'a str),
    /// Whoever leads the channel.
    LeaderOf(&'a str),
    /// Any node that holds the channel.
    HolderOf(&'a str),
}

/// A request that may be sent more than once.
pub(crate) struct Question<'a, F> {
    /// What it is called in errors.
    pub(crate) what: &'static str,
    /// Who can answer.
    pub(crate) ask: Ask<'a>,
    /// How long one node may take.
    pub(crate) within: Duration,
    /// The frame with a given number.
    pub(crate) frame: F,
}

/// What came back, and from whom.
pub(crate) struct Answered {
    pub(crate) frame: Frame,
    pub(crate) node: String,
}

/// The shared state of a client.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: ClientConfig,
    pub(crate) pool: Pool,
    pub(crate) directory: Directory,
    numbers: AtomicU64,
}

impl Core {
    pub(crate) fn new(config: ClientConfig) -> Result<Self> {
        if config.seeds.is_empty() {
            return Err(Error::NoSeeds);
        }
        Ok(Self {
            pool: Pool::new(&config)?,
            config,
            directory: Directory::default(),
            numbers: AtomicU64::new(1),
        })
    }

    /// A number that no other request of this client has.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks one node once. A refusal is an error.
    pub(crate) async fn ask_node(
        &self,
        connection: &NodeConnection,
        what: &'static str,
        within: Duration,
        frame: impl Fn(u64) -> Frame,
    ) -> Result<Frame> {
        let number = self.number();
        let asked = async {
            let lane = connection.asking().await?;
            lane.ask(number, frame(number)).await
        };
        let node = connection.name();
        match timeout(within, asked).await {
            Ok(Ok(
                Frame::Refused(refused) | Frame::AdminResponse(AdminResponse::Refused(refused)),
            )) => Err(Error::refused(what, node, refused)),
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(lost)) => Err(Error::lost(what, node, &lost)),
            Err(_) => Err(Error::Timeout {
                what,
                node: node.to_owned(),
                after: within,
            }),
        }
    }

    /// Asks until there is an answer, an error that trying again cannot cure, or no time left.
    pub(crate) async fn ask<F: Fn(u64) -> Frame>(
        &self,
        question: Question<'_, F>,
    ) -> Result<Answered> {
        self.ask_telling(question)
            .await
            .map_err(|failure| failure.error)
    }

    /// As [`Self::ask`]; a failure also says whether some try may have been carried out.
    pub(crate) async fn ask_telling<F: Fn(u64) -> Frame>(
        &self,
        question: Question<'_, F>,
    ) -> std::result::Result<Answered, Failure> {
        let deadline = Instant::now() + self.config.give_up_after;
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(500));
        let mut hint = None;
        let mut avoid = None;
        let mut was_ambiguous = false;
        loop {
            let mut chosen = None;
            let asked = self.ask_once(&question, hint, avoid, &mut chosen).await;
            let error = match asked {
                Ok((frame, node)) => return Ok(Answered { frame, node }),
                Err(error) => error,
            };
            let went_silent = matches!(error, Error::Lost { .. } | Error::Timeout { .. });
            was_ambiguous |= went_silent;
            avoid = if went_silent { chosen } else { None };
            let follows_hint = error.leader().is_some() && error.leader() != hint;
            hint = error.leader();
            self.learn_from(&question.ask, &error);
            let wait = if follows_hint {
                Duration::ZERO
            } else {
                backoff.next().max(error.retry_after().unwrap_or_default())
            };
            if !error.can_retry() || Instant::now() + wait >= deadline {
                return Err(Failure {
                    error,
                    was_ambiguous,
                });
            }
            tracing::debug!(%error, ?wait, "asking again");
            sleep(wait).await;
        }
    }

    async fn ask_once<F: Fn(u64) -> Frame>(
        &self,
        question: &Question<'_, F>,
        hint: Option<NodeId>,
        avoid: Option<NodeId>,
        chosen: &mut Option<NodeId>,
    ) -> Result<(Frame, String)> {
        let connection = self.choose(question.ask, hint, avoid).await?;
        *chosen = Some(connection.node());
        let frame = self
            .ask_node(&connection, question.what, question.within, &question.frame)
            .await?;
        Ok((frame, connection.name().to_owned()))
    }

    async fn choose(
        &self,
        ask: Ask<'_>,
        hint: Option<NodeId>,
        avoid: Option<NodeId>,
    ) -> Result<Arc<NodeConnection>> {
        match (ask, hint) {
            (Ask::Anybody, None) => self.anybody(avoid).await,
            (Ask::Anybody | Ask::LeaderOf(_), Some(leader)) => self.node(leader).await,
            (Ask::Node(name), _) => self.named(name).await,
            (Ask::LeaderOf(channel), None) => self.leader_of(channel, avoid).await,
            (Ask::HolderOf(channel), _) => self.holder_of(channel, avoid).await,
        }
    }

    fn learn_from(&self, ask: &Ask<'_>, error: &Error) {
        if let Ask::LeaderOf(channel) | Ask::HolderOf(channel) = ask
            && error.denies_holding()
        {
            self.directory.forget_route(channel);
        }
        match ask {
            Ask::LeaderOf(channel) => match error.leader() {
                Some(leader) => self.directory.set_leader(channel, leader),
                None => {
                    if error.denies_leading()
                        && let Some(leader) = self.directory.route(channel).and_then(|r| r.leader)
                    {
                        self.directory.forget_leader(channel, leader);
                    }
                }
            },
            Ask::Anybody | Ask::Node(_) | Ask::HolderOf(_) => {}
        }
    }

    /// A connection to a node of the directory.
    pub(crate) async fn node(&self, node: NodeId) -> Result<Arc<NodeConnection>> {
        if let Some(connection) = self.pool.live(node) {
            return Ok(connection);
        }
        if self.directory.node(node).is_none() {
            self.metadata(&[], None).await?;
        }
        match self.directory.node(node) {
            Some(route) => self.dial(&route).await,
            None => Err(self.unknown_node(&node.to_string())),
        }
    }

    /// A connection to the node with this name.
    pub(crate) async fn named(&self, name: &str) -> Result<Arc<NodeConnection>> {
        if self.directory.node_named(name).is_none() {
            self.metadata(&[], None).await?;
        }
        match self.directory.node_named(name) {
            Some(route) => self.dial(&route).await,
            None => Err(self.unknown_node(name)),
        }
    }

    async fn dial(&self, route: &NodeRoute) -> Result<Arc<NodeConnection>> {
        self.pool
            .node(route.node, &route.name, &route.address)
            .await
    }

    pub(crate) fn unknown_node(&self, node: &str) -> Error {
        let nodes = self.directory.nodes();
        let names: Vec<&str> = nodes.iter().map(|route| route.name.as_str()).collect();
        Error::UnknownNode {
            node: node.to_owned(),
            known: names.join(", "),
        }
    }

    /// Whoever leads the channel; while nobody is known to, a node that holds it.
    pub(crate) async fn leader_of(
        &self,
        channel: &str,
        avoid: Option<NodeId>,
    ) -> Result<Arc<NodeConnection>> {
        let route = self.route(channel).await?;
        if let Some(leader) = route.leader
            && avoid != Some(leader)
        {
            return self.node(leader).await;
        }
        let route = self.refresh(channel, avoid).await?;
        match route.leader {
            Some(leader) => self.node(leader).await,
            None => self.holder_of(channel, avoid).await,
        }
    }

    /// A node that holds the channel: one that is connected, else one that is reached.
    pub(crate) async fn holder_of(
        &self,
        channel: &str,
        avoid: Option<NodeId>,
    ) -> Result<Arc<NodeConnection>> {
        let route = self.route(channel).await?;
        let mut holders: Vec<NodeId> = route.replicas.iter().map(|(node, _)| *node).collect();
        holders.retain(|node| holders_left(route.replicas.len(), avoid, *node));
        if let Some(connection) = holders.iter().find_map(|node| self.pool.live(*node)) {
            return Ok(connection);
        }
        let mut last = Error::UnknownChannel {
            channel: channel.to_owned(),
            node: "(none)".to_owned(),
        };
        for node in holders {
            match self.node(node).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Any node but `avoid`, preferring those that are connected.
    pub(crate) async fn anybody(&self, avoid: Option<NodeId>) -> Result<Arc<NodeConnection>> {
        let mut last = Error::NoSeeds;
        let is_wanted = |node: &NodeId| Some(*node) != avoid;
        let live = self.pool.live_nodes().into_iter().filter(is_wanted);
        if let Some(connection) = live.filter_map(|node| self.pool.live(node)).next() {
            return Ok(connection);
        }
        let nodes = self.directory.nodes();
        let wanted = nodes.iter().filter(|route| is_wanted(&route.node));
        for route in wanted {
            match self.dial(route).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        for seed in &self.config.seeds {
            match self.pool.seed(seed).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks any node but `avoid` where channels are, and takes the answer in.
    pub(crate) async fn metadata(
        &self,
        channels: &[String],
        avoid: Option<NodeId>,
    ) -> Result<MetadataResponse> {
        let connection = self.anybody(avoid).await?;
        self.metadata_from(&connection, channels).await
    }

    pub(crate) async fn metadata_from(
        &self,
        connection: &NodeConnection,
        channels: &[String],
    ) -> Result<MetadataResponse> {
        let frame = |request| {
            Frame::Metadata(Metadata {
                request,
                channels: channels.to_vec(),
            })
        };
        // It is answered from memory, and often asked while some node is dead.
        let within = self.config.answer_within / 4;
        let answer = self.ask_node(connection, "metadata request", within, frame);
        match answer.await? {
            Frame::MetadataResponse(response) => {
                self.directory.learn(&response);
                Ok(response)
            }
            other => Err(unexpected(connection.name(), "metadata request", &other)),
        }
    }

    /// Where a channel is, from memory if possible.
    pub(crate) async fn route(&self, channel: &str) -> Result<ChannelRoute> {
        match self.directory.route(channel) {
            Some(route) => Ok(route),
            None => self.refresh(channel, None).await,
        }
    }

    /// Asks the nodes where a channel is, one after the other, until one names a leader other
    /// than `avoid`. That one is asked only if no other answers: it may be dead, and waiting for it
    /// would keep us from asking the others again. Without such an answer, what is known now.
    pub(crate) async fn refresh(
        &self,
        channel: &str,
        avoid: Option<NodeId>,
    ) -> Result<ChannelRoute> {
        let names = [channel.to_owned()];
        let mut asked = String::new();
        let mut last = None;
        let mut has_answer = false;
        for connection in self.reachable(avoid).await? {
            if has_answer && Some(connection.node()) == avoid {
                break;
            }
            asked = connection.name().to_owned();
            let Err(error) = self.metadata_from(&connection, &names).await else {
                has_answer = true;
                let route = self.directory.route(channel);
                match route {
                    Some(route) if route.leader.is_some() && route.leader != avoid => {
                        return Ok(route);
                    }
                    Some(_) | None => continue,
                }
            };
            last = Some(error);
        }
        match (self.directory.route(channel), last) {
            (Some(route), _) => Ok(route),
            (None, Some(error)) => Err(error),
            (None, None) => Box::pin(self.search(channel))
                .await?
                .ok_or(Error::UnknownChannel {
                    channel: channel.to_owned(),
                    node: asked,
                }),
        }
    }

    /// Asks the nodes that are not connected: a channel that has just been created is known to the
    /// node that created it a moment before the others know it.
    async fn search(&self, channel: &str) -> Result<Option<ChannelRoute>> {
        let names = [channel.to_owned()];
        let live = self.pool.live_nodes();
        for node in self.directory.nodes() {
            if !node.alive || live.contains(&node.node) {
                continue;
            }
            match self.dial(&node).await {
                Ok(connection) => self.metadata_from(&connection, &names).await?,
                Err(error) => {
                    tracing::debug!(node = node.name, %error, "not asked for a channel");
                    continue;
                }
            };
            if let Some(route) = self.directory.route(channel) {
                return Ok(Some(route));
            }
        }
        Ok(None)
    }

    /// Connections to every connected node, `avoid` last; to any node if there is none but that.
    async fn reachable(&self, avoid: Option<NodeId>) -> Result<Vec<Arc<NodeConnection>>> {
        let mut nodes = self.pool.live_nodes();
        nodes.sort_by_key(|node| Some(*node) == avoid);
        let mut found: Vec<Arc<NodeConnection>> = nodes
            .into_iter()
            .filter_map(|node| self.pool.live(node))
            .collect();
        let has_other = found.iter().any(|other| Some(other.node()) != avoid);
        if !has_other {
            match self.anybody(avoid).await {
                Ok(other) => found.insert(0, other),
                Err(error) if found.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%error, "no other node to ask"),
            }
        }
        Ok(found)
    }
}

/// Whether to consider a node: all but the avoided one, unless that one is the only one.
fn holders_left(count: usize, avoid: Option<NodeId>, node: NodeId) -> bool {
    count == 1 || avoid != Some(node)
}

/// An answer that does not belong to its question.
pub(crate) fn unexpected(node: &str, what: &str, frame: &Frame) -> Error {
    Error::Protocol {
        node: node.to_owned(),
        why: format!("a {} answers a {what}", frame.frame_type().name()),
    }
}
