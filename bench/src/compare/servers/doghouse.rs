//! Doghouse, with limits that stop nobody and everything else as it comes.

use std::{fs, io};

use super::{Server, Setting};
use crate::{
    process::{Tree, free_doors},
    talk::Protocol,
};

pub(super) fn start(setting: &Setting<'_>) -> io::Result<Server> {
    let program = setting.programs.doghouse.as_deref().ok_or_else(|| io::Error::other("there is none"))?;
    let [door, tls, lmtp] = free_doors()?;
    // Where it is started as that user, this is what it is already.
    let user = setting.owner.map_or(String::new(), |owner| format!("user = '{}'\n", owner.name));
    let text = format!(
        "hostname = 'dog-house.example'\n{user}\
         [[listener]]\naddress = '{door}'\n\
         [[listener]]\naddress = '{tls}'\ncertificate = '{certificate}'\nkey = '{key}'\n\
         [[lmtp]]\naddress = '{lmtp}'\n\
         [mail]\ndefault = ['{kind}:{mail}/{{user}}']\n\
         [limits]\nsessions = 20000\nsessions_per_address = 20000\nsessions_per_account = 20000\n\
         mail_sessions = 100\nmail_sessions_per_address = 100\n",
        certificate = setting.certificate.certificate.display(),
        key = setting.certificate.key.display(),
        kind = setting.store.word(),
        mail = setting.mail.display(),
    );
    let configuration = setting.home.join("doghouse.toml");
    fs::write(&configuration, text)?;
    fs::write(setting.home.join("users"), setting.corpus.users())?;
    let mut command = setting.command_as_owner(program);
    command.arg("serve").arg("--config").arg(&configuration);
    let tree = Tree::start(&mut command, &setting.log())?;
    Ok(Server { tree, protocol: Protocol::Pop2, door, tls: Some(tls), lmtp: Some(lmtp) })
}
