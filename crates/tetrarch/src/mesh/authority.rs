//! The private authority of a mesh, and the certificates it issues (protocol §17). Who somebody is
//! stands in the URI of the certificate and nowhere else.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use tetrarch_wire::ClusterId;
use time::{Duration, OffsetDateTime};

use super::Layout;
use super::files::{self, PUBLIC, SECRET};
use crate::error::Error;

/// How long the authority's own certificate is valid.
const AUTHORITY_DAYS: i64 = 3_650;
/// How far the clocks of two machines may be apart when a fresh certificate is first shown.
const CLOCK_SKEW: Duration = Duration::hours(1);

/// The name under which all URIs of a mesh stand.
#[must_use]
pub fn trust_domain(cluster: ClusterId) -> String {
    format!("{}.tetrarch", &cluster.to_string()[..16])
}

/// Who a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A node, which serves and dials.
    Node(&'a str),
    /// A client, which only dials.
    Client(&'a str),
}

impl Subject<'_> {
    /// The URI in its certificate.
    #[must_use]
    pub fn uri(self, trust: &str) -> String {
        match self {
            Self::Node(name) => format!("spiffe://{trust}/node/{name}"),
            Self::Client(name) => format!("spiffe://{trust}/client/{name}"),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Node(name) | Self::Client(name) => name.to_owned(),
        }
    }

    fn usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Node(_) => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            Self::Client(_) => vec![ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

/// A certificate and its key, PEM.
#[derive(Debug)]
pub struct Credentials {
    /// The certificate.
    pub cert: String,
    /// The key.
    pub key: String,
}

/// The authority of one mesh.
#[derive(Debug)]
pub struct Authority {
    trust: String,
    cert: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Founds the authority of a mesh.
    ///
    /// # Errors
    /// If its key or certificate cannot be made.
    pub fn found(cluster: ClusterId) -> Result<Self, Error> {
        let failed = failed("the authority");
        let trust = trust_domain(cluster);
        let make = || {
            let key = KeyPair::generate()?;
            let mut params = params(&format!("Tetrarch mesh {trust}"), AUTHORITY_DAYS);
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let cert = params.self_signed(&key)?.pem();
            Ok((cert, Issuer::new(params, key)))
        };
        let (cert, issuer) = make().map_err(failed)?;
        Ok(Self {
            trust,
            cert,
            issuer,
        })
    }

    /// Takes up the authority whose files are in a mesh directory.
    ///
    /// # Errors
    /// If they cannot be read, or are no certificate and key.
    pub fn load(layout: &Layout, cluster: ClusterId) -> Result<Self, Error> {
        let cert = files::read(&layout.ca_cert())?;
        let key = files::read(&layout.ca_key())?;
        let issuer = KeyPair::from_pem(&key)
            .and_then(|key| Issuer::from_ca_cert_pem(&cert, key))
            .map_err(|error| Error::Malformed {
                path: layout.ca_key(),
                why: format!("is not the key of {}: {error}", layout.ca_cert().display()),
            })?;
        Ok(Self {
            trust: trust_domain(cluster),
            cert,
            issuer,
        })
    }

    /// Writes certificate and key into a new mesh directory.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save(&self, layout: &Layout) -> Result<(), Error> {
        files::create(&layout.ca_cert(), self.cert.as_bytes(), PUBLIC)?;
        let key = self.issuer.key().serialize_pem();
        files::create(&layout.ca_key(), key.as_bytes(), SECRET)
    }

    /// Its certificate, PEM: what nodes and clients trust.
    #[must_use]
    pub fn cert(&self) -> &str {
        &self.cert
    }

    /// The name under which the URIs of this mesh stand.
    #[must_use]
    pub fn trust(&self) -> &str {
        &self.trust
    }

    /// Issues a certificate with a fresh key.
    ///
    /// # Errors
    /// If either cannot be made.
    pub fn issue(&self, subject: Subject<'_>, days: u32) -> Result<Credentials, Error> {
        let uri = subject.uri(&self.trust);
        let make = || {
            let key = KeyPair::generate()?;
            let cert = self.sign(subject, &uri, days, &key)?;
            Ok(Credentials {
                cert: cert.pem(),
                key: key.serialize_pem(),
            })
        };
        make().map_err(failed(&format!("a certificate for {uri}")))
    }

    fn sign(
        &self,
        subject: Subject<'_>,
        uri: &str,
        days: u32,
        key: &KeyPair,
    ) -> Result<Certificate, rcgen::Error> {
        let mut params = params(&subject.name(), days.into());
        params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = subject.usages();
        params.use_authority_key_identifier_extension = true;
        params.signed_by(key, &self.issuer)
    }
}

fn params(common_name: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + Duration::days(days);
    params
}

fn failed(what: &str) -> impl FnOnce(rcgen::Error) -> Error {
    let what = what.to_owned();
    move |source| Error::Certificate { what, source }
}
