//! The whole round with a real server: set up, sent by STARTTLS to Postfix, put by it into the mailbox of a Doghouse,
//! fetched by POP2.

use std::{
    env, fs,
    io::{self, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};

use crate::{
    common::{bare_fido, fido, messages, run},
    house::House,
    setting_up::setup,
};

/// Whoever delivers, on Debian.
const NOBODY: u32 = 65534;

fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(ready) = ready() {
            return ready;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "waited too long for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A Postfix of our own, which shares nothing with the one of this machine but its programs.
struct Postfix {
    folder: tempfile::TempDir,
    port: u16,
    master: Child,
}

impl Postfix {
    /// One that puts the mail of fido@dog.example into a folder; `None` where it cannot be tried.
    fn start(mail: &Path) -> Option<Self> {
        let skip = |why: &str| {
            assert!(env::var_os("CI").is_none(), "not to be skipped in CI: {why}");
            io::stderr().write_all(format!("compose: skipped, {why}\n").as_bytes()).unwrap();
        };
        if !Path::new("/usr/sbin/postfix").exists() {
            skip("postfix is not installed");
            return None;
        }
        if !geteuid().is_root() {
            skip("postfix is started by root only");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(here, mode).unwrap();
        for name in ["config", "queue", "data"] {
            fs::create_dir(here.join(name)).unwrap();
        }
        let id = Command::new("id").args(["-u", "postfix"]).output().unwrap().stdout;
        let id = String::from_utf8(id).unwrap().trim().parse().unwrap();
        chown(here.join("data"), Some(id), None).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        fs::write(here.join("pem"), key.serialize_pem() + &certificate.pem()).unwrap();
        fs::write(here.join("addresses"), "fido@dog.example fido/\n").unwrap();

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (at, mail) = (here.display(), mail.display());
        let main = format!(
            "compatibility_level = 3.6\nmyhostname = mx.dog.example\nmydestination =\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n\
             queue_directory = {at}/queue\ndata_directory = {at}/data\n\
             maillog_file = {at}/log\nmaillog_file_prefixes = {at}\nalias_maps =\nrelay_domains =\n\
             default_transport = error:no mail leaves this test\n\
             virtual_mailbox_domains = dog.example\nvirtual_mailbox_base = {mail}\n\
             virtual_mailbox_maps = texthash:{at}/addresses\n\
             virtual_uid_maps = static:{NOBODY}\nvirtual_gid_maps = static:{NOBODY}\n\
             smtpd_tls_security_level = encrypt\nsmtpd_tls_chain_files = {at}/pem\n"
        );
        let services = [
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "showq unix n - n - - showq",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "proxymap unix - - n - - proxymap",
            "anvil unix - - n - 1 anvil",
            "virtual unix - n n - - virtual",
            "postlog unix-dgram n - n - 1 postlogd",
        ];
        let services = services.join("\n");
        fs::write(here.join("config/main.cf"), main).unwrap();
        fs::write(
            here.join("config/master.cf"),
            format!("127.0.0.1:{port} inet n - n - - smtpd\n{services}\n"),
        )
        .unwrap();
        let command = |program: &str| {
            let mut command = Command::new(Path::new("/usr/sbin").join(program));
            command.arg("-c").arg(here.join("config")).stdin(Stdio::null());
            command
        };
        assert!(command("postfix").arg("check").status().unwrap().success());
        let programs = command("postconf").args(["-h", "daemon_directory"]).output().unwrap().stdout;
        let programs = String::from_utf8(programs).unwrap();
        // A child in a group of its own, so that it is ours to end, with all that it starts.
        let mut master = Command::new(Path::new(programs.trim()).join("master"));
        master.arg("-d").arg("-c").arg(here.join("config")).process_group(0);
        master.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let postfix = Self { master: master.spawn().unwrap(), folder, port };
        wait_for("postfix to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(postfix)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
        let group = Pid::from_child(&self.master);
        let _ = kill_process(group, Signal::TERM);
        let _ = self.master.wait();
        // Whatever is left of it must not write into the folder that is removed next.
        let _ = kill_process_group(group, Signal::KILL);
        wait_for("postfix to end", || rustix::process::test_kill_process_group(group).err());
    }
}

#[test]
fn what_is_sent_by_postfix_comes_back_by_pop2_as_it_was_sent() {
    let house = House::new();
    let mail = house.path().join("mail");
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(house.path(), mode(0o755)).unwrap();
    for name in ["fido", "fido/new", "fido/cur", "fido/tmp"] {
        fs::create_dir_all(mail.join(name)).unwrap();
        chown(mail.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let Some(postfix) = Postfix::start(&mail) else { return };
    let desk = tempfile::tempdir().unwrap();
    let server = format!("127.0.0.1:{}", postfix.port);
    let answers = [server.as_str(), "y", "", "Fido <fido@dog.example>"];
    let outcome = setup(desk.path(), &answers);
    outcome.ends(0, "`fido write` sends some");
    assert!(outcome.stderr.contains("speaks SMTP by TLS"), "{}", outcome.stderr);

    let config = desk.path().join("config.toml");
    let attached = desk.path().join("bone.bin");
    fs::write(&attached, (0..=255).collect::<Vec<u8>>().repeat(1000)).unwrap();
    let send = |arguments: &[&str], text: &str| {
        run(bare_fido().arg("--config").arg(&config).arg("send").args(arguments), text)
    };
    let attach = attached.to_str().unwrap();
    send(&["--to", "fido@dog.example", "--subject", "Böne", "--attach", attach], ".\nFrom me\nwöof\n")
        .ends(0, "sent to fido@dog.example");
    send(&["--to", "fido@dog.example, nobody@dog.example"], "two\n")
        .ends(69, "refused for nobody@dog.example: 550");
    let new = mail.join("fido/new");
    wait_for("two messages", || (fs::read_dir(&new).unwrap().count() == 2).then_some(()));

    let target = format!("maildir:{}", desk.path().join("fetched").display());
    let arguments = ["--user", "fido", "--password-stdin", "--to", &target];
    run(&mut fido(house.address, "fetch", &arguments), "bone\n").ends(0, "2 messages");
    let fetched = messages(&desk.path().join("fetched"));
    let sent: Vec<_> = fs::read_dir(desk.path().join("mail/.Sent/cur"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!((fetched.len(), sent.len()), (2, 2));
    for sent in sent {
        // Postfix puts its own fields above ours.
        assert!(fetched.iter().any(|fetched| fetched.ends_with(&sent)), "{sent}\n{fetched:#?}");
    }
}
