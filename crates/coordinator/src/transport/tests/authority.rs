//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use tetrarch_client::tls::{Identity, IdentityFiles};

pub(super) const TRUST_DOMAIN: &str = "mesh.test";

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(super) fn node(&self, name: &str) -> Identity {
        self.named(&format!("spiffe://{TRUST_DOMAIN}/node/{name}"))
    }

    pub(super) fn client(&self, name: &str) -> Identity {
        self.named(&format!("spiffe://{TRUST_DOMAIN}/client/{name}"))
    }

    pub(super) fn named(&self, uri: &str) -> Identity {
        self.identity(uri, |_| {}, &self.pem)
    }

    pub(super) fn expired(&self, name: &str) -> Identity {
        let uri = format!("spiffe://{TRUST_DOMAIN}/node/{name}");
        let expire = |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        };
        self.identity(&uri, expire, &self.pem)
    }

    /// Issued here, but believing in `other` as well.
    pub(super) fn node_trusting(&self, name: &str, other: &Self) -> Identity {
        let uri = format!("spiffe://{TRUST_DOMAIN}/node/{name}");
        self.identity(&uri, |_| {}, &format!("{}{}", self.pem, other.pem))
    }

    fn identity(
        &self,
        uri: &str,
        change: impl Fn(&mut CertificateParams),
        bundle: &str,
    ) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let names = IdentityFiles {
            ca: "ca.pem".into(),
            certificate: "node.pem".into(),
            key: "node.key".into(),
        };
        let key = key.serialize_pem();
        Identity::from_pem(
            &names,
            bundle.as_bytes(),
            certificate.as_bytes(),
            key.as_bytes(),
        )
        .unwrap()
    }
}
