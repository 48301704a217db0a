//! Keeps dialling a peer for as long as it has no connection.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use quinn::Connection;
use tetrarch_client::{
    tls::{Protocol, client_config, identify},
    transport::{DialError, dial},
};
use tetrarch_wire::frame::CloseCode;
use tokio::{sync::watch, time::sleep};

use super::{
    admission::admit,
    backoff::{Backoff, chance},
    context::Context,
    duel::Verdict,
    error::Refusal,
    inbound::Inbound,
    introduction::introduce,
    link::close,
    seat::Seat,
};

/// Dials whenever the seat is empty, until the mesh stops.
pub(super) async fn keep_dialling<I: Inbound>(context: Context<I>, seat: Arc<Seat>) {
    let stop = context.mesh.stop.watcher();
    let dialling = async {
        let mut linked = seat.linked();
        let mut backoff = Backoff::new();
        loop {
            if !until(&mut linked, false).await {
                return;
            }
            match attempt(&context, &seat, &mut linked).await {
                Some(()) => backoff.reset(),
                None => tokio::select! {
                    () = sleep(backoff.wait(chance())) => {}
                    _ = until(&mut linked, true) => backoff.reset(),
                },
            }
        }
    };
    tokio::select! {
        () = dialling => {}
        () = stop.stopped() => {}
    }
}

/// Waits for the seat to be taken or empty; `false` if there is no seat any more.
async fn until(linked: &mut watch::Receiver<bool>, taken: bool) -> bool {
    linked.wait_for(|linked| *linked == taken).await.is_ok()
}

/// One dial. `None` if it did not lead to a connection.
async fn attempt<I: Inbound>(
    context: &Context<I>,
    seat: &Arc<Seat>,
    linked: &mut watch::Receiver<bool>,
) -> Option<()> {
    // Until the peer has heard of this dial, its own dial is as good, and cheaper to keep.
    let reached = tokio::select! {
        reached = reach(context, seat) => reached,
        _ = until(linked, true) => return Some(()),
    };
    let connection = match reached {
        Ok(connection) => connection,
        Err(refusal) => {
            context.complain(remote_of(&seat.address().address), refusal);
            return None;
        }
    };
    match join(context, seat, &connection).await {
        Ok(()) => Some(()),
        Err(refusal) => {
            close(&connection, refusal.code, &refusal.detail);
            context.complain(connection.remote_address(), refusal);
            None
        }
    }
}

/// Finishes the TLS handshake with the node that belongs here.
async fn reach<I: Inbound>(context: &Context<I>, seat: &Seat) -> Result<Connection, Refusal> {
    let address = seat.address();
    let identity = context.mesh.identity();
    let mut config = client_config(&identity, Protocol::Mesh, Some(&address.name))
        .map_err(|error| Refusal::from(DialError::from(error)))?;
    config.transport_config(Arc::clone(&context.mesh.tuning));
    let limit = context.mesh.limits.handshake;
    Ok(dial(&context.mesh.endpoint, &config, &address.address, limit).await?)
}

/// Introduces this node and, if the peer is who it should be, takes the seat.
async fn join<I: Inbound>(
    context: &Context<I>,
    seat: &Arc<Seat>,
    connection: &Connection,
) -> Result<(), Refusal> {
    let mesh = &context.mesh;
    let peer = identify(connection).map_err(|error| Refusal::certificate(&error))?;
    let (control, hello) = introduce(connection, mesh.hello(), &mesh.limits).await?;
    let address = seat.address();
    let node = peer.principal.node_id();
    let known = (node == address.node).then_some(&address);
    let peer = admit(&mesh.local, node, known, hello)?;
    let link = mesh.link(connection.clone(), peer, mesh.local.node);
    match seat.take(&link, &*context.inbound) {
        Verdict::Supersede | Verdict::Replace => {
            context.carry(Arc::clone(seat), link, control);
            Ok(())
        }
        Verdict::Keep if seat.has_same_start(&link) => {
            // The peer may have sent something before it knew that another connection stays.
            context.carry_out(Arc::clone(seat), link, control);
            Ok(())
        }
        Verdict::Keep => Err(Refusal::new(
            CloseCode::Duplicate,
            "a later start of the peer is connected",
        )),
    }
}

/// The address, where it is not a host name.
fn remote_of(address: &str) -> SocketAddr {
    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    address.parse().unwrap_or(unknown)
}
