//! Addresses on this machine that nobody else uses.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::config::HostPort;
use crate::error::Error;

/// How often another port is tried before the search is given up.
const TRIES: usize = 100;

/// Finds loopback ports that are free for UDP and for TCP. All are held until the last is found,
/// so that they differ.
///
/// # Errors
/// If there are not that many.
pub(super) fn free(count: usize) -> Result<Vec<HostPort>, Error> {
    let mut held = Vec::new();
    for _ in 0..TRIES + count {
        if held.len() == count {
            break;
        }
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::Ports)?;
        let port = udp.local_addr().map_err(Error::Ports)?.port();
        if let Ok(tcp) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, udp, tcp));
        }
    }
    if held.len() < count {
        let none = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        return Err(Error::Ports(none));
    }
    let address = |port| HostPort {
        host: Ipv4Addr::LOCALHOST.to_string(),
        port,
    };
    Ok(held.iter().map(|(port, ..)| address(*port)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_port_is_another_and_free() {
        let addresses: BTreeSet<_> = free(8).unwrap().into_iter().collect();
        assert_eq!(addresses.len(), 8);
        for address in addresses {
            UdpSocket::bind((address.host.as_str(), address.port)).unwrap();
            TcpListener::bind((address.host.as_str(), address.port)).unwrap();
        }
    }
}
