//! The passwords of devices.

use std::path::Path;

use doghouse::accounts::Devices;

use crate::is_one_line;

/// Any octets are a devices file, or are refused in one line that names it; what is read can be changed, and a
/// device is there after it is added and gone after it is removed.
pub fn devices(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut devices = match Devices::parse(text, Path::new("devices")) {
        Ok(devices) => devices,
        Err(error) => {
            let error = error.to_string();
            assert!(is_one_line(&error) && error.starts_with("devices: "), "{error}");
            return;
        }
    };
    let before = devices.iter().count();
    let users: Vec<String> = devices.iter().map(|device| device.user.clone()).collect();
    for user in users {
        let labels: Vec<String> = devices.of(&user).map(|device| device.label.clone()).collect();
        for label in labels {
            let _ = devices.remove(&user, &label);
        }
        assert_eq!(devices.of(&user).count(), 0, "not all are gone");
    }
    assert!(devices.iter().count() == 0 && devices.add("fido", "VAX", Vec::new(), false).is_ok(), "{before}");
    assert!(devices.remove("fido", "VAX").is_ok() && devices.iter().next().is_none());
}
