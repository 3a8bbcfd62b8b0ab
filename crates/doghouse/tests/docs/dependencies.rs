//! Which crates are used, and what they may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{files, read, rows};

/// The manifests of all crates of this repository.
fn manifests() -> BTreeSet<PathBuf> {
    let folders = ["crates", "fuzz", "bench", "packaging", "testing"].into_iter();
    folders.flat_map(|folder| files(folder, "Cargo.toml")).collect()
}

#[test]
fn every_dependency_has_its_line_with_its_version() {
    let lock: toml::Table = toml::from_str(&read("Cargo.lock")).unwrap();
    let mut locked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package[key].as_str().unwrap();
        locked.entry(text("name")).or_default().push(text("version").split('+').next().unwrap());
    }
    let own: BTreeSet<String> = manifests()
        .iter()
        .map(|file| file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut used = BTreeSet::new();
    for file in manifests() {
        let manifest: toml::Table = toml::from_str(&read(file)).unwrap();
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            used.extend(
                manifest
                    .get(kind)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flat_map(|t| t.keys().cloned()),
            );
        }
    }
    let mut told = BTreeSet::new();
    for row in rows(&read("docs/dependencies.md")).filter(|row| row[0].starts_with('`')) {
        let name = row[0].trim_matches('`').to_owned();
        let version = row[3].split(',').next().unwrap();
        if let Some(locked) = locked.get(name.as_str()) {
            assert!(
                locked.contains(&version),
                "{name}: docs/dependencies.md has {version}, Cargo.lock {locked:?}"
            );
        }
        told.insert(name);
    }
    let used: BTreeSet<String> = used.difference(&own).cloned().collect();
    assert_eq!(told, used, "docs/dependencies.md on the left, the manifests on the right");
}

/// What SECURITY.md says of where code may come from, and of what it may do to memory.
#[test]
fn all_code_is_safe_or_from_the_registry_and_locked() {
    let table = |path: &Path| -> toml::Table { toml::from_str(&read(path)).unwrap() };
    let root = table(Path::new("Cargo.toml"));
    assert_eq!(root["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let manifests = manifests();
    assert!(manifests.len() >= 7, "{manifests:?}");
    for manifest in &manifests {
        let lints = table(manifest)["lints"]["workspace"].as_bool();
        assert_eq!(lints, Some(true), "{} does without the lints", manifest.display());
    }
    let lock = table(Path::new("Cargo.lock"));
    let packages = lock["package"].as_array().unwrap();
    let ours = packages.iter().filter(|package| package.get("source").is_none()).count();
    assert_eq!(ours, manifests.len(), "what has no source is a crate of this repository");
    for package in packages.iter().filter_map(toml::Value::as_table) {
        let Some(source) = package.get("source") else { continue };
        let name = &package["name"];
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert_eq!(source.as_str(), Some(registry), "{name}");
        assert!(package["checksum"].as_str().is_some_and(|sum| sum.len() == 64), "{name}");
    }
    let deny = table(Path::new("deny.toml"));
    for key in ["unknown-registry", "unknown-git"] {
        assert_eq!(deny["sources"][key].as_str(), Some("deny"), "{key}");
    }
    for package in deny["bans"]["deny"].as_array().unwrap() {
        assert!(packages.iter().all(|locked| locked["name"] != *package), "{package} is banned");
    }
}
