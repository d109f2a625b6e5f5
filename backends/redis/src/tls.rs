//! What a TLS connection trusts, and what it shows of itself.

use std::fmt;

use redis::{ClientTlsConfig, ConnectionInfo, TlsCertificates};
use semafence::Error;

use crate::options::config;

/// Whom a TLS connection trusts, and the certificate it shows; the server's certificate is always verified.
///
/// The default trusts what the operating system trusts, and shows nothing.
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Vec<u8>>,
    client: Option<ClientTlsConfig>,
}

impl Tls {
    /// Trusts what the operating system trusts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these authorities, in PEM form, and no others.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Shows this certificate chain to a server that asks for one; chain and private key in PEM form.
    #[must_use]
    pub fn client_pem(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client = Some(ClientTlsConfig {
            client_cert: certificates.into(),
            client_key: key.into(),
        });
        self
    }

    /// Reads the certificates, so that a bad one is told where it was given and not at the first handshake.
    pub(crate) fn apply(self, info: ConnectionInfo) -> Result<ConnectionInfo, Error> {
        // redis-rs takes a text without any certificate for an authority that nobody was signed by.
        let chains = self
            .ca
            .iter()
            .chain(self.client.iter().map(|client| &client.client_cert));
        if chains.into_iter().any(|pem| !has_certificate(pem)) {
            return Err(config("tls", "has a PEM text without a certificate"));
        }
        let certificates = TlsCertificates {
            client_tls: self.client,
            root_cert: self.ca,
        };
        let client = redis::Client::build_with_tls(info, certificates)
            .map_err(|error| config("tls", format!("is not usable: {error}")))?;
        Ok(client.get_connection_info().clone())
    }
}

fn has_certificate(pem: &[u8]) -> bool {
    let begin = b"-----BEGIN CERTIFICATE-----";
    pem.windows(begin.len()).any(|window| window == begin)
}

/// Chooses ring where the program has not chosen: with two providers compiled in, or none, rustls would panic.
pub(crate) fn choose_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _another_thread_was_first_is_fine = rustls::crypto::ring::default_provider().install_default();
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.as_ref().map(|_| "given"))
            .field("client", &self.client.as_ref().map(|_| "***"))
            .finish()
    }
}
