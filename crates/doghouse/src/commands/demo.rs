//! `doghouse demo`: a mailbox, a server and a client, in one program and a temporary folder.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use pop2::{
    Secret, User,
    client::{self, Reading, Trace},
    wire,
};
use postbox::{FolderName, Postbox};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::stop::Stop;
use crate::{
    accounts::edit,
    cli::Demo,
    config::Config,
    daemon::{Daemon, Doors, Handed},
    exit::{self, Failure, OrExit},
    house,
};

const USER: &str = "fido";
const PASSWORD: &str = "bone";

/// Messages of the kinds that are met, as they are stored.
const MAIL: [(&str, &[u8]); 5] = [
    ("plain text", include_bytes!("demo/1-plain.eml")),
    ("8-bit characters", include_bytes!("demo/2-eight-bit.eml")),
    ("an attachment", include_bytes!("demo/3-attachment.eml")),
    ("mixed line ends", include_bytes!("demo/4-mixed-line-ends.eml")),
    ("no line end at the end", include_bytes!("demo/5-no-line-end.eml")),
];

pub(super) async fn run(arguments: &Demo) -> Result<(), Failure> {
    let mut stop = Stop::new().or_exit(exit::OS)?;
    let folder = TempDir::with_prefix("doghouse-demo-").or_exit(exit::IO)?;
    let path = lay_out(folder.path()).or_exit(exit::IO)?;
    let config = Config::load(&path).or_exit(exit::CONFIG)?;
    edit(&config.passwd_file, |users| users.add(USER, &Secret::from(PASSWORD))).or_exit(exit::IO)?;
    let accounts = house::accounts(&config).or_exit(exit::CONFIG)?;
    let postbox = house::postbox(&config, &accounts, USER).await.or_exit(exit::SOFTWARE)?;
    for (_, message) in MAIL {
        postbox.deliver(&FolderName::inbox(), message).await.or_exit(exit::IO)?;
    }
    println!("A mailbox of {} messages is laid out in {}", MAIL.len(), folder.path().display());

    let doors = Doors::open(&config, Handed::default()).or_exit(exit::UNAVAILABLE)?;
    let daemon = Daemon::start(config, doors, None).or_exit(exit::UNAVAILABLE)?;
    let address =
        *daemon.addresses().first().ok_or_else(|| Failure::new(exit::SOFTWARE, "nothing listens"))?;
    println!("and served by POP2 on {address}. A client fetches it, over the wire:\n");
    let outcome = fetch(address).await;
    if outcome.is_ok() && !arguments.once {
        invite(address, &path);
        stop.told().await;
        println!();
    }
    daemon.stop().await;
    outcome
}

/// Writes the configuration; port 1109 where it is free.
fn lay_out(folder: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().mode(0o700).create(folder.join("mail"))?;
    let usual = SocketAddr::from(([127, 0, 0, 1], 1109));
    let port = std::net::TcpListener::bind(usual).map_or(0, |_| usual.port());
    let path = folder.join("doghouse.toml");
    let text = format!(
        "hostname = \"dog-house.example\"\n\n[[listener]]\naddress = \"127.0.0.1:{port}\"\n\n\
         [accounts]\npasswd_file = \"users\"\n\n[mail]\ndefault = [\"maildir:mail/{{user}}\"]\n"
    );
    fs::write(&path, text)?;
    Ok(path)
}

/// Fetches everything and compares it with what is stored.
async fn fetch(address: SocketAddr) -> Result<(), Failure> {
    let stream = TcpStream::connect(address).await.or_exit(exit::UNAVAILABLE)?;
    let options = client::Options { trace: Some(Box::new(show)), ..client::Options::default() };
    let greeted = client::connect(stream, options).await.or_exit(exit::DATA)?;
    let user = User::new(USER).or_exit(exit::SOFTWARE)?;
    let mut mailbox = greeted.login(user, Secret::from(PASSWORD)).await.or_exit(exit::DATA)?;
    let mut same = 0;
    for (number, (_, stored)) in (1..=mailbox.count()).zip(MAIL) {
        mailbox = match mailbox.read(number).await.or_exit(exit::DATA)? {
            Reading::Message(message) => {
                let mut fetched = Vec::new();
                let transfer = message.retrieve().await.or_exit(exit::DATA)?;
                let received = transfer.copy_to(&mut fetched).await.or_exit(exit::DATA)?;
                if is_wire_form(&fetched, stored) {
                    same += 1;
                }
                received.keep().await.or_exit(exit::DATA)?
            }
            Reading::Nothing(mailbox) => mailbox,
        };
    }
    mailbox.quit().await.or_exit(exit::DATA)?;
    if same != MAIL.len() {
        let what = format_args!("{same} of {} messages came as they are stored", MAIL.len());
        return Err(Failure::new(exit::DATA, what));
    }
    println!("\nAll {same} messages came to the octet as they are stored:");
    for (number, (kind, stored)) in (1..).zip(MAIL) {
        println!("  {number}  {kind}: {} octets stored, {} on the wire", stored.len(), wire::length(stored));
    }
    Ok(())
}

fn is_wire_form(fetched: &[u8], stored: &[u8]) -> bool {
    let (mut encoder, mut expected) = (wire::Encoder::default(), Vec::new());
    encoder.encode(stored, &mut expected);
    encoder.finish(&mut expected);
    fetched == expected
}

fn show(trace: Trace<'_>) {
    match trace {
        Trace::Said(command) => println!("  C: {command}"),
        Trace::Heard(reply) => println!("  S: {reply}"),
        Trace::Message(octets) => println!("  S: ({octets} octets of the message)"),
    }
}

fn invite(address: SocketAddr, config: &Path) {
    let (host, port) = (address.ip(), address.port());
    let config = config.display();
    let program =
        std::env::current_exe().map_or_else(|_| "doghouse".to_owned(), |path| path.display().to_string());
    println!(
        "
The server stays up until you press Ctrl-C. Try it by hand, in another terminal:

  telnet {host} {port}      (or: nc -C {host} {port})
    HELO {USER} {PASSWORD}
    READ 1
    RETR
    ACKS
    QUIT

Deliver another message:

  printf 'Subject: hello\\n\\nWoof.\\n' | {program} deliver {USER} --config {config}

Or send a whole session at once:

  printf 'HELO {USER} {PASSWORD}\\r\\nREAD 2\\r\\nRETR\\r\\nACKS\\r\\nQUIT\\r\\n' | nc {host} {port}
"
    );
}
