//! What packages hold: man pages, completions, units and configurations. `packaging/try` tries the packages themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clap::CommandFactory;
use doghouse::config::{Config, Endpoint};
use tempfile::TempDir;

fn packaging() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = packaging().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a program of the system says, where it is installed.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(program).args(arguments).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            assert!(env::var_os("CI").is_none(), "not to be skipped in CI: {program} is not installed");
            // Past the test harness, which keeps what `eprintln!` prints to itself.
            io::stderr().write_all(format!("skipped: {program} is not installed\n").as_bytes()).unwrap();
            None
        }
        output => Some(output.unwrap()),
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn generated() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_packaging")).arg(folder.path()).arg("1985-02-01").output();
    let made = made.unwrap();
    assert!(made.status.success(), "{}", text(&made));
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A command and all below it, by the names of their pages.
fn commands(command: &clap::Command, above: &str, names: &mut BTreeSet<String>) {
    let name = format!("{above}{}", command.get_name());
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        commands(below, &format!("{name}-"), names);
    }
    names.insert(name);
}

#[test]
fn every_command_has_a_man_page_in_order() {
    let folder = generated();
    let pages = files(&folder.path().join("man"));
    let mut expected = BTreeSet::from(["doghouse.toml".to_owned()]);
    commands(&doghouse::cli::Cli::command(), "", &mut expected);
    commands(&fido::args::Fido::command(), "", &mut expected);
    let there = pages.iter().map(|page| page.file_stem().unwrap().to_string_lossy().into_owned());
    assert_eq!(there.collect::<BTreeSet<_>>(), expected);
    for page in &pages {
        let Some(lint) = run("mandoc", &["-T", "lint", "-W", "warning", page.to_str().unwrap()]) else {
            return;
        };
        assert_eq!(text(&lint), "", "{}", page.display());
    }
    let shown = run("mandoc", &["-T", "utf8", folder.path().join("man/doghouse.toml.5").to_str().unwrap()]);
    assert!(text(&shown.unwrap()).contains("[[listener]]"));
}

#[test]
fn shells_complete_commands_and_flags() {
    let folder = generated();
    let names = files(&folder.path().join("completions"));
    assert_eq!(names.len(), 6, "{names:?}");
    let bash = folder.path().join("completions/doghouse.bash");
    let complete = |words: &str| {
        let count = words.split(' ').count() - 1;
        let last = words.rsplit(' ').next().unwrap();
        let script = format!(
            ". {}; COMP_WORDS=({words}) COMP_CWORD={count}; _doghouse doghouse '{last}'; echo \"${{COMPREPLY[*]}}\"",
            bash.display()
        );
        run("bash", &["-c", &script]).map(|output| text(&output).trim().to_owned())
    };
    for (words, expected) in [
        ("doghouse us", "user"),
        ("doghouse user dev", "device"),
        ("doghouse user device add --read", "--read-only"),
    ] {
        assert_eq!(complete(words).unwrap(), expected, "{words}");
    }
}

#[test]
fn units_open_what_the_configuration_serves_and_expose_little() {
    let opened: BTreeSet<String> = read("systemd/doghouse.socket")
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream=").map(str::to_owned))
        .collect();
    let config = Config::parse(&read("doghouse.toml"), Path::new("/etc/doghouse/doghouse.toml")).unwrap();
    let served: BTreeSet<String> = config
        .listeners
        .iter()
        .filter_map(|listener| match &listener.endpoint {
            Endpoint::Tcp(address) => Some(address.to_string()),
            Endpoint::Unix { .. } => None,
        })
        .collect();
    assert_eq!(opened, served);
    Config::parse(&read("container.toml"), Path::new("/etc/doghouse/doghouse.toml")).unwrap();

    // In tenths. What is missing of the sandbox shows here, and in packaging/try.
    for name in ["doghouse.service", "doghouse-sweep.service"] {
        let unit = packaging().join("systemd").join(name);
        let limits = ["security", "--no-pager", "--offline=true", "--threshold=13", unit.to_str().unwrap()];
        if let Some(score) = run("systemd-analyze", &limits) {
            assert!(score.status.success(), "{}", text(&score));
        }
    }
}

#[test]
fn what_the_packages_take_is_there() {
    for name in ["doghouse", "fido"] {
        let folder = packaging().join("../crates").join(name);
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(folder.join("Cargo.toml")).unwrap()).unwrap();
        let deb = &manifest["package"]["metadata"]["deb"];
        let assets = deb["assets"].as_array().unwrap();
        let sources = assets.iter().map(|asset| asset[0].as_str().unwrap());
        let sources: Vec<_> = sources.filter(|source| !source.starts_with("target/")).collect();
        assert!(!sources.is_empty());
        for source in sources.into_iter().chain([deb["license-file"][0].as_str().unwrap()]) {
            assert!(folder.join(source).is_file(), "{name}: {source}");
        }
    }
    for script in ["postinst", "prerm", "postrm"] {
        let script = packaging().join("deb").join(script);
        let read = run("sh", &["-n", script.to_str().unwrap()]).unwrap();
        assert!(read.status.success(), "{}", text(&read));
    }
}
