//! TLS, from the first octet of a connection on.

use std::{fmt, path::Path, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

use crate::config::KeyPair;

/// Why a certificate and its key are not taken. It shows itself in one line that names the file and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(String);

/// Reads a certificate and its key. TLS 1.2 and 1.3 are spoken with it.
pub(crate) fn acceptor(pair: &KeyPair) -> Result<TlsAcceptor, TlsError> {
    let KeyPair { certificate, key } = pair;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable("certificate", certificate, explain(&error)))?;
    if chain.is_empty() {
        return Err(unusable("certificate", certificate, "it has none in PEM (BEGIN CERTIFICATE)"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("key", key, explain(&error)))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| {
            unusable("certificate", certificate, format!("with the key {}: {error}", key.display()))
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(what: &str, path: &Path, why: impl fmt::Display) -> TlsError {
    TlsError(format!("cannot use the {what} {}: {why}", path.display()))
}

fn explain(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => format!("{error}; correct the path, or let the server's user read it"),
        pem::Error::NoItemsFound => "there is none in it, in PEM".to_owned(),
        error => format!("it is not in order: {error:?}"),
    }
}
