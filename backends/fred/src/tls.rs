//! What a TLS connection trusts, and what it shows of itself.

use std::fmt;
use std::sync::Arc;

use fred::rustls::crypto::ring;
use fred::rustls::pki_types::pem::PemObject;
use fred::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use fred::rustls::{ClientConfig, RootCertStore};
use fred::types::config::{TlsConfig, TlsConnector};
use semafence::Error;

use crate::options::config;

/// Whom a TLS connection trusts, and the certificate it shows; the server's certificate is always verified.
///
/// The default trusts what the operating system trusts, and shows nothing.
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
    given: Option<TlsConfig>,
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
        self.client = Some((certificates.into(), key.into()));
        self
    }

    /// Does what a configuration of fred's says.
    pub(crate) fn given(config: TlsConfig) -> Self {
        Self {
            given: Some(config),
            ..Self::default()
        }
    }

    /// Reads the certificates, so that a bad one is told where it was given and not at the first handshake.
    pub(crate) fn into_config(self) -> Result<TlsConfig, Error> {
        if let Some(given) = self.given {
            return Ok(given);
        }
        let roots = match &self.ca {
            Some(pem) => roots(certificates(pem)?)?,
            None => system_roots(),
        };
        // ring by name, so that a program with another provider, or two of them, needs to choose nothing.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots);
        let config = match &self.client {
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
                config
                    .with_client_auth_cert(certificates(chain)?, key)
                    .map_err(unusable)?
            }
            None => config.with_no_client_auth(),
        };
        Ok(TlsConnector::from(config).into())
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(unusable)?;
    if found.is_empty() {
        return Err(config("tls", "has a PEM text without a certificate"));
    }
    Ok(found)
}

fn roots(trusted: Vec<CertificateDer<'static>>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

/// What cannot be read is left out: then a handshake fails, and says of whom it does not know the authority.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(fred::rustls_native_certs::load_native_certs().certs);
    roots
}

fn unusable(error: impl fmt::Display) -> Error {
    config("tls", format!("is not usable: {error}"))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.as_ref().map(|_| "given"))
            .field("client", &self.client.as_ref().map(|_| "***"))
            .finish()
    }
}
