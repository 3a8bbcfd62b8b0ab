//! The type of a file, by the end of its name: what is needed to open it elsewhere, no more.

use std::path::Path;

/// Ends of names in lower case, and the types that they stand for (the registry of IANA).
const TYPES: [(&str, &str); 34] = [
    ("7z", "application/x-7z-compressed"),
    ("bz2", "application/x-bzip2"),
    ("csv", "text/csv"),
    ("diff", "text/x-diff"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("patch", "text/x-diff"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("wav", "audio/wav"),
    ("webp", "image/webp"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xz", "application/x-xz"),
    ("zip", "application/zip"),
];

/// The type of the file at `path`; `application/octet-stream` where its name does not tell.
#[must_use]
pub fn of(path: &Path) -> &'static str {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    let found = TYPES.iter().find(|(name, _)| *name == end);
    found.map_or("application/octet-stream", |(_, media)| *media)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_tells_the_type_or_nothing_does() {
        for (name, media) in [
            ("a/b.PDF", "application/pdf"),
            ("x.tar.gz", "application/gzip"),
            ("x", "application/octet-stream"),
        ] {
            assert_eq!(of(Path::new(name)), media);
        }
    }
}
