//! What the process may still do once it serves.
//!
//! - [`become_user`]: from root to a user who owns nothing but mail.
//! - [`Grant`]: the places that it needs, by the configuration. [`enter`] shuts it off from all others, from every
//!   network that it would have to call but the ports of a database, and from the system calls that it does not use.
//!
//! All this is done before there is a second thread, and binds those that come.

use std::io;

use nix::unistd::{Gid, Uid, User, initgroups, setgid, setuid};
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit},
    thread::set_no_new_privs,
};

mod grant;
mod landlock;
mod seccomp;

pub use grant::Grant;
pub use seccomp::calls;

/// Why the process cannot give up its rights. It goes no further then.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no such user.
    #[error("there is no user {0:?} on this machine; make one, or correct user in the configuration")]
    NoUser(String),
    /// It may not become that user.
    #[error("only root can become user {0:?}; start the server as root or as that user")]
    NotRoot(String),
    /// The system refuses something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was to be done, as a verb.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |error| SandboxError::System { what, source: error.into() }
}

/// The user of a name.
fn user(name: &str) -> Result<User, SandboxError> {
    let found = User::from_name(name).map_err(system("look up a user"))?;
    found.ok_or_else(|| SandboxError::NoUser(name.to_owned()))
}

/// Becomes a user, for good. `give` hands over before that what was opened for the user, by user and group number.
///
/// # Errors
/// Where that cannot be.
pub fn become_user(name: &str, give: impl FnOnce(u32, u32) -> io::Result<()>) -> Result<(), SandboxError> {
    let User { uid, gid, name: own, .. } = user(name)?;
    if uid == Uid::effective() {
        return Ok(());
    }
    if !Uid::effective().is_root() {
        return Err(SandboxError::NotRoot(name.to_owned()));
    }
    give(uid.as_raw(), gid.as_raw()).map_err(system("give the sockets to the server's user"))?;
    let own = std::ffi::CString::new(own).map_err(|_| SandboxError::NoUser(name.to_owned()))?;
    initgroups(&own, gid).map_err(system("take the groups of the server's user"))?;
    setgid(gid).map_err(system("take the group of the server's user"))?;
    setuid(uid).map_err(system("become the server's user"))?;
    // There must be no way back.
    if setuid(Uid::from_raw(0)).is_ok() || Gid::effective() != gid {
        return Err(SandboxError::System {
            what: "give up the rights of root",
            source: io::Error::other("they could be taken again"),
        });
    }
    Ok(())
}

/// How far the process is shut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// As far as it can be.
    All,
    /// The kernel is older than what some of it needs.
    Part,
    /// The kernel knows no Landlock: only the system calls are limited.
    CallsOnly,
}

/// Shuts the process off from all that is not granted. Whatever happens later, there is no way back.
///
/// # Errors
/// Where the system refuses it.
pub fn enter(grant: &Grant) -> Result<Shut, SandboxError> {
    postbox::before_sandbox();
    keep_memory_private()?;
    if grant.calls_others() {
        load_resolver();
    }
    let shut = landlock::enter(grant)?;
    seccomp::enter(grant.calls_others())?;
    Ok(shut)
}

/// Looks up a name, so that what the C library loads for that is loaded: later nothing becomes executable.
fn load_resolver() {
    use std::net::ToSocketAddrs;
    if let Err(error) = ("localhost", 0).to_socket_addrs() {
        tracing::debug!(%error, "not even localhost has an address");
    }
}

/// Passwords are in the memory: no core file has it, and no other process of the same user may look into it.
pub fn keep_memory_private() -> Result<(), SandboxError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(system("keep core files from being written"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(system("keep the memory private"))?;
    set_no_new_privs(true).map_err(system("give up new privileges"))
}
