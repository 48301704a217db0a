//! One connection to one node, with the request streams on it.

use std::{sync::Arc, time::Duration};

use quinn::Connection;
use tetrarch_wire::{ChannelUid, NodeId};
use tokio::{sync::Mutex, time::timeout};

use super::{Lane, Lost};
use crate::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender, ReceiveTimeouts},
};

/// Streams that producers share, by channel.
const PRODUCE_LANES: usize = 8;
/// How long the peer may leave us without leave for another stream.
const STREAM_WITHIN: Duration = Duration::from_secs(5);

/// A live connection to a node.
#[derive(Debug)]
pub(crate) struct NodeConnection {
    connection: Connection,
    node: NodeId,
    name: String,
    asking: Mutex<Option<Lane>>,
    producing: [Mutex<Option<Lane>>; PRODUCE_LANES],
}

impl NodeConnection {
    pub(crate) fn new(connection: Connection, principal: Principal) -> Arc<Self> {
        Arc::new(Self {
            connection,
            node: principal.node_id(),
            name: principal.name,
            asking: Mutex::default(),
            producing: Default::default(),
        })
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.connection.close_reason().is_none()
    }

    /// The stream for everything but events.
    pub(crate) async fn asking(&self) -> Result<Lane, Lost> {
        self.lane(&self.asking).await
    }

    /// The stream for events of a channel.
    pub(crate) async fn producing(&self, channel: ChannelUid) -> Result<Lane, Lost> {
        let index = usize::from(channel.as_bytes()[0]) % PRODUCE_LANES;
        self.lane(&self.producing[index]).await
    }

    /// A stream of its own, for a subscription.
    pub(crate) async fn stream(&self) -> Result<(FrameSender, FrameReceiver), Lost> {
        let opened = timeout(STREAM_WITHIN, self.connection.open_bi()).await;
        let (sending, receiving) = match opened {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(Lost {
                    text: error.to_string(),
                    connection: Some(error),
                });
            }
            Err(_) => {
                return Err(Lost {
                    text: format!("the node allows no further stream for {STREAM_WITHIN:?}"),
                    connection: None,
                });
            }
        };
        Ok((
            FrameSender::new(sending),
            FrameReceiver::new(receiving, ReceiveTimeouts::OPENED),
        ))
    }

    /// The lane in a slot, opened if there is none or it has ended.
    async fn lane(&self, slot: &Mutex<Option<Lane>>) -> Result<Lane, Lost> {
        let mut slot = slot.lock().await;
        if let Some(lane) = &*slot
            && !lane.is_closed()
        {
            return Ok(lane.clone());
        }
        let (sender, receiver) = self.stream().await?;
        let lane = Lane::open(sender, receiver);
        *slot = Some(lane.clone());
        Ok(lane)
    }
}
