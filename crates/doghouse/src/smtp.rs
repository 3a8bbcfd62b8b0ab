//! Mail comes in: SMTP (RFC 5321, the receiving side) and LMTP (RFC 2033).
//!
//! [`machine`] knows the protocol and no socket, [`session`] joins it to a stream and to the mail. Whatever
//! comes is for an account of this server; nothing is ever sent on.

pub(crate) mod data;
pub(crate) mod lines;
pub mod machine;
pub(crate) mod message;
pub mod reply;
pub mod session;
