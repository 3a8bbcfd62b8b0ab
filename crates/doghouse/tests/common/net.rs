//! Clients from many addresses, and with TLS.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::{Client, House, patient};

/// Writes a certificate for `dog-house.example` that nobody has signed, and its key.
pub fn certify(house: &House, name: &str) {
    let made = rcgen::generate_simple_self_signed(["dog-house.example".to_owned()]).unwrap();
    fs::write(house.path().join(format!("{name}.crt")), made.cert.pem()).unwrap();
    fs::write(house.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
}

/// Speaks TLS with whoever shows the certificate in the file `name`.
pub fn tls(
    stream: TcpStream,
    certificate: &Path,
    version: &'static SupportedProtocolVersion,
) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("dog-house.example").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    Client::over(StreamOwned::new(connection, patient(stream)))
}

/// From one of this machine's own addresses, 127.0.0.`last`.
pub fn connect_from(last: u8, to: SocketAddr) -> io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    connect(&socket, &to)?;
    Ok(patient(socket.into()))
}
