//! A host and a port.

use std::fmt;
use std::net::IpAddr;

/// Where something listens: a name or IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The name or IP address, without brackets.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || format!("must be host:port such as 127.0.0.1:7101, not `{text}`");
        let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
        let port = port.parse().map_err(|_| wanted())?;
        if port == 0 {
            return Err("must name a port; 0 would be another one at each start".into());
        }
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) if inner.parse::<IpAddr>().is_ok() => inner,
            Some(_) => return Err(wanted()),
            None => host,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.is_empty() || !(host.parse::<IpAddr>().is_ok() || host.chars().all(plain)) {
            return Err(wanted());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Whether it means "every address of this machine", which nobody else can dial.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.host
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_both_kinds_of_ip_address_round_trip() {
        for text in [
            "127.0.0.1:7101",
            "node-1.example.org:1",
            "[::1]:7101",
            "[2001:db8::1]:65535",
        ] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            ":1",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "[x]:1",
            "a b:1",
            "a/b:1",
            "::1:x",
        ] {
            assert!(HostPort::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_unspecified_address_is_known_in_both_families() {
        assert!(HostPort::parse("0.0.0.0:1").unwrap().is_unspecified());
        assert!(HostPort::parse("[::]:1").unwrap().is_unspecified());
        assert!(!HostPort::parse("127.0.0.1:1").unwrap().is_unspecified());
    }
}
