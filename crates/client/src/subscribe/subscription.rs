//! A subscription as its user sees it. It has no task of its own: asking for the next event is
//! what drives it, so dropping it leaves nothing behind.

use std::{sync::Arc, time::Duration};

use tetrarch_wire::{
    ChannelUid, Frame, LogPosition, NodeId, Seq,
    frame::{Fetch, StartFrom, Subscribe},
};
use tokio::time::{Instant, sleep_until};

use super::{
    SubscribeOptions,
    cursor::{Cursor, Misfit},
    session::{Session, WHAT},
};
use crate::{
    Error, Result,
    backoff::Backoff,
    core::{Ask, Core, unexpected},
    fetch::{Delivered, EventBatch, EventIter, whom},
    net::NodeConnection,
};

/// Trouble that has lasted for a while.
#[derive(Debug)]
struct Trouble {
    since: Instant,
    try_again: Instant,
}

/// Events of a channel, one after the other, without loss or repetition. When a node fails or
/// refuses, another goes on at the next seq. Control batches take seqs, so seqs may have gaps.
#[derive(Debug)]
pub struct Subscription {
    core: Arc<Core>,
    channel: String,
    uid: Option<ChannelUid>,
    options: SubscribeOptions,
    cursor: Cursor,
    session: Option<Session>,
    current: Option<EventIter>,
    backoff: Backoff,
    trouble: Option<Trouble>,
    avoid: Option<NodeId>,
}

impl Subscription {
    pub(crate) fn new(
        core: Arc<Core>,
        channel: &str,
        from: StartFrom,
        options: SubscribeOptions,
    ) -> Self {
        Self {
            core,
            channel: channel.to_owned(),
            uid: None,
            options: options.sane(),
            cursor: Cursor::new(from),
            session: None,
            current: None,
            backoff: Backoff::new(Duration::from_millis(10), Duration::from_millis(500)),
            trouble: None,
            avoid: None,
        }
    }

    /// The next event; waits for one. Cancel safe.
    ///
    /// # Errors
    /// As [`Self::next_batch`].
    pub async fn next(&mut self) -> Result<Delivered> {
        loop {
            if let Some(event) = self.current.as_mut().and_then(Iterator::next) {
                return Ok(event);
            }
            self.current = None;
            self.current = Some(self.next_batch().await?.iter());
        }
    }

    /// The next events that were appended together; waits for some. Cancel safe. Events of a batch
    /// that [`Self::next`] has begun to return are not returned again here.
    ///
    /// # Errors
    /// If the channel does not exist or was created anew, the client may not read it, the next
    /// events were dropped by retention, or a node's history does not continue what was read. If
    /// no node serves the channel for [`SubscribeOptions::give_up_after`], the last trouble; then
    /// it may be called again.
    pub async fn next_batch(&mut self) -> Result<EventBatch> {
        loop {
            let error = match self.advance().await {
                Ok(Some(batch)) => return Ok(batch),
                Ok(None) => continue,
                Err(error) => error,
            };
            self.end_session();
            self.postpone(error)?;
        }
    }

    /// The seq of the next event, or of a control batch before it; `None` until it is known.
    #[must_use]
    pub fn next_seq(&self) -> Option<Seq> {
        self.cursor.next()
    }

    /// The end of what was returned, to subscribe [`StartFrom::After`] it later.
    #[must_use]
    pub fn position(&self) -> Option<LogPosition> {
        self.cursor.last()
    }

    /// Last committed seq known to the serving node.
    #[must_use]
    pub fn commit(&self) -> Option<Seq> {
        self.session.as_ref().map(|session| session.commit)
    }

    /// Name of the serving node, while there is one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.session
            .as_ref()
            .map(|session| session.connection().name())
    }

    /// One step: opens a stream, or takes a batch from it.
    async fn advance(&mut self) -> Result<Option<EventBatch>> {
        let Some(session) = &mut self.session else {
            if let Some(trouble) = &self.trouble {
                sleep_until(trouble.try_again).await;
            }
            let session = self.open().await?;
            self.session = Some(session);
            return Ok(None);
        };
        let batch = session.next().await?;
        let (log_start, node) = (session.log_start, session.connection().name());
        if let Err(misfit) = self.cursor.check(&batch) {
            return Err(describe(&self.channel, node, log_start, misfit));
        }
        self.trouble = None;
        self.avoid = None;
        self.backoff.reset();
        self.cursor.advance(batch)
    }

    async fn open(&mut self) -> Result<Session> {
        let channel = self.core.route(&self.channel).await?.uid;
        let connection = self.connection().await?;
        if self.uid.is_some_and(|uid| uid != channel) {
            return Err(Error::Diverged {
                channel: self.channel.clone(),
                node: connection.name().to_owned(),
                at: self.cursor.next().unwrap_or(Seq::FIRST),
            });
        }
        self.avoid = Some(connection.node());
        if self.cursor.awaits_now() {
            let commit = self.commit_at(&connection, channel).await?;
            self.cursor.set_now(commit);
        }
        self.uid = Some(channel);
        let subscribe = Subscribe {
            channel,
            from: self.cursor.start(),
            mode: self.options.mode,
            credit: self.options.credit_bytes,
        };
        Session::open(connection, subscribe).await
    }

    async fn connection(&self) -> Result<Arc<NodeConnection>> {
        let channel = &self.channel;
        match whom(channel, self.options.mode, self.options.node.as_deref()) {
            Ask::Node(name) => self.core.named(name).await,
            Ask::LeaderOf(channel) => self.core.leader_of(channel, self.avoid).await,
            Ask::HolderOf(channel) => self.core.holder_of(channel, self.avoid).await,
            Ask::Anybody => self.core.anybody(self.avoid).await,
        }
    }

    /// What "now" is on a node. It is asked once, so that nothing is lost if the first stream
    /// fails before the first event.
    async fn commit_at(&self, node: &NodeConnection, channel: ChannelUid) -> Result<Seq> {
        let mode = self.options.mode;
        let fetch = |request| {
            Frame::Fetch(Fetch {
                request,
                channel,
                from: StartFrom::Now,
                mode,
                max_bytes: 0,
                wait_ms: 0,
            })
        };
        let within = self.core.config.answer_within;
        match self.core.ask_node(node, WHAT, within, fetch).await? {
            Frame::FetchResponse(response) => Ok(response.commit),
            other => Err(unexpected(node.name(), WHAT, &other)),
        }
    }

    fn end_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.avoid = Some(session.connection().node());
            if session.was_sound() {
                self.trouble = None;
                self.backoff.reset();
            }
        }
    }

    /// Plans another try; an error if another would not help or it has lasted too long.
    fn postpone(&mut self, error: Error) -> Result<()> {
        let now = Instant::now();
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        if !error.can_retry() || now >= since + self.options.give_up_after {
            self.trouble = None;
            return Err(error);
        }
        if error.denies_holding() {
            self.core.directory.forget_route(&self.channel);
        }
        if let (Some(leader), true) = (error.leader(), self.options.node.is_none()) {
            self.core.directory.set_leader(&self.channel, leader);
        }
        let wait = self.backoff.next();
        let wait = wait.max(error.retry_after().unwrap_or_default());
        tracing::debug!(%error, ?wait, channel = self.channel, "subscribing again");
        self.trouble = Some(Trouble {
            since,
            try_again: now + wait,
        });
        Ok(())
    }
}

fn describe(channel: &str, node: &str, log_start: Seq, misfit: Misfit) -> Error {
    let (channel, node) = (channel.to_owned(), node.to_owned());
    match misfit {
        Misfit::Diverged { at } => Error::Diverged { channel, node, at },
        Misfit::Gap { wanted, .. } if log_start > wanted => Error::Trimmed {
            channel,
            wanted,
            available: log_start,
        },
        Misfit::Gap { wanted, found } => Error::Protocol {
            node,
            why: format!("it delivers seq {found} of channel '{channel}' where {wanted} is next"),
        },
    }
}
