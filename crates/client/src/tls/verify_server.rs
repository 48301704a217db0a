//! What a dialling side demands of the node that it reaches: a chain to our authorities, valid
//! now, issued for servers, and the SPIFFE name of a node of our trust domain. DNS names are not
//! looked at, because addresses of nodes change and names do not.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{Identity, Principal, PrincipalError, provider::provider};

#[derive(Debug)]
pub(super) struct NodeVerifier {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    trust_domain: String,
    name: Option<String>,
}

impl NodeVerifier {
    /// Accepts nodes of the identity's trust domain; only the named one if a name is given.
    pub(super) fn new(identity: &Identity, name: Option<&str>) -> Self {
        Self {
            roots: identity.roots(),
            provider: provider(),
            trust_domain: identity.principal().trust_domain.clone(),
            name: name.map(str::to_owned),
        }
    }

    fn check_name(&self, certificate: &CertificateDer<'_>) -> Result<(), PrincipalError> {
        let principal = Principal::from_certificate(certificate)?;
        principal.check_trust_domain(&self.trust_domain)?;
        principal.check_node(self.name.as_deref())
    }
}

/// The form in which a verifier may report an error of its own.
pub(super) fn as_tls_error(error: PrincipalError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        self.check_name(end_entity).map_err(as_tls_error)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
