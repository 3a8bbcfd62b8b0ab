//! TLS to a database: always verified.

use std::{path::Path, sync::Arc};

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::SettingsError;

/// Has octets that cross a network go by TLS, unless it was said that they shall not.
pub(super) fn require(config: &mut tokio_postgres::Config) {
    let is_near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    };
    // "Prefer", which is what stands there otherwise, gives way to whoever stands between.
    if config.get_ssl_mode() == SslMode::Prefer && !config.get_hosts().iter().all(is_near) {
        config.ssl_mode(SslMode::Require);
    }
}

/// Trusts the authorities of a file, or those of this system.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, SettingsError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let fail = |cause: String| SettingsError::Authorities { path: path.to_owned(), cause };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| fail(error.to_string()))?;
                roots.add(certificate).map_err(|error| fail(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(fail("there is no certificate in it".to_owned()));
            }
        }
        None => {
            // Some of a system's may be of kinds that are no longer understood.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls(error.to_string()))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}
