//! popa3d, a small POP3 server: a process for each session, as inetd starts it, over mbox files.
//!
//! It knows no users but the machine's, no mail but `/var/mail`, and no port but 110. So root gives it a view of its
//! own of the file system (`unshare --mount`), in which the users, PAM's files, `/var/lib` and
//! `/var/mail` are those of the measurement; this machine's own are neither changed nor seen.

use std::{
    fmt::Write as _,
    fs, io,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
};

use super::{Server, Setting, Store};
use crate::{
    corpus::Corpus,
    process::{Tree, find_program, free_doors},
    talk::Protocol,
};

pub(super) fn start(setting: &Setting<'_>) -> io::Result<Server> {
    let program = setting.programs.popa3d.as_deref().ok_or_else(|| io::Error::other("there is none"))?;
    let owner = setting.owner.ok_or_else(|| io::Error::other("it can only be started by root"))?;
    if setting.store != Store::Mbox {
        return Err(io::Error::other("it serves mbox files only"));
    }
    let unshare = find_program("unshare").ok_or_else(|| io::Error::other("there is no unshare"))?;
    let [door] = free_doors()?;
    let home = &setting.home;
    let mut passwd = fs::read_to_string("/etc/passwd")?;
    // Whom it is before a login, in an empty folder.
    passwd.push_str("popa3d:x:937:937::/nonexistent:/bin/false\n");
    let mut group = fs::read_to_string("/etc/group")?;
    group.push_str("popa3d:x:937:\n");
    let mut shadow = String::new();
    for account in 0..setting.corpus.accounts {
        let user = Corpus::user(account);
        let (uid, gid) = owner.ids;
        let _ = writeln!(passwd, "{user}:x:{uid}:{gid}::/nonexistent:/bin/false");
        let _ = writeln!(shadow, "{user}:{HASH}:20000:0:99999:7:::");
    }
    for (name, text) in [("passwd", &passwd), ("group", &group), ("shadow", &shadow)] {
        fs::write(home.join(name), text)?;
    }
    fs::create_dir_all(home.join("pam.d"))?;
    fs::write(home.join("pam.d/popa3d"), "auth required pam_unix.so\naccount required pam_unix.so\n")?;
    fs::create_dir_all(home.join("lib/popa3d"))?;
    let script = "set -e; h=$1; m=$2; shift 2
        for f in passwd group shadow pam.d; do mount --bind $h/$f /etc/$f; done
        mount --bind $h/lib /var/lib; mount --bind $m /var/mail; exec \"$@\"";
    let mut command = super::command(&unshare);
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(home).arg(&setting.mail).arg(&setting.programs.ours);
    command.args(["inetd", "--door", &door.to_string(), "--program"]).arg(program);
    let tree = Tree::start(&mut command, &setting.log())?;
    let protocol = Protocol::Pop3 { auth_plain: false };
    Ok(Server { tree, protocol, door, tls: None, lmtp: None })
}

/// Of the password of all, by a scheme whose cost is small beside a process.
const HASH: &str = "$1$woof$HDPvWzPBzadZWaA.E0M52.";

/// A process for each connection, as inetd does, until it is ended.
pub(crate) fn serve(door: SocketAddr, program: &Path) -> io::Result<()> {
    let listener = TcpListener::bind(door)?;
    loop {
        let (stream, _) = listener.accept()?;
        let program = program.to_owned();
        std::thread::spawn(move || {
            let (input, output) = (OwnedFd::from(stream.try_clone()?), OwnedFd::from(stream));
            // Waited for, so that its CPU time is counted.
            Command::new(program).stdin(input).stdout(output).stderr(Stdio::null()).spawn()?.wait()
        });
    }
}
