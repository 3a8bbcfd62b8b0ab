//! The PostgreSQL of tests does as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Command,
    thread,
    time::Duration,
};

use testing::{How, Options, Postgres, Tcp, Tls};

#[test]
fn a_database_answers_and_is_ones_own() {
    let server = Postgres::shared();
    let (one, other) = (server.database(), server.database());
    assert_ne!(one, other);
    assert!(one.starts_with("host=/tmp/") && one.contains(" user=doghouse dbname=test_"), "{one}");
    assert_eq!(server.sql(&one, "SELECT 1"), "1");
    server.sql(&one, "CREATE TABLE dog (name text, age int); INSERT INTO dog VALUES ('fido', 3), ('rex', 5)");
    assert_eq!(server.sql(&one, "SELECT * FROM dog ORDER BY age"), "fido|3\nrex|5");
    assert_eq!(server.sql(&other, "SELECT to_regclass('dog') IS NULL"), "t");
    assert_eq!(server.sql(&one, "SHOW server_encoding; SHOW fsync; SHOW max_connections"), "UTF8\noff\n200");
    assert_eq!(server.sql(&one, "SHOW listen_addresses"), "");
}

#[test]
#[should_panic(expected = "relation \"cat\" does not exist")]
fn wrong_sql_is_told() {
    Postgres::shared().sql("postgres", "SELECT * FROM cat; SELECT 1");
}

#[test]
fn others_reach_the_socket_and_not_the_data() {
    let folder = Postgres::shared().folder();
    let mode = |name: &str| folder.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("data")), (0o755, 0o700));
    assert_eq!(mode(".s.PGSQL.5432"), 0o777);
}

#[test]
fn what_is_committed_is_there_after_each_kind_of_stop() {
    let server = Postgres::with(&Options { fsync: true, ..Options::default() });
    let database = server.database();
    assert_eq!(server.sql(&database, "SHOW fsync"), "on");
    server.sql(&database, "CREATE TABLE kept (n int)");
    for (n, how) in [How::Fast, How::Immediate].into_iter().enumerate() {
        server.sql(&database, &format!("INSERT INTO kept VALUES ({n})"));
        server.stop(how);
        assert!(UnixStream::connect(server.folder().join(".s.PGSQL.5432")).is_err());
        server.start_again();
        assert_eq!(server.sql(&database, "SELECT count(*) FROM kept"), (n + 1).to_string());
    }
    server.restart(How::Fast);
    assert_eq!(server.sql(&database, "SELECT 1"), "1");
    assert!(server.log().contains("received immediate shutdown request"), "{}", server.log());
}

#[test]
fn a_paused_server_says_nothing_until_it_goes_on() {
    let server = Postgres::start();
    let database = server.database();
    let mut session = UnixStream::connect(server.folder().join(".s.PGSQL.5432")).unwrap();
    session.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    session.write_all(b"\0\0\0\x29\0\x03\0\0user\0doghouse\0database\0postgres\0\0").unwrap();
    // Up to the end of `ReadyForQuery`, where it waits for a command.
    let mut said = Vec::new();
    let mut octets = [0; 1024];
    while !said.ends_with(b"Z\0\0\0\x05I") {
        let read = session.read(&mut octets).unwrap_or_else(|error| panic!("{error} {said:?}"));
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&octets[..read]);
    }
    server.pause();
    session.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    session.write_all(b"Q\0\0\0\x0dSELECT 1\0").unwrap();
    assert_eq!(session.read(&mut octets).unwrap_err().kind(), ErrorKind::WouldBlock);
    thread::scope(|scope| {
        let new = scope.spawn(|| server.sql(&database, "SELECT 2"));
        thread::sleep(Duration::from_millis(200));
        assert!(!new.is_finished());
        server.resume();
        assert_eq!(new.join().unwrap(), "2");
    });
    session.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(session.read(&mut octets[..1]).unwrap(), 1);
    // One that is paused ends like any other.
    server.pause();
}

#[test]
fn nothing_is_left_of_one_that_is_dropped() {
    for is_stopped in [false, true] {
        let server = Postgres::start();
        let folder = server.folder().to_owned();
        assert!(folder.join("data").is_dir());
        if is_stopped {
            server.stop(How::Fast);
        }
        drop(server);
        assert!(!folder.exists());
    }
}

#[test]
fn by_tcp_it_asks_for_tls_and_the_password() {
    let folder = std::env::temp_dir().join(format!("doghouse-key-{}", std::process::id()));
    let (certificate, key) = certificate(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    let password = r"it's a \bone".to_owned();
    let tls = Some(Tls { certificate, key });
    let settings = vec!["max_connections = 20".to_owned()];
    let server =
        Postgres::with(&Options { tcp: Some(Tcp { password, tls }), settings, ..Options::default() });
    let database = server.by_tcp(&server.database());
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid(); SHOW max_connections";
    assert_eq!(server.sql(&format!("{database} sslmode=require"), encrypted), "t\n20");
    let refused = |changed: &str| {
        let panicked = thread::scope(|scope| scope.spawn(|| server.sql(changed, "SELECT 1")).join());
        panicked.unwrap_err().downcast_ref::<String>().unwrap().clone()
    };
    assert!(refused(&format!("{database} sslmode=disable")).contains("no encryption"));
    let wrong = refused(&database.replace(r"\\bone", "bone"));
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let address = server.address().unwrap();
    assert!(address.ip().is_loopback());
    server.restart(How::Fast);
    assert_eq!(server.address(), Some(address));
    TcpStream::connect(address).unwrap();
    assert_eq!(server.sql(&server.database(), "SELECT 1"), "1");
}

#[test]
fn by_tcp_without_tls_it_asks_for_the_password() {
    let tcp = Some(Tcp { password: "bone".to_owned(), tls: None });
    let server = Postgres::with(&Options { tcp, ..Options::default() });
    let database = server.by_tcp(&server.database());
    assert_eq!(server.sql(&database, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "f");
}

/// A certificate and its key, as PEM.
fn certificate(folder: &std::path::Path) -> (String, String) {
    std::fs::create_dir(folder).unwrap();
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-keyout", "key", "-out", "certificate"])
        .current_dir(folder)
        .output()
        .expect("openssl: install the Debian package openssl");
    assert!(output.status.success(), "{output:?}");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    (text("certificate"), text("key"))
}

#[test]
fn a_stand_by_server_follows_and_takes_over() {
    let primary = Postgres::start();
    let stand_by = primary.stand_by();
    let database = primary.database();
    let both = primary.with_stand_by(&database, &stand_by);
    let there = both.replace(&format!(",{}", primary.folder().display()), "");
    primary.sql(&database, "CREATE TABLE dog (name text); INSERT INTO dog VALUES ('fido')");
    stand_by.catch_up(&primary);
    assert_eq!(stand_by.sql(&there, "SELECT name FROM dog; SHOW transaction_read_only"), "fido\non");
    stand_by.follow(None);
    primary.sql(&database, "INSERT INTO dog VALUES ('rex')");
    assert_eq!(stand_by.sql(&there, "SELECT count(*) FROM dog"), "1");
    stand_by.follow(Some(&primary));
    primary.commits_wait_for_stand_by();
    primary.sql(&database, "INSERT INTO dog VALUES ('bella')");
    primary.stop(How::Immediate);
    stand_by.promote();
    let names = "SELECT string_agg(name, ' ' ORDER BY name) FROM dog; SHOW transaction_read_only";
    assert_eq!(stand_by.sql(&both, names), "bella fido rex\noff");
}
