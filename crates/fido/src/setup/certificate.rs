//! What stands in a certificate (RFC 5280), for a person to look at.

use std::fmt::Write;

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::{
    Exit, Failure, consent,
    escape::Line,
    host::Host,
    tls::{Fingerprint, Trust},
};

/// Shows the certificate of a server, `what` about it first, and finds out whether it is to be trusted: by `attempt`,
/// which comes to the server if this system trusts it, or by asking.
pub(super) async fn trusted(
    what: &str,
    host: &Host,
    shown: &CertificateDer<'_>,
    attempt: impl Future<Output = Result<(), Failure>>,
) -> Result<Trust, Failure> {
    let fingerprint = Fingerprint::of(shown);
    eprint!("{what}, with this certificate:\n{}", described(shown));
    eprintln!("  fingerprint  {fingerprint}");
    match attempt.await {
        Ok(()) => {
            eprintln!("An authority that this system trusts has signed it.");
            return Ok(Trust::System);
        }
        Err(why) => {
            // What to do about it comes next.
            let why = why.to_string();
            eprintln!("This system does not trust it: {}", why.split("; ").next().unwrap_or_default());
        }
    }
    let question = "Compare the fingerprint with what the server's operator says. Trust this certificate from now on? [y/N] ";
    if consent::ask(question)? {
        return Ok(Trust::Pinned(fingerprint));
    }
    let text = format!(
        "{host}: the server is not trusted; ask its operator for the fingerprint, or for the file of its authority, which is `ca` in the configuration"
    );
    Err(Failure::new(Exit::Protocol, text))
}

/// Whom a certificate is for, who has signed it, and how long it holds; a line each.
fn described(certificate: &CertificateDer<'_>) -> String {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return "  it cannot be read\n".to_owned();
    };
    let inner = certificate.tbs_certificate();
    let mut text = String::new();
    // A server may have written anything there.
    let mut put = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:<11}  {}", Line(value.as_bytes()));
    };
    put("for", &inner.subject().to_string());
    if let Ok(Some((_, names))) = inner.get_extension::<SubjectAltName>() {
        let names: Vec<String> = names.0.iter().filter_map(shown).collect();
        put("names", &names.join(", "));
    }
    put("signed by", &inner.issuer().to_string());
    put("valid from", &inner.validity().not_before.to_string());
    put("valid until", &inner.validity().not_after.to_string());
    text
}

fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(octets) => match octets.as_bytes() {
            octets if octets.len() == 4 => {
                <[u8; 4]>::try_from(octets).ok().map(|ip| std::net::Ipv4Addr::from(ip).to_string())
            }
            octets => <[u8; 16]>::try_from(octets).ok().map(|ip| std::net::Ipv6Addr::from(ip).to_string()),
        },
        _ => None,
    }
}
