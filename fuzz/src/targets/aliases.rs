//! The aliases file, and addresses by it.

use std::path::Path;

use doghouse::recipients::{Aliases, Recipients};

use crate::is_one_line;

/// Any text is an aliases file, or is refused in one line; whatever it says, an address leads to users of this
/// server or to nobody, and in bounded time. The last line is the address.
pub fn aliases(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (text, address) = text.rsplit_once('\n').unwrap_or(("", &text));
    let domains = vec!["bone.example".to_owned()];
    let aliases = match Aliases::parse(text, Path::new("aliases"), &domains) {
        Ok(aliases) => aliases,
        Err(error) => {
            assert!(is_one_line(&error.to_string()), "{error}");
            return;
        }
    };
    let users = ["fido", "smith"];
    let recipients = Recipients { domains, delimiter: Some('+'), aliases };
    if let Ok(targets) = recipients.resolve(address, &|user| users.contains(&user)) {
        assert!(!targets.is_empty());
        assert!(targets.iter().all(|target| users.contains(&target.user.as_str())));
    }
}
