//! TLS, and whom fido takes for the server.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
        SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};

use crate::{Exit, Failure, host::Host};

/// Whom fido takes for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Whoever an authority of this system has certified.
    System,
    /// Whoever one of the authorities in this file has certified; PEM.
    Authorities(PathBuf),
    /// Whoever has the certificate with this fingerprint, whatever else stands in it.
    Pinned(Fingerprint),
}

/// The SHA-256 digest of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// Reads `sha256:` and 64 hexadecimal digits, also with colons between, as `openssl x509 -fingerprint` has them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a fingerprint is sha256: and 64 hexadecimal digits";
        let digits: String = text.strip_prefix("sha256:").unwrap_or(text).split(':').collect();
        let mut octets = [0; 32];
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        for (at, octet) in octets.iter_mut().enumerate() {
            let two = digits.get(2 * at..2 * at + 2).ok_or(WRONG)?;
            *octet = u8::from_str_radix(two, 16).map_err(|_| WRONG)?;
        }
        Ok(Self(octets))
    }
}

/// Speaks TLS over a connection to `host`, within `patience`.
pub async fn hide(
    stream: TcpStream,
    host: &Host,
    trust: &Trust,
    patience: Duration,
) -> Result<TlsStream<TcpStream>, Failure> {
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::System => authorities(system_roots()?)?,
        Trust::Authorities(path) => authorities(roots_of(path)?)?,
        Trust::Pinned(fingerprint) => {
            Arc::new(OnlyThis { fingerprint: Some(*fingerprint), provider: provider() })
        }
    };
    Ok(handshake(stream, host, verifier, patience).await?)
}

/// What a server shows of itself, to be looked at and not to be trusted: its own certificate. Nothing is sent to it.
/// `None` where it does not speak TLS.
pub async fn look(
    stream: TcpStream,
    host: &Host,
    patience: Duration,
) -> Result<Option<CertificateDer<'static>>, Failure> {
    let anybody = Arc::new(OnlyThis { fingerprint: None, provider: provider() });
    let stream = match handshake(stream, host, anybody, patience).await {
        Ok(stream) => stream,
        Err(Broken::NoTls(_)) => return Ok(None),
        Err(Broken::Otherwise(failure)) => return Err(failure),
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    match shown {
        Some(certificate) => Ok(Some(certificate.clone().into_owned())),
        None => Err(Failure::new(Exit::Protocol, format!("{host}: the server shows no certificate"))),
    }
}

/// Why TLS did not come to be.
enum Broken {
    /// What came is no TLS.
    NoTls(Failure),
    Otherwise(Failure),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        let (Broken::NoTls(failure) | Broken::Otherwise(failure)) = broken;
        failure
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Otherwise(failure)
    }
}

async fn handshake(
    stream: TcpStream,
    host: &Host,
    verifier: Arc<dyn ServerCertVerifier>,
    patience: Duration,
) -> Result<TlsStream<TcpStream>, Broken> {
    let name = ServerName::try_from(host.name().to_owned()).map_err(|_| {
        Failure::new(
            Exit::Usage,
            format!("{host}: no certificate can be for that name; use the name of the host"),
        )
    })?;
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config
        .map_err(|error| Failure::new(Exit::Software, format!("cannot speak TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(patience, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(broken(host, &error)),
        Err(_elapsed) => Err(Broken::Otherwise(Failure::new(
            Exit::Temporary,
            format!(
                "{host}: TLS does not begin; is there TLS on that port? try again later, or with a longer --timeout"
            ),
        ))),
    }
}

/// Why TLS did not come to be.
fn broken(host: &Host, error: &io::Error) -> Broken {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<TlsError>());
    let (exit, remedy) = match tls {
        Some(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => (
            Exit::Protocol,
            "that is not the certificate that was pinned; ask the server's operator whether it was renewed, and pin the new one",
        ),
        Some(TlsError::InvalidCertificate(_)) => (
            Exit::Protocol,
            "the server is not trusted; `fido setup` shows its certificate, and --ca or --pin name what to trust",
        ),
        Some(TlsError::InvalidMessage(_)) => (Exit::Protocol, "is there TLS on that port?"),
        Some(_) => (Exit::Protocol, "the server and fido do not agree on TLS"),
        None => (Exit::Temporary, "try again later"),
    };
    let failure = Failure::new(exit, format!("{host}: no TLS: {error}; {remedy}"));
    if matches!(tls, Some(TlsError::InvalidMessage(_))) {
        Broken::NoTls(failure)
    } else {
        Broken::Otherwise(failure)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn authorities(roots: RootCertStore) -> Result<Arc<dyn ServerCertVerifier>, Failure> {
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier =
        built.map_err(|error| Failure::new(Exit::Unavailable, format!("no authority to trust: {error}")))?;
    Ok(verifier)
}

fn system_roots() -> Result<RootCertStore, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        let text = format!(
            "this system has no authorities to trust{why}; install them (ca-certificates), or use --ca or --pin"
        );
        return Err(Failure::new(Exit::Unavailable, text));
    }
    Ok(roots)
}

fn roots_of(path: &Path) -> Result<RootCertStore, Failure> {
    let failure = |why: String| {
        Failure::new(Exit::Unavailable, format!("cannot use the authorities in {}: {why}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failure(error.to_string()))? {
        let certificate = certificate.map_err(|error| failure(error.to_string()))?;
        roots.add(certificate).map_err(|error| failure(error.to_string()))?;
    }
    if roots.is_empty() { Err(failure("it holds no certificate in PEM".to_owned())) } else { Ok(roots) }
}

/// Takes one certificate for the server's, or any where there is none: the handshake still proves that the server has
/// its key.
#[derive(Debug)]
struct OnlyThis {
    fingerprint: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OnlyThis {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.fingerprint {
            Some(pinned) if pinned != Fingerprint::of(certificate) => {
                Err(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_shown_and_as_openssl_shows_them() {
        let shown = Fingerprint([0xab; 32]).to_string();
        assert_eq!(shown, format!("sha256:{}", "ab".repeat(32)));
        assert_eq!(shown.parse(), Ok(Fingerprint([0xab; 32])));
        assert_eq!(vec!["AB"; 32].join(":").parse(), Ok(Fingerprint([0xab; 32])));
        for wrong in ["", "sha256:", "sha1:abab", &"ab".repeat(31), &"zz".repeat(32), &"é".repeat(32)] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
