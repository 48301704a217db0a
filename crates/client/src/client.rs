//! The client's front door.

use std::{sync::Arc, time::Duration};

use tetrarch_wire::{
    Epoch, Frame, Seq,
    frame::{ChannelRoute, MetadataResponse, NodeRoute, ReadIndex},
};
use tokio::time::{Instant, sleep};

use crate::{
    Error, Result,
    admin::Admin,
    backoff::Backoff,
    config::ClientConfig,
    core::{Ask, Core, Question, unexpected},
    fetch::{self, FetchFrom, Fetched},
    produce::{Producer, ProducerOptions},
    subscribe::{SubscribeOptions, Subscription},
};

/// A client of a mesh. Cloning is cheap; clones share connections and what is known about the
/// mesh. Connections close when the last clone, producer and subscription is gone.
#[derive(Clone, Debug)]
pub struct Client {
    core: Arc<Core>,
}

/// A point in a channel up to which a read is linearizable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPoint {
    /// The epoch in which the leader confirmed that it leads.
    pub epoch: Epoch,
    /// Everything acknowledged before the request lies at or before this seq.
    pub commit: Seq,
}

impl Client {
    /// Connects to the first seed that answers, and learns the nodes of the mesh from it.
    ///
    /// # Errors
    /// If the identity is unusable, a node refuses it, or no seed answers within
    /// [`ClientConfig::give_up_after`].
    pub async fn connect(config: ClientConfig) -> Result<Self> {
        let core = Arc::new(Core::new(config)?);
        let deadline = Instant::now() + core.config.give_up_after;
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            match core.metadata(&[], None).await {
                Ok(_) => return Ok(Self { core }),
                Err(error) => {
                    let wait = backoff.next();
                    if !error.can_retry() || Instant::now() + wait >= deadline {
                        return Err(error);
                    }
                    tracing::debug!(%error, ?wait, "connecting again");
                    sleep(wait).await;
                }
            }
        }
    }

    /// Where the named channels are; those that the asked node does not know are left out.
    ///
    /// # Errors
    /// If no node answers.
    pub async fn metadata(&self, channels: &[String]) -> Result<MetadataResponse> {
        self.core.metadata(channels, None).await
    }

    /// Where a channel is, asking anew.
    ///
    /// # Errors
    /// If no node answers, or none knows the channel.
    pub async fn channel(&self, channel: &str) -> Result<ChannelRoute> {
        self.core.refresh(channel, None).await
    }

    /// The nodes of the mesh, as last heard.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeRoute> {
        self.core.directory.nodes()
    }

    /// An idempotent producer with the default options.
    ///
    /// # Errors
    /// If no node knows the channel, or none answers.
    pub async fn producer(&self, channel: &str) -> Result<Producer> {
        self.producer_with(channel, ProducerOptions::default())
            .await
    }

    /// An idempotent producer.
    ///
    /// # Errors
    /// If no node knows the channel, or none answers.
    pub async fn producer_with(&self, channel: &str, options: ProducerOptions) -> Result<Producer> {
        Producer::open(Arc::clone(&self.core), channel, options).await
    }

    /// Reads a channel on and on. Nothing is sent before the first event is asked for.
    #[must_use]
    pub fn subscribe(
        &self,
        channel: &str,
        from: FetchFrom,
        options: SubscribeOptions,
    ) -> Subscription {
        Subscription::new(Arc::clone(&self.core), channel, from, options)
    }

    /// Reads a channel once.
    ///
    /// # Errors
    /// If the channel or node is unknown, the position is gone, or no node answers in time.
    pub async fn fetch(
        &self,
        channel: &str,
        from: FetchFrom,
        options: &fetch::FetchOptions,
    ) -> Result<Fetched> {
        fetch::fetch(&self.core, channel, from, options).await
    }

    /// Asks the leader for a point at which a read is linearizable.
    ///
    /// # Errors
    /// If the channel is unknown or has no leader for [`ClientConfig::give_up_after`].
    pub async fn read_index(&self, channel: &str) -> Result<ReadPoint> {
        let uid = self.core.route(channel).await?.uid;
        let question = Question {
            what: "read index request",
            ask: Ask::LeaderOf(channel),
            within: self.core.config.answer_within,
            frame: |request| {
                Frame::ReadIndex(ReadIndex {
                    request,
                    channel: uid,
                })
            },
        };
        let answered = self.core.ask(question).await?;
        match answered.frame {
            Frame::ReadIndexResponse(response) => Ok(ReadPoint {
                epoch: response.epoch,
                commit: response.commit,
            }),
            other => Err(unexpected(&answered.node, "read index request", &other)),
        }
    }

    /// Operators' commands.
    #[must_use]
    pub fn admin(&self) -> Admin<'_> {
        Admin::new(&self.core)
    }

    /// Closes all connections in good order. Producers and subscriptions that are still open fail.
    pub async fn close(self) {
        self.core.pool.close().await;
    }

    /// Waits until a channel has a leader that answers.
    ///
    /// # Errors
    /// As [`Self::read_index`], once `limit` is over.
    pub async fn wait_ready(&self, channel: &str, limit: Duration) -> Result<ReadPoint> {
        let waited = tokio::time::timeout(limit, async {
            loop {
                match self.read_index(channel).await {
                    Err(Error::UnknownChannel { .. }) => sleep(Duration::from_millis(50)).await,
                    outcome => return outcome,
                }
            }
        });
        match waited.await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout {
                what: "read index request",
                node: "(any)".to_owned(),
                after: limit,
            }),
        }
    }
}
