//! Passwords in the desktop's keyring, by the Secret Service API of freedesktop.org; with the feature `keyring`.

use std::{sync::Arc, thread};

use keyring_core::{CredentialStore, Entry, Error};
use pop2::{Secret, User};
use zbus_secret_service_keyring_store::Store;
use zeroize::Zeroizing;

use crate::{Exit, Failure, host::Host};

/// The password of `user` on `host`.
pub(crate) fn get(user: &User, host: &Host) -> Result<Secret, Failure> {
    let found = with_entry(user, host, |entry| entry.get_password().map(Zeroizing::new))?;
    Ok(Secret::from(found.as_str()))
}

/// Keeps the password of `user` on `host`.
pub(crate) fn set(user: &User, host: &Host, password: &str) -> Result<(), Failure> {
    let password = Zeroizing::new(password.to_owned());
    with_entry(user, host, move |entry| entry.set_password(&password))
}

/// Works on an entry in a thread of its own, since the bus has a runtime of its own.
fn with_entry<T: Send + 'static>(
    user: &User,
    host: &Host,
    work: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    let (service, account) = (format!("fido:{host}"), user.to_string());
    let done = thread::spawn(move || {
        let store: Arc<CredentialStore> = Store::new()?;
        work(&Entry::new_in_store(&store, &service, &account)?)
    });
    let failure = |exit, why: String| {
        Failure::new(exit, format!("the keyring has no password of {user} on {host} for fido: {why}"))
    };
    match done.join() {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Error::NoEntry)) => {
            Err(failure(Exit::Unavailable, "`fido setup` puts it there, or leave `keyring` out".to_owned()))
        }
        Ok(Err(error)) => Err(failure(Exit::Unavailable, format!("{error}; is a keyring running?"))),
        Err(_) => Err(failure(Exit::Software, "it broke off".to_owned())),
    }
}
