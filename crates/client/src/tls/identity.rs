//! Who we are: a certificate chain with its key, and the authorities that we believe.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::FromDer;

use super::{IdentityError, Principal, PrincipalError, provider::provider};

const CA: &str = "CA bundle";
const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";

/// The PEM files of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// Certificates of the authorities that are believed.
    pub ca: PathBuf,
    /// Our certificate, followed by intermediate ones if there are any.
    pub certificate: PathBuf,
    /// The key of our certificate.
    pub key: PathBuf,
}

/// A loaded identity. Cloning is cheap; the key is held by the TLS library alone.
#[derive(Clone)]
pub struct Identity {
    principal: Principal,
    roots: Arc<RootCertStore>,
    certified: Arc<CertifiedKey>,
    not_after: SystemTime,
}

impl Identity {
    /// Reads the files. Blocks for as long as the disk does.
    ///
    /// # Errors
    /// Which file cannot be used, why, and what to do about it.
    pub fn load(files: &IdentityFiles) -> Result<Self, IdentityError> {
        let ca = read(CA, &files.ca)?;
        let certificate = read(CERTIFICATE, &files.certificate)?;
        let key = read(KEY, &files.key)?;
        Self::from_pem(files, &ca, &certificate, &key)
    }

    /// Takes PEM text that was read elsewhere; `names` says where, for errors.
    ///
    /// # Errors
    /// Which text cannot be used, why, and what to do about it.
    pub fn from_pem(
        names: &IdentityFiles,
        ca: &[u8],
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, IdentityError> {
        let roots = roots(&names.ca, ca)?;
        let chain = certificates(CERTIFICATE, &names.certificate, certificate)?;
        let (principal, not_after) =
            describe(&chain[0]).map_err(|source| IdentityError::Principal {
                path: names.certificate.clone(),
                source,
            })?;
        let key = private_key(&names.key, key)?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            IdentityError::Key {
                key: names.key.clone(),
                certificate: names.certificate.clone(),
                why: error.to_string(),
            }
        })?;
        Ok(Self {
            principal,
            roots: Arc::new(roots),
            certified: Arc::new(certified),
            not_after,
        })
    }

    /// The name in our certificate.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// When our certificate stops being valid.
    #[must_use]
    pub const fn not_after(&self) -> SystemTime {
        self.not_after
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("principal", &self.principal.uri())
            .field("authorities", &self.roots.len())
            .finish_non_exhaustive()
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, IdentityError> {
    std::fs::read(path).map_err(|source| IdentityError::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

fn roots(path: &Path, pem: &[u8]) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, path, pem)? {
        roots.add(certificate).map_err(|error| IdentityError::Pem {
            what: CA,
            path: path.to_owned(),
            why: error.to_string(),
            expected: "certificates of authorities",
        })?;
    }
    Ok(roots)
}

/// All certificates of a PEM text; at least one.
fn certificates(
    what: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let refused = |why: String| IdentityError::Pem {
        what,
        path: path.to_owned(),
        why,
        expected: "one or more CERTIFICATE sections",
    };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refused(error.to_string()))?;
    if found.is_empty() {
        return Err(refused("it holds no certificate".to_owned()));
    }
    Ok(found)
}

/// The parser's own message is not passed on: it may quote what it could not read.
fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| IdentityError::Pem {
        what: KEY,
        path: path.to_owned(),
        why: "it holds no readable private key".to_owned(),
        expected: "one unencrypted PRIVATE KEY section",
    })
}

fn describe(leaf: &CertificateDer<'_>) -> Result<(Principal, SystemTime), PrincipalError> {
    let principal = Principal::from_certificate(leaf)?;
    let (_, parsed) =
        x509_parser::certificate::X509Certificate::from_der(leaf).map_err(|error| {
            PrincipalError::Unreadable {
                why: error.to_string(),
            }
        })?;
    let seconds = parsed.validity().not_after.timestamp();
    let after_epoch = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Ok((principal, SystemTime::UNIX_EPOCH + after_epoch))
}
