//! UDP sockets with room for bursts, and the endpoints on them.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use quinn::{Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use rustix::net::sockopt;

/// What is asked for in each direction. The kernel grants at most its own `net.core.rmem_max` and
/// `net.core.wmem_max`, without an error.
const BUFFER_BYTES: usize = 8 << 20;

/// Opens an endpoint on `address`; one that also accepts connections if `server` is given.
///
/// # Errors
/// If the address cannot be bound, or there is no tokio runtime.
pub fn bind(address: SocketAddr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
    let socket = UdpSocket::bind(address)?;
    enlarge(&socket);
    Endpoint::new(
        EndpointConfig::default(),
        server,
        socket,
        Arc::new(TokioRuntime),
    )
}

/// Larger buffers save packets from being dropped in bursts; without them it works, only slower.
fn enlarge(socket: &UdpSocket) {
    let received = sockopt::set_socket_recv_buffer_size(socket, BUFFER_BYTES);
    let sent = sockopt::set_socket_send_buffer_size(socket, BUFFER_BYTES);
    if let Err(error) = received.and(sent) {
        tracing::debug!(%error, wanted = BUFFER_BYTES, "socket buffers stay as they are");
    }
}
