//! TLS for one test server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::port::Port;

/// A second port, with TLS.
#[derive(Debug)]
pub(crate) struct TlsListener {
    pub(crate) port: Port,
    pub(crate) certificates: Certificates,
}

impl TlsListener {
    pub(crate) fn create(certificates: Certificates) -> io::Result<Self> {
        Ok(Self {
            port: Port::pick()?,
            certificates,
        })
    }

    pub(crate) fn args(&self) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let options = [
            ("--tls-port", self.port.number().to_string()),
            ("--tls-cert-file", text(&self.certificates.certificate_file)),
            ("--tls-key-file", text(&self.certificates.key_file)),
            ("--tls-ca-cert-file", text(&self.certificates.ca_file)),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        options
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value])
            .collect()
    }
}

/// A certificate authority made for one server or one deployment, and the files that servers read.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

impl Certificates {
    /// Writes `ca.pem`, `server.pem` and `server.key` into `dir`, valid for localhost and 127.0.0.1.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let pems = Pems::generate().map_err(io::Error::other)?;
        let certificates = Self {
            ca_file: dir.join("ca.pem"),
            certificate_file: dir.join("server.pem"),
            key_file: dir.join("server.key"),
            ca_pem: pems.ca,
        };
        fs::write(&certificates.ca_file, &certificates.ca_pem)?;
        fs::write(&certificates.certificate_file, pems.certificate)?;
        fs::write(&certificates.key_file, pems.key)?;
        Ok(certificates)
    }
}

struct Pems {
    ca: String,
    certificate: String,
    key: String,
}

impl Pems {
    fn generate() -> Result<Self, rcgen::Error> {
        let ca_key = KeyPair::generate()?;
        let ca_params = ca_params()?;
        let ca = ca_params.self_signed(&ca_key)?;
        let key = KeyPair::generate()?;
        let certificate = server_params()?.signed_by(&key, &Issuer::new(ca_params, ca_key))?;
        Ok(Self {
            ca: ca.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn ca_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "semafence test authority");
    Ok(params)
}

fn server_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
        .distinguished_name
        .push(DnType::CommonName, "semafence test server");
    Ok(params)
}
