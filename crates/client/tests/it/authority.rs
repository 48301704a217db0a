//! A certificate authority for tests.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use tetrarch_client::tls::{Identity, IdentityFiles};

/// What is unusual about a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Nothing,
    Expired,
    OnlyCommonName,
    OnlyForClients,
}

pub(crate) struct Pem {
    pub(crate) ca: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn pem(&self, uri: &str, flaw: Flaw) -> Pem {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "spiffe://mesh.test/node/common");
        if flaw == Flaw::OnlyCommonName {
            params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
        } else {
            params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        }
        if flaw == Flaw::Expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if flaw != Flaw::OnlyForClients {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate().unwrap();
        Pem {
            ca: self.pem.clone(),
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn identity(&self, uri: &str) -> Identity {
        identity(&self.pem(uri, Flaw::Nothing)).unwrap()
    }

    pub(crate) fn flawed(&self, uri: &str, flaw: Flaw) -> Identity {
        identity(&self.pem(uri, flaw)).unwrap()
    }
}

pub(crate) fn identity(pem: &Pem) -> Result<Identity, tetrarch_client::tls::IdentityError> {
    let names = IdentityFiles {
        ca: PathBuf::from("ca.pem"),
        certificate: PathBuf::from("node.pem"),
        key: PathBuf::from("node.key"),
    };
    Identity::from_pem(
        &names,
        pem.ca.as_bytes(),
        pem.certificate.as_bytes(),
        pem.key.as_bytes(),
    )
}
