//! What stands in a certificate (RFC 5280), for a person to look at.

use std::fmt::Write;

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::escape::Line;

/// Whom a certificate is for, who has signed it, and how long it holds; a line each.
pub(super) fn described(certificate: &CertificateDer<'_>) -> String {
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
