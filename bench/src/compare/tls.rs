//! TLS on both ends: full handshakes, since what is measured is a session and not a resumption.

use std::{io, path::Path, sync::Arc};

use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        client::Resumption,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::servers::Certificate;

/// Whose certificate it is.
pub(crate) const NAME: &str = "dog-house.example";

/// Makes one, with a key on the curve P-256.
pub(crate) fn certify(folder: &Path) -> io::Result<Certificate> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
    let certificate = Certificate { certificate: folder.join("server.crt"), key: folder.join("server.key") };
    std::fs::write(&certificate.certificate, made.cert.pem())?;
    std::fs::write(&certificate.key, made.signing_key.serialize_pem())?;
    Ok(certificate)
}

pub(crate) fn acceptor(certificate: &Path, key: &Path) -> io::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

pub(crate) fn connector(certificate: &Certificate) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let file = CertificateDer::from_pem_file(&certificate.certificate).map_err(io::Error::other)?;
    roots.add(file).map_err(io::Error::other)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}
