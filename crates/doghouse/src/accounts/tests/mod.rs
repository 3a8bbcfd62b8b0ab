//! Tests of the accounts, a file for each module that they are about.

mod edit;
mod logins;
mod passwd_file;
mod schemes;
