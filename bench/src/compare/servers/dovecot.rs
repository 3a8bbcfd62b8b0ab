//! Dovecot 2.3. At its best: login processes that serve many, POP3 processes that are used again and shared by many
//! clients, no delays for failures, no flags written, no fsync but where delivery has to be durable. As installed:
//! Debian's own files name nothing of this, so it is the defaults with nothing but doors, accounts and places.

use std::{fmt::Write as _, fs, io, path::Path};

use super::{Server, Setting};
use crate::{
    process::{Tree, free_doors},
    talk::Protocol,
};

/// Whether Debian's package of a protocol is here.
pub(super) fn has(protocol: &str) -> bool {
    Path::new("/usr/lib/dovecot").join(protocol).is_file()
}

pub(super) fn start(setting: &Setting<'_>, best: bool) -> io::Result<Server> {
    let program = setting.programs.dovecot.as_deref().ok_or_else(|| io::Error::other("there is none"))?;
    let [door, tls, lmtp] = free_doors()?;
    let lmtp = setting.programs.dovecot_lmtp.then_some(lmtp);
    let home = setting.home.display();
    let mail = setting.mail.display();
    let mut text = format!(
        "protocols = pop3{lmtp_too}\nlisten = 127.0.0.1\nbase_dir = {home}/run\nstate_dir = {home}/state\n\
         log_path = {home}/dovecot.log\n\
         ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}\n\
         disable_plaintext_auth = no\nauth_mechanisms = plain login\nauth_username_format = %n\n\
         mail_location = maildir:{mail}/%n\n\
         passdb {{\n driver = passwd-file\n args = scheme=PLAIN username_format=%n {home}/users\n}}\n\
         userdb {{\n driver = static\n args = home={mail}/%n allow_all_users=yes\n}}\n\
         first_valid_uid = 1\nfirst_valid_gid = 1\n\
         service pop3-login {{\n inet_listener pop3 {{\n port = {pop3}\n }}\n inet_listener pop3s {{\n port = {pop3s}\n \
         ssl = yes\n }}\n}}\n",
        lmtp_too = if lmtp.is_some() { " lmtp" } else { "" },
        certificate = setting.certificate.certificate.display(),
        key = setting.certificate.key.display(),
        pop3 = door.port(),
        pop3s = tls.port(),
    );
    let mut add = |more: String| text.push_str(&more);
    if let Some(lmtp) = lmtp {
        add(format!("service lmtp {{\n inet_listener lmtp {{\n port = {}\n }}\n}}\n", lmtp.port()));
    }
    let (user, group) = setting.owner.map_or_else(
        || (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()),
        |owner| owner.ids,
    );
    add(format!("mail_uid = {user}\nmail_gid = {group}\n"));
    if best {
        add(best_of(setting.cores, setting.durable, user, group, setting.owner.is_some()));
    }
    if setting.owner.is_none() {
        // Without root's rights all its processes are of one user, and none is shut into a folder.
        let (user, group) = (name_of("/etc/passwd", user), name_of("/etc/group", group));
        add(format!(
            "default_login_user = {user}\ndefault_internal_user = {user}\ndefault_internal_group = {group}\n\
             service anvil {{\n chroot =\n}}\nservice pop3-login {{\n chroot =\n}}\n"
        ));
    }
    let configuration = setting.home.join("dovecot.conf");
    fs::write(&configuration, text)?;
    fs::write(setting.home.join("users"), setting.corpus.users())?;
    let mut command = super::command(program);
    command.arg("-F").arg("-c").arg(&configuration);
    let tree = Tree::start(&mut command, &setting.log())?;
    let protocol = Protocol::Pop3 { auth_plain: true };
    Ok(Server { tree, protocol, door, tls: Some(tls), lmtp })
}

fn best_of(cores: usize, durable: bool, user: u32, group: u32, root: bool) -> String {
    let fsync = if durable { "optimized" } else { "never" };
    let mut text = format!(
        "default_client_limit = 30000\ndefault_vsz_limit = 0\n\
         auth_failure_delay = 0\nauth_cache_size = 10M\n\
         mail_fsync = {fsync}\nmail_max_userip_connections = 0\n\
         pop3_no_flag_updates = yes\npop3_fast_size_lookups = yes\nmaildir_very_dirty_syncs = yes\n\
         service anvil {{\n unix_listener anvil-auth-penalty {{\n mode = 0\n }}\n}}\n\
         service pop3-login {{\n service_count = 0\n process_min_avail = {cores}\n process_limit = {cores}\n \
         client_limit = 30000\n}}\n\
         service pop3 {{\n service_count = 100000000\n process_min_avail = {cores}\n process_limit = 1000\n \
         client_limit = {shared}\n}}\n\
         service lmtp {{\n service_count = 100000000\n process_min_avail = 16\n}}\n",
        shared = 1000,
    );
    if root {
        // Processes that serve many cannot change who they are for each.
        let user = name_of("/etc/passwd", user);
        let group = name_of("/etc/group", group);
        let _ = write!(
            text,
            "service pop3 {{\n user = {user}\n group = {group}\n}}\n\
             service stats {{\n unix_listener stats-writer {{\n mode = 0666\n }}\n}}\n\
             service anvil {{\n unix_listener anvil {{\n mode = 0666\n }}\n}}\n\
             service auth {{\n unix_listener auth-userdb {{\n mode = 0666\n }}\n}}\n"
        );
    }
    text
}

/// The name of a number in `passwd` or `group`, or the number.
fn name_of(file: &str, number: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&number.to_string()));
    line.and_then(|line| line.split(':').next()).map_or_else(|| number.to_string(), str::to_owned)
}
