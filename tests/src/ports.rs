//! Ports that no other test has. Tests run side by side, in one process or in many, and nodes are
//! stopped and started again on the same port; a port that was only seen to be free would be taken
//! by somebody else in between.

use std::{
    fs::{File, OpenOptions},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that the system hands out to clients, which would collide with ours by chance.
const FIRST: u16 = 12_000;
const COUNT: u16 = 16_000;

/// A port of the loopback interface, for UDP and TCP, that is this test's until it is dropped.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    /// Locked as long as it is open.
    _lock: File,
}

impl Port {
    /// A free port.
    ///
    /// # Panics
    /// If there is none, or the temporary directory cannot be written.
    #[must_use]
    pub fn reserve() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let directory = std::env::temp_dir().join("tetrarch-test-ports");
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written");
        let start = u16::try_from(std::process::id() * 61 % u32::from(COUNT)).unwrap_or(0);
        (0..COUNT)
            .map(|_| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST)
            .find_map(|port| Self::take(directory.join(port.to_string()), port))
            .expect("one of many ports is free")
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn take(lock: PathBuf, port: u16) -> Option<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(lock)
            .ok()?;
        file.try_lock().ok()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let is_free = TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok();
        is_free.then_some(Self {
            address,
            _lock: file,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_port_is_given_once_until_it_is_dropped() {
        let ports: Vec<Port> = (0..50).map(|_| Port::reserve()).collect();
        let addresses: BTreeSet<SocketAddr> = ports.iter().map(Port::address).collect();
        assert_eq!(addresses.len(), ports.len());
        let port = ports[0].address.port();
        let lock = std::env::temp_dir().join(format!("tetrarch-test-ports/{port}"));
        assert!(Port::take(lock.clone(), port).is_none());
        drop(ports);
        assert!(Port::take(lock, port).is_some());
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let held = UdpSocket::bind("127.0.0.1:0").expect("there is a port");
        let port = held.local_addr().expect("it has an address").port();
        let lock = std::env::temp_dir().join("tetrarch-test-ports-in-use");
        assert!(Port::take(lock, port).is_none());
    }
}
