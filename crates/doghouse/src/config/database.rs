//! `[database]`: where mail, and accounts, of several servers are.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use postbox::postgres::{Database, ObjectsAt, S3, Settings};
use serde::Deserialize;
use toml::Spanned;

use super::Fault;

/// The longest time that may be configured, in seconds.
const MOST_SECONDS: u64 = 3_600;

/// The largest message that may be kept in a row, in octets: it is held in memory while it is delivered or read.
const MOST_INLINE: usize = 16 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDatabase {
    connect: Spanned<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    connections: Option<Spanned<usize>>,
    connect_seconds: Option<Spanned<u64>>,
    query_seconds: Option<Spanned<u64>>,
    retry_seconds: Option<Spanned<u64>>,
    inline_octets: Option<Spanned<usize>>,
    objects: Spanned<String>,
    s3: Option<Spanned<RawS3>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawS3 {
    endpoint: Option<String>,
    region: Option<String>,
    access_key: Option<String>,
    secret_key_file: Option<PathBuf>,
}

impl RawDatabase {
    pub(super) fn check(self, folder: &Path) -> Result<Database, Fault> {
        let objects = objects(&self.objects, self.s3, folder)?;
        let mut settings = Settings::new(self.connect.get_ref().clone(), objects);
        settings.parsed().map_err(|error| (self.connect.span().start, error.to_string()))?;
        settings.password_file = self.password_file.map(|path| folder.join(path));
        settings.ca_file = self.ca_file.map(|path| folder.join(path));
        if let Some(connections) = self.connections {
            if !(1..=1_000).contains(connections.get_ref()) {
                let what = "database.connections is from 1 to 1000, and 2 or more where mailboxes are large";
                return Err((connections.span().start, what.to_owned()));
            }
            settings.connections = connections.into_inner();
        }
        for (seconds, setting) in [
            (self.connect_seconds, &mut settings.connect_patience),
            (self.query_seconds, &mut settings.patience),
            (self.retry_seconds, &mut settings.persistence),
        ] {
            let Some(seconds) = seconds else { continue };
            if !(1..=MOST_SECONDS).contains(seconds.get_ref()) {
                let what = "a time in database is from 1 to 3600 seconds";
                return Err((seconds.span().start, what.to_owned()));
            }
            *setting = Duration::from_secs(seconds.into_inner());
        }
        if let Some(inline) = self.inline_octets {
            if *inline.get_ref() > MOST_INLINE {
                let what = "database.inline_octets is at most 16777216; larger messages are objects";
                return Err((inline.span().start, what.to_owned()));
            }
            settings.inline = inline.into_inner();
        }
        Ok(Database::new(settings))
    }
}

fn objects(place: &Spanned<String>, s3: Option<Spanned<RawS3>>, folder: &Path) -> Result<ObjectsAt, Fault> {
    let at = place.span().start;
    let text = place.get_ref();
    if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
        return match s3 {
            None => Ok(ObjectsAt::Folder(folder.join(path))),
            Some(s3) => Err((s3.span().start, "database.s3 is for objects = \"s3://...\"".to_owned())),
        };
    }
    let bucket = text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let Some((bucket, prefix)) = bucket.filter(|(bucket, _)| !bucket.is_empty()) else {
        let what = "write where large messages are: \"s3://bucket/prefix\", or \"file:\" and a folder that all servers share";
        return Err((at, what.to_owned()));
    };
    let begin = s3.as_ref().map_or(at, |s3| s3.span().start);
    let RawS3 { endpoint, region, access_key, secret_key_file } =
        s3.map(Spanned::into_inner).unwrap_or_default();
    let is_http = |endpoint: &String| endpoint.starts_with("http://") || endpoint.starts_with("https://");
    if endpoint.as_ref().is_some_and(|endpoint| !is_http(endpoint)) {
        return Err((
            begin,
            "database.s3.endpoint begins with https://, or http:// where nobody listens".to_owned(),
        ));
    }
    let key = match (access_key, secret_key_file) {
        (Some(key), Some(file)) => Some((key, folder.join(file))),
        (None, None) => None,
        _ => return Err((begin, "write both access_key and secret_key_file, or neither".to_owned())),
    };
    let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
    Ok(ObjectsAt::S3(S3 {
        bucket,
        prefix,
        endpoint,
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        key,
    }))
}
