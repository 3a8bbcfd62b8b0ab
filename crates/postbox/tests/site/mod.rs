//! A database and an object store, both real.
#![allow(dead_code, unreachable_pub)] // Each test program uses its part.

use std::{fs, path::Path};

use postbox::postgres::{Database, ObjectsAt, Postgres, S3, Settings};

/// Settings for a fresh database of this process's PostgreSQL, which has its tables, and a fresh bucket.
pub async fn settings() -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let key = secret_file(folder.path());
    let settings = Settings::new(testing::Postgres::shared().database(), bucket(testing::S3::shared(), &key));
    let database = Database::new(settings.clone());
    database.migrate().await.unwrap();
    database.take_objects().await.unwrap();
    // The secret has to be there as long as the process is.
    let _kept = folder.keep();
    settings
}

pub async fn database() -> Database {
    Database::new(settings().await)
}

/// The same with large messages elsewhere.
pub async fn with(objects: ObjectsAt) -> Settings {
    let settings = Settings { objects, ..settings().await };
    Database::new(settings.clone()).take_objects().await.unwrap();
    settings
}

/// A fresh bucket.
pub fn bucket(server: &testing::S3, secret: &Path) -> ObjectsAt {
    ObjectsAt::S3(S3 {
        bucket: server.bucket(),
        prefix: "mail".to_owned(),
        endpoint: Some(server.endpoint()),
        region: "us-east-1".to_owned(),
        key: Some(("doghouse".to_owned(), secret.to_owned())),
    })
}

pub fn secret_file(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("secret-key");
    fs::write(&path, "doghouse\n").unwrap();
    path
}

/// Makes a place known to other processes: a database of theirs, and a name in it that nobody else has.
pub async fn found(path: &Path) {
    static ONE: tokio::sync::OnceCell<(String, String, String)> = tokio::sync::OnceCell::const_new();
    let (connect, endpoint, bucket) = ONE
        .get_or_init(|| async {
            let settings = settings().await;
            let ObjectsAt::S3(s3) = settings.objects else { unreachable!() };
            (settings.connect, s3.endpoint.unwrap(), s3.bucket)
        })
        .await;
    secret_file(path);
    fs::write(path.join("site"), format!("{connect}\n{endpoint}\n{bucket}")).unwrap();
}

/// The mail at such a place.
pub fn at(path: &Path) -> Postgres {
    let text = fs::read_to_string(path.join("site")).unwrap();
    let words: Vec<&str> = text.lines().collect();
    let objects = ObjectsAt::S3(S3 {
        bucket: words[2].to_owned(),
        prefix: "mail".to_owned(),
        endpoint: Some(words[1].to_owned()),
        region: "us-east-1".to_owned(),
        key: Some(("doghouse".to_owned(), path.join("secret-key"))),
    });
    Database::new(Settings::new(words[0], objects)).postbox(path.file_name().unwrap().to_str().unwrap())
}
