//! The name in a certificate: `spiffe://<trust domain>/node/<name>` or `…/client/<name>`. It is
//! read from the URI subject alternative name and from nowhere else.

use std::fmt;

use rustls::pki_types::CertificateDer;
use tetrarch_wire::{NodeId, limits};
use x509_parser::{extensions::GeneralName, prelude::FromDer};

use super::PrincipalError;

const SCHEME: &str = "spiffe://";

/// What a certificate's holder may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// A member of the mesh.
    Node,
    /// A producer, consumer or operator.
    Client,
}

impl PrincipalKind {
    /// The path segment that stands for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Client => "client",
        }
    }
}

/// The holder of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The mesh that vouches for it.
    pub trust_domain: String,
    /// Node or client.
    pub kind: PrincipalKind,
    /// Its name within the trust domain and kind.
    pub name: String,
}

impl Principal {
    /// Reads a URI.
    ///
    /// # Errors
    /// If it is anything but `spiffe://<trust domain>/node/<name>` or `…/client/<name>`.
    pub fn parse(uri: &str) -> Result<Self, PrincipalError> {
        let malformed = |why| PrincipalError::Malformed {
            uri: uri.to_owned(),
            why,
        };
        let path = uri
            .strip_prefix(SCHEME)
            .ok_or_else(|| malformed("it does not begin with spiffe://"))?;
        let mut parts = path.split('/');
        let (Some(trust_domain), Some(kind), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("its path is not /<kind>/<name>"));
        };
        let kind = match kind {
            "node" => PrincipalKind::Node,
            "client" => PrincipalKind::Client,
            _ => return Err(malformed("its kind is neither node nor client")),
        };
        if !is_trust_domain(trust_domain) {
            return Err(malformed(
                "a trust domain is 1 to 255 lower-case letters, digits, '.', '-' and '_'",
            ));
        }
        if !is_name(name) {
            return Err(malformed(
                "a name is 1 to 255 letters, digits, '.', '-' and '_'",
            ));
        }
        Ok(Self {
            trust_domain: trust_domain.to_owned(),
            kind,
            name: name.to_owned(),
        })
    }

    /// Reads the one URI subject alternative name of a certificate.
    ///
    /// # Errors
    /// If the certificate cannot be read, has no or several URIs, or one of another shape.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, PrincipalError> {
        let unreadable = |why: String| PrincipalError::Unreadable { why };
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate)
            .map_err(|error| unreadable(error.to_string()))?;
        let names = parsed
            .subject_alternative_name()
            .map_err(|error| unreadable(error.to_string()))?;
        let names = names.map_or(&[][..], |extension| &extension.value.general_names);
        let uris: Vec<&str> = names.iter().filter_map(uri_of).collect();
        match uris[..] {
            [uri] => Self::parse(uri),
            [] => Err(PrincipalError::NoUri {
                subject: parsed.subject().to_string(),
                names: listed(names.iter().map(ToString::to_string)),
            }),
            _ => Err(PrincipalError::SeveralUris {
                uris: listed(uris.iter().map(ToString::to_string)),
            }),
        }
    }

    /// The URI that names the principal.
    #[must_use]
    pub fn uri(&self) -> String {
        self.to_string()
    }

    /// The node of that name.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::from_spiffe_uri(&self.uri())
    }

    /// Checks that the principal belongs to a trust domain.
    ///
    /// # Errors
    /// Both trust domains, if they differ.
    pub fn check_trust_domain(&self, expected: &str) -> Result<(), PrincipalError> {
        if self.trust_domain == expected {
            Ok(())
        } else {
            Err(PrincipalError::TrustDomain {
                seen: self.uri(),
                expected: expected.to_owned(),
            })
        }
    }

    /// Checks that the principal is a node, and the named one if a name is given.
    ///
    /// # Errors
    /// The URI seen and the one expected, if they differ.
    pub fn check_node(&self, name: Option<&str>) -> Result<(), PrincipalError> {
        let is_it = self.kind == PrincipalKind::Node && name.is_none_or(|name| name == self.name);
        if is_it {
            return Ok(());
        }
        let expected = name.unwrap_or("<name>");
        Err(PrincipalError::NotTheNode {
            seen: self.uri(),
            expected: format!("{SCHEME}{}/node/{expected}", self.trust_domain),
        })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trust_domain,
            kind,
            name,
        } = self;
        write!(f, "{SCHEME}{trust_domain}/{}/{name}", kind.name())
    }
}

fn uri_of<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    if let GeneralName::URI(uri) = name {
        Some(uri)
    } else {
        None
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn is_trust_domain(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=limits::MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=limits::MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_printed_back() {
        for (uri, kind) in [
            ("spiffe://mesh.test/node/n1", PrincipalKind::Node),
            ("spiffe://mesh.test/client/app-1", PrincipalKind::Client),
        ] {
            let principal = Principal::parse(uri).unwrap();
            assert_eq!(principal.kind, kind);
            assert_eq!(principal.uri(), uri);
            assert_eq!(principal.node_id(), NodeId::from_spiffe_uri(uri));
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_uri() {
        for uri in [
            "https://mesh/node/n1",
            "spiffe://mesh/node",
            "spiffe://mesh/node/a/b",
            "spiffe://mesh/admin/n1",
            "spiffe://Mesh/node/n1",
            "spiffe:///node/n1",
            "spiffe://mesh/node/",
            "spiffe://mesh/node/n 1",
        ] {
            let error = Principal::parse(uri).unwrap_err();
            assert!(error.to_string().contains(uri), "{error}");
        }
    }

    #[test]
    fn a_client_is_no_node_and_the_error_shows_both_names() {
        let client = Principal::parse("spiffe://mesh/client/n1").unwrap();
        let text = client.check_node(Some("n1")).unwrap_err().to_string();
        assert!(text.contains("spiffe://mesh/client/n1"), "{text}");
        assert!(text.contains("spiffe://mesh/node/n1"), "{text}");
    }
}
