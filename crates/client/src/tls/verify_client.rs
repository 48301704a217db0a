//! What an accepting node demands of whoever dials it: a chain to our authorities, valid now,
//! issued for clients, and a SPIFFE name of our trust domain. Whether that name may speak the
//! negotiated protocol is decided after the handshake, by [`super::identify`].

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{Identity, Principal, PrincipalError, provider::provider, verify_server::as_tls_error};

#[derive(Debug)]
pub(super) struct PrincipalVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    trust_domain: String,
}

impl PrincipalVerifier {
    /// Accepts principals of the identity's trust domain.
    pub(super) fn new(identity: &Identity) -> Result<Self, VerifierBuilderError> {
        let chain =
            WebPkiClientVerifier::builder_with_provider(identity.roots(), provider()).build()?;
        Ok(Self {
            chain,
            trust_domain: identity.principal().trust_domain.clone(),
        })
    }

    fn check_name(&self, certificate: &CertificateDer<'_>) -> Result<(), PrincipalError> {
        Principal::from_certificate(certificate)?.check_trust_domain(&self.trust_domain)
    }
}

impl ClientCertVerifier for PrincipalVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        self.check_name(end_entity).map_err(as_tls_error)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
