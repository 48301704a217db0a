//! Takes in connections. Who dials is not trusted with anything before its certificate, its
//! protocol and its first frame are checked, and only so many may be in that state at once.

use std::sync::Arc;

use quinn::{Connection, Incoming};
use tetrarch_client::tls::{Peer as Caller, Protocol, identify};
use tetrarch_wire::{
    Frame,
    frame::{CloseCode, Hello},
};
use tokio::time::timeout;

use super::{
    admission::admit,
    client_link,
    context::Context,
    duel::Verdict,
    error::Refusal,
    gate::Ticket,
    inbound::Inbound,
    introduction::{Control, greet, refuse},
    link::{Link, close},
    seat::Seat,
};

/// Accepts connections until the mesh stops.
pub(super) async fn keep_accepting<I: Inbound>(context: Context<I>) {
    let stop = context.mesh.stop.watcher();
    loop {
        let incoming = tokio::select! {
            biased;
            () = stop.stopped() => None,
            incoming = context.mesh.endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        open_door(&context, incoming);
    }
}

/// Lets a caller in, makes it prove its address first, or ignores it, by how many are waiting.
fn open_door<I: Inbound>(context: &Context<I>, incoming: Incoming) {
    let limits = &context.mesh.limits;
    let waiting = context.mesh.half_open.count();
    if waiting >= limits.half_open && !incoming.remote_address_validated() {
        if incoming.retry().is_err() {
            tracing::debug!("an address could not be asked for proof");
        }
        return;
    }
    let Some(ticket) = context.mesh.half_open.enter(limits.half_open_at_most) else {
        let remote = incoming.remote_address();
        let detail = format!("{waiting} connections are not authenticated yet");
        context.complain(remote, Refusal::new(CloseCode::Overload, detail));
        incoming.ignore();
        return;
    };
    let visit = receive(context.clone(), incoming, ticket);
    if !context.mesh.tasks.spawn(visit) {
        tracing::debug!("a caller came while the mesh stopped");
    }
}

async fn receive<I: Inbound>(context: Context<I>, incoming: Incoming, ticket: Ticket) {
    let remote = incoming.remote_address();
    let connection = match shake_hands(&context, incoming).await {
        Ok(connection) => connection,
        Err(refusal) => return context.complain(remote, refusal),
    };
    if let Err(refusal) = admit_caller(&context, &connection, ticket).await {
        close(&connection, refusal.code, &refusal.detail);
        context.complain(remote, refusal);
    }
}

async fn shake_hands<I>(context: &Context<I>, incoming: Incoming) -> Result<Connection, Refusal> {
    let remote = incoming.remote_address();
    let limit = context.mesh.limits.handshake;
    let connecting = incoming
        .accept()
        .map_err(|error| Refusal::lost(remote, error))?;
    match timeout(limit, connecting).await {
        Ok(connected) => connected.map_err(|error| Refusal::lost(remote, error)),
        Err(_) => {
            let detail = format!("the handshake took longer than {} ms", limit.as_millis());
            Err(Refusal::new(CloseCode::Timeout, detail))
        }
    }
}

/// A node carries on as a peer; a client, or a node that speaks as one, is served here.
async fn admit_caller<I: Inbound>(
    context: &Context<I>,
    connection: &Connection,
    ticket: Ticket,
) -> Result<(), Refusal> {
    let caller = identify(connection).map_err(|error| Refusal::certificate(&error))?;
    match caller.protocol {
        Protocol::Mesh => admit_node(context, connection, &caller).await,
        Protocol::Client => {
            drop(ticket);
            client_link::serve(context, connection, Arc::new(caller.principal)).await
        }
    }
}

async fn admit_node<I: Inbound>(
    context: &Context<I>,
    connection: &Connection,
    caller: &Caller,
) -> Result<(), Refusal> {
    let (control, hello) = greet(connection, &context.mesh.limits).await?;
    match answer(context, connection, caller, hello) {
        Ok(accepted) => welcome(context, connection, accepted, control).await,
        Err(refusal) => Err(refuse(control, connection, refusal).await),
    }
}

/// What was decided about a node that may join.
struct Accepted {
    seat: Arc<Seat>,
    link: Arc<Link>,
}

/// Checks the introduction, and takes the seat if it is right.
fn answer<I: Inbound>(
    context: &Context<I>,
    connection: &Connection,
    caller: &Caller,
    hello: Hello,
) -> Result<Accepted, Refusal> {
    let mesh = &context.mesh;
    // Whoever lost its connection because this node stops dials again at once.
    if mesh.stop.is_stopped() {
        return Err(Refusal::new(CloseCode::Shutdown, "the node is stopping"));
    }
    let node = caller.principal.node_id();
    let seat = mesh.seat(node);
    let address = seat.as_ref().map(|seat| seat.address());
    let peer = admit(&mesh.local, node, address.as_ref(), hello)?;
    // Without a seat the node is unknown and was refused just now.
    let seat = seat.ok_or_else(|| Refusal::new(CloseCode::Denied, "an unknown node"))?;
    let link = mesh.link(connection.clone(), peer, node);
    match seat.take(&link, &*context.inbound) {
        Verdict::Supersede | Verdict::Replace => Ok(Accepted { seat, link }),
        Verdict::Keep => Err(Refusal::new(
            CloseCode::Duplicate,
            "another connection of this pair is kept",
        )),
    }
}

async fn welcome<I: Inbound>(
    context: &Context<I>,
    connection: &Connection,
    Accepted { seat, link }: Accepted,
    mut control: Control,
) -> Result<(), Refusal> {
    let hello = Frame::HelloAck(context.mesh.hello());
    match control.say(connection, &hello).await {
        Ok(()) => {
            context.carry(seat, link, control);
            Ok(())
        }
        Err(refusal) => {
            seat.leave(&link, &*context.inbound);
            Err(refusal)
        }
    }
}
