//! The way to the database.

use std::time::Duration;

use postbox::postgres::{Database, ObjectsAt, Settings};

use crate::{battery::deliver, hasty};

/// A certificate for `localhost` that nobody has signed, and its key, as PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_by_tls_is_always_verified() {
    let ((certificate, key), (another, _)) = (certificate(), certificate());
    let tls = Some(testing::Tls { certificate: certificate.clone(), key });
    let tcp = Some(testing::Tcp { password: "a bone".to_owned(), tls });
    let postgres = testing::Postgres::with(&testing::Options { tcp, ..testing::Options::default() });
    let name = postgres.database().split("dbname=").nth(1).unwrap().to_owned();
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let port = postgres.address().unwrap().port();
    let settings = |mode: &str| {
        let connect =
            format!("host=localhost hostaddr=127.0.0.1 port={port} user=doghouse dbname={name} {mode}");
        Settings {
            password_file: file("password", "a bone\n"),
            ..hasty(Settings::new(connect, ObjectsAt::Memory))
        }
    };
    let ca_file = file("ca", &certificate);
    let good = Database::new(Settings { ca_file: ca_file.clone(), ..settings("sslmode=require") });
    good.migrate().await.unwrap();
    deliver(&good.postbox("fido"), b"bone").await;
    for wrong in [
        Settings { ca_file: file("other", &another), ..settings("sslmode=require") },
        settings("sslmode=require"),
        Settings { ca_file: ca_file.clone(), ..settings("sslmode=disable") },
        Settings {
            ca_file: ca_file.clone(),
            password_file: file("wrong", "cat"),
            ..settings("sslmode=require")
        },
    ] {
        let error = Database::new(wrong).answers(Duration::from_secs(5)).await.unwrap_err();
        assert!(!error.to_string().contains("bone"), "{error}");
    }
    for (unreadable, what) in [
        (Settings { ca_file: file("empty", ""), ..settings("") }, "there is no certificate in it"),
        (
            Settings { ca_file: Some("/nowhere".into()), ..settings("") },
            "cannot read the authorities in /nowhere",
        ),
        (
            Settings { password_file: Some("/nowhere".into()), ..settings("") },
            "cannot read the secret in /nowhere",
        ),
        (Settings { objects: ObjectsAt::Folder("/nowhere".into()), ..settings("") }, "make it, and give"),
    ] {
        let error = Database::new(unreadable).open().unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}
