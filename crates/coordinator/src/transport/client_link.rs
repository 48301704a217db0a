//! A client's connection. The transport bounds how many there are and what they may open; what a
//! stream asks for is the node's business. A node's certificate is as good as a client's here, so
//! that a node can ask another one on its own behalf.

use std::sync::Arc;

use quinn::{Connection, RecvStream, SendStream, VarInt};
use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender, ReceiveTimeouts},
};
use tetrarch_wire::frame::CloseCode;
use tokio::{task::JoinSet, time::timeout};

use super::{
    context::Context,
    error::Refusal,
    inbound::Inbound,
    link::close,
    tasks::{join_all, report},
};

/// Bytes that a client may send before the node has read them, over all its streams.
const WINDOW: u32 = 16 * 1024 * 1024;

/// Serves a client until its connection ends or the mesh stops.
pub(super) async fn serve<I: Inbound>(
    context: &Context<I>,
    connection: &Connection,
    client: Arc<Principal>,
) -> Result<(), Refusal> {
    let limits = &context.mesh.limits;
    let Some(_inside) = context.mesh.clients.enter(limits.clients) else {
        let detail = format!(
            "{} clients are connected, as many as may be",
            limits.clients
        );
        return Err(Refusal::new(CloseCode::Overload, detail));
    };
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(limits.streams));
    connection.set_receive_window(VarInt::from_u32(WINDOW));
    tracing::debug!(client = %client.uri(), remote = %connection.remote_address(), "connected");
    let mut streams = JoinSet::new();
    let stop = context.mesh.stop.watcher();
    tokio::select! {
        () = accept_streams(context, connection, &client, &mut streams) => {}
        () = stop.stopped() => {}
    }
    // The node ends its streams when it stops or their connection does.
    if timeout(limits.farewell, join_all(&mut streams))
        .await
        .is_err()
    {
        tracing::debug!(client = %client.uri(), left = streams.len(), "streams did not end");
    }
    streams.shutdown().await;
    close(connection, CloseCode::Shutdown, "the node stops");
    Ok(())
}

async fn accept_streams<I: Inbound>(
    context: &Context<I>,
    connection: &Connection,
    client: &Arc<Principal>,
    streams: &mut JoinSet<()>,
) {
    let timeouts = ReceiveTimeouts {
        first: Some(context.mesh.limits.first_frame),
        frame: context.mesh.limits.whole_frame,
    };
    loop {
        tokio::select! {
            stream = connection.accept_bi() => match stream {
                Ok(stream) => {
                    streams.spawn(attend(context.clone(), Arc::clone(client), stream, timeouts));
                }
                Err(error) => {
                    tracing::debug!(client = %client.uri(), %error, "disconnected");
                    return;
                }
            },
            Some(ended) = streams.join_next() => report(ended),
        }
    }
}

async fn attend<I: Inbound>(
    context: Context<I>,
    client: Arc<Principal>,
    (sender, receiver): (SendStream, RecvStream),
    timeouts: ReceiveTimeouts,
) {
    let sender = FrameSender::new(sender);
    let receiver = FrameReceiver::new(receiver, timeouts);
    context
        .inbound
        .client_stream(client, sender, receiver)
        .await;
}
