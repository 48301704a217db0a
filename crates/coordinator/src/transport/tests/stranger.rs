//! Somebody at the other end who does not keep to the rules.

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use tetrarch_client::{
    tls::{Identity, Protocol, client_config},
    transport::{DialError, FrameReceiver, ReceiveTimeouts, bind, dial},
};
use tetrarch_wire::{
    Frame,
    frame::{CloseCode, Hello},
};
use tokio::time::timeout;

use super::node::{TestNode, anywhere, node_id};
use crate::transport::link::close_code;

/// A connection that was made by hand. Its endpoint lives as long as it does.
pub(super) struct Stranger {
    pub(super) connection: Connection,
    _endpoint: Endpoint,
}

impl Stranger {
    /// Finishes the handshake of TLS, and says nothing yet.
    pub(super) async fn dial(
        node: &TestNode,
        identity: &Identity,
        protocol: Protocol,
    ) -> Result<Self, DialError> {
        let endpoint = bind(anywhere(), None).unwrap();
        let config = client_config(identity, protocol, None).unwrap();
        let address = node.mesh.local_addr().to_string();
        let limit = tetrarch_client::transport::HANDSHAKE_TIMEOUT;
        Ok(Self {
            connection: dial(&endpoint, &config, &address, limit).await?,
            _endpoint: endpoint,
        })
    }

    /// Opens a bidirectional stream with these bytes.
    pub(super) async fn open(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        let (mut sender, receiver) = self.connection.open_bi().await.unwrap();
        sender.write_all(bytes).await.unwrap();
        (sender, receiver)
    }

    /// Opens a unidirectional stream with these bytes.
    pub(super) async fn open_uni(&self, bytes: &[u8]) -> SendStream {
        let mut sender = self.connection.open_uni().await.unwrap();
        sender.write_all(bytes).await.unwrap();
        sender
    }

    /// Joins as a node, as a node would.
    pub(super) async fn join(&self, hello: Hello) -> Member {
        let bytes = Frame::Hello(hello).to_bytes().unwrap();
        let (sender, receiver) = self.open(&bytes).await;
        let mut receiver = FrameReceiver::new(receiver, ReceiveTimeouts::OPENED);
        let answer = receiver.next().await.unwrap();
        assert!(matches!(answer, Some(Frame::HelloAck(_))), "{answer:?}");
        Member {
            sender,
            _receiver: receiver,
        }
    }

    /// The code and the words with which the connection is closed, in time.
    pub(super) async fn verdict(&self) -> (CloseCode, String) {
        let closed = timeout(std::time::Duration::from_secs(5), self.connection.closed());
        match closed.await.unwrap() {
            ConnectionError::ApplicationClosed(close) => (
                close_code(close.error_code).unwrap(),
                String::from_utf8(close.reason.to_vec()).unwrap(),
            ),
            other => panic!("not closed with a code: {other}"),
        }
    }
}

/// The control stream of a stranger that was let in.
pub(super) struct Member {
    pub(super) sender: SendStream,
    _receiver: FrameReceiver,
}

/// How the node `name` would introduce itself.
pub(super) fn hello(name: &str) -> Hello {
    let node = node_id(name);
    Hello {
        protocol: Hello::PROTOCOL,
        cluster: super::node::CLUSTER,
        node,
        store: tetrarch_wire::StoreId::from_bytes(*node.as_bytes()),
        boot: tetrarch_wire::Boot::new(1),
        features: 0,
        max_frame: 1 << 20,
        mono_now_ns: 0,
        name: name.into(),
        address: "127.0.0.1:9".into(),
        labels: Vec::new(),
    }
}
