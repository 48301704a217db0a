//! Operators' commands. Any node takes them; whoever cannot carry one out says who can.

use std::collections::BTreeMap;

use tetrarch_wire::{
    Frame, NodeId, Retention,
    channel::check_channel_name,
    frame::{
        AdminRequest, AdminResponse, ChannelEntry, ChannelStatus, CreateChannel, NodeStatus,
        Placement, RetryReason,
    },
};

use crate::{
    Error, Result,
    core::{Answered, Ask, Core, Question, unexpected},
};

/// Rows that are asked for at once. Pages are followed until the last.
const PAGE: u32 = 500;

/// Commands to the mesh, through whichever node answers.
#[derive(Clone, Copy, Debug)]
pub struct Admin<'a> {
    core: &'a Core,
    node: Option<&'a str>,
}

/// Nodes and channels as one node sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Name of the node that was asked.
    pub asked: String,
    /// All nodes, by name.
    pub nodes: Vec<NodeStatus>,
    /// The channels, by name.
    pub channels: Vec<ChannelStatus>,
}

impl<'a> Admin<'a> {
    pub(crate) const fn new(core: &'a Core) -> Self {
        Self { core, node: None }
    }

    /// Asks this node alone, which matters for what each node sees differently.
    #[must_use]
    pub const fn through(self, node: &'a str) -> Self {
        Self {
            node: Some(node),
            ..self
        }
    }

    /// Creates a channel and returns it as the catalog has it. A repeated try that finds the
    /// channel of an earlier one counts as success.
    ///
    /// # Errors
    /// If the name is invalid or taken, too few nodes satisfy the filter, the client has no right,
    /// or no node answers in time.
    pub async fn create_channel(&self, channel: CreateChannel) -> Result<ChannelEntry> {
        check_channel_name(&channel.name)?;
        let asked = self
            .request(|request| AdminRequest::CreateChannel {
                request,
                channel: channel.clone(),
            })
            .await;
        match asked {
            Ok((AdminResponse::Created { channel, .. }, _)) => Ok(channel),
            Ok((other, node)) => Err(misfit(&node, other)),
            Err(Failure {
                error,
                was_ambiguous: true,
            }) if is(&error, RetryReason::Exists) => match self.find(&channel).await? {
                Some(entry) => Ok(entry),
                None => Err(error),
            },
            Err(failure) => Err(failure.error),
        }
    }

    /// Changes how long a channel keeps events.
    ///
    /// # Errors
    /// If there is no such channel, the client has no right, or no node answers in time.
    pub async fn alter_channel(&self, name: &str, retention: Retention) -> Result<()> {
        let asked = self
            .request(|request| AdminRequest::AlterChannel {
                request,
                name: name.to_owned(),
                retention,
            })
            .await;
        self.core.directory.forget_route(name);
        done(asked)
    }

    /// Deletes a channel. A repeated try that finds it gone counts as success.
    ///
    /// # Errors
    /// If there is no such channel, the client has no right, or no node answers in time.
    pub async fn delete_channel(&self, name: &str) -> Result<()> {
        let asked = self
            .request(|request| AdminRequest::DeleteChannel {
                request,
                name: name.to_owned(),
            })
            .await;
        self.core.directory.forget_route(name);
        match asked {
            Err(Failure {
                error,
                was_ambiguous: true,
            }) if is(&error, RetryReason::UnknownChannel) => Ok(()),
            asked => done(asked),
        }
    }

    /// All channels, by name.
    ///
    /// # Errors
    /// If no node answers in time.
    pub async fn list_channels(&self) -> Result<Vec<ChannelEntry>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let asked = self
                .request(|request| AdminRequest::ListChannels {
                    request,
                    after: after.clone(),
                    limit: PAGE,
                })
                .await;
            match asked {
                Ok((AdminResponse::Channels { channels, next, .. }, node)) => {
                    all.extend(channels);
                    if !advances(&mut after, next, &node)? {
                        return Ok(all);
                    }
                }
                Ok((other, node)) => return Err(misfit(&node, other)),
                Err(failure) => return Err(failure.error),
            }
        }
    }

    /// Makes a channel's leader hand over, to the node called `to` or else to the best.
    ///
    /// # Errors
    /// If there is no such channel or node, nobody can take over, or no node answers in time.
    pub async fn relinquish(&self, name: &str, to: Option<&str>) -> Result<()> {
        let to = match to {
            Some(node) => Some(self.node_id(node).await?),
            None => None,
        };
        // Nodes that do not hold the channel cannot say who leads it.
        let leader = self.node.map_or(Ask::LeaderOf(name), Ask::Node);
        let asked = self
            .request_to(leader, |request| AdminRequest::Relinquish {
                request,
                name: name.to_owned(),
                to,
            })
            .await;
        done(asked)
    }

    /// Moves a channel to these nodes, and to no others, and returns the placement that was ordered. The
    /// channel's leader carries it out; how far that is [`Self::show_channel`] says: done when the placement
    /// that it shows [is past](Placement::is_past) this one. Not every node knows of it yet.
    ///
    /// # Errors
    /// If there is no such channel or node, a node is not connected, the client has no right, or no node
    /// answers in time.
    pub async fn move_channel(&self, name: &str, nodes: &[String]) -> Result<Placement> {
        let mut ids = Vec::with_capacity(nodes.len());
        for node in nodes {
            ids.push(self.node_id(node).await?);
        }
        let asked = self
            .request(|request| AdminRequest::MoveChannel {
                request,
                name: name.to_owned(),
                nodes: ids.clone(),
            })
            .await;
        self.core.directory.forget_route(name);
        match asked {
            Ok((AdminResponse::Moving { placement, .. }, _)) => Ok(placement),
            Ok((other, node)) => Err(misfit(&node, other)),
            Err(failure) => Err(failure.error),
        }
    }

    /// Makes a node hold no channel any more: the leader of the catalog moves each to another node, as far as
    /// there is one that may hold it, and gives the node no new one. Or lets it hold channels again.
    ///
    /// # Errors
    /// If there is no such node, the client has no right, or no node answers in time.
    pub async fn drain(&self, node: &str, is_drained: bool) -> Result<()> {
        let node = self.node_id(node).await?;
        let asked = self
            .request(|request| AdminRequest::Drain {
                request,
                node,
                is_drained,
            })
            .await;
        done(asked)
    }

    /// Describes all nodes and channels as the asked node sees them.
    ///
    /// # Errors
    /// If no node answers in time.
    pub async fn status(&self) -> Result<Status> {
        self.status_of(None).await
    }

    /// Describes one channel as the asked node sees it.
    ///
    /// # Errors
    /// If there is no such channel, or no node answers in time.
    pub async fn show_channel(&self, name: &str) -> Result<ChannelStatus> {
        let status = self.status_of(Some(name)).await?;
        let found = status.channels.into_iter().find(|one| one.name == name);
        found.ok_or_else(|| Error::UnknownChannel {
            channel: name.to_owned(),
            node: status.asked,
        })
    }

    async fn status_of(&self, channel: Option<&str>) -> Result<Status> {
        let mut nodes = BTreeMap::new();
        let mut channels = Vec::new();
        let mut after = None;
        loop {
            let asked = self
                .request(|request| AdminRequest::Status {
                    request,
                    channel: channel.map(str::to_owned),
                    after: after.clone(),
                    limit: PAGE,
                })
                .await;
            let page = match asked {
                Ok((AdminResponse::Status { page, .. }, _)) => page,
                Ok((other, node)) => return Err(misfit(&node, other)),
                Err(failure) => return Err(failure.error),
            };
            nodes.extend(page.nodes.into_iter().map(|node| (node.name.clone(), node)));
            channels.extend(page.channels);
            if !advances(&mut after, page.next, &page.asked)? {
                return Ok(Status {
                    asked: page.asked,
                    nodes: nodes.into_values().collect(),
                    channels,
                });
            }
        }
    }

    async fn node_id(&self, name: &str) -> Result<NodeId> {
        if self.core.directory.node_named(name).is_none() {
            self.core.metadata(&[], None).await?;
        }
        match self.core.directory.node_named(name) {
            Some(node) => Ok(node.node),
            None => Err(self.core.unknown_node(name)),
        }
    }

    /// The channel of that name, if it is what was to be created.
    async fn find(&self, wanted: &CreateChannel) -> Result<Option<ChannelEntry>> {
        let is_it = |entry: &ChannelEntry| {
            entry.name == wanted.name
                && entry.genesis.class == wanted.class
                && entry.genesis.voters().len() == usize::from(wanted.replicas)
                && entry.retention == wanted.retention
        };
        Ok(self.list_channels().await?.into_iter().find(is_it))
    }

    async fn request(
        &self,
        build: impl Fn(u64) -> AdminRequest,
    ) -> std::result::Result<(AdminResponse, String), Failure> {
        let anybody = self.node.map_or(Ask::Anybody, Ask::Node);
        self.request_to(anybody, build).await
    }

    async fn request_to(
        &self,
        ask: Ask<'_>,
        build: impl Fn(u64) -> AdminRequest,
    ) -> std::result::Result<(AdminResponse, String), Failure> {
        let question = Question {
            what: "admin request",
            ask,
            // Creating a channel takes as long as a commit of the catalog does.
            within: self.core.config.answer_within * 2,
            frame: |request| Frame::Admin(build(request)),
        };
        match self.core.ask_telling(question).await {
            Ok(Answered {
                frame: Frame::AdminResponse(response),
                node,
            }) => Ok((response, node)),
            Ok(Answered { frame, node }) => Err(Failure {
                error: unexpected(&node, "admin request", &frame),
                was_ambiguous: false,
            }),
            Err(failure) => Err(failure),
        }
    }
}

/// The last error, and whether an earlier try may have been carried out all the same.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) was_ambiguous: bool,
}

fn done(asked: std::result::Result<(AdminResponse, String), Failure>) -> Result<()> {
    match asked {
        Ok((AdminResponse::Done { .. }, _)) => Ok(()),
        Ok((other, node)) => Err(misfit(&node, other)),
        Err(failure) => Err(failure.error),
    }
}

fn is(error: &Error, expected: RetryReason) -> bool {
    matches!(error, Error::Refused { reason, .. } if *reason == expected)
}

fn misfit(node: &str, response: AdminResponse) -> Error {
    unexpected(node, "admin request", &Frame::AdminResponse(response))
}

/// Moves on to the next page; `false` after the last one.
fn advances(after: &mut Option<String>, next: Option<String>, node: &str) -> Result<bool> {
    if next.is_some() && next <= *after {
        return Err(Error::Protocol {
            node: node.to_owned(),
            why: "its pages do not advance".to_owned(),
        });
    }
    *after = next;
    Ok(after.is_some())
}
