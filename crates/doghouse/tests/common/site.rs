//! Several houses over one database and one object store, both real.

use std::fs;

use testing::{Postgres, S3};

use super::House;

/// A database that has its tables, and a bucket.
pub struct Site {
    pub connect: String,
    pub endpoint: String,
    pub bucket: String,
    /// For the end of `[database]`.
    pub more: String,
}

impl Site {
    /// Of the servers of this process.
    pub fn new() -> Self {
        Self::at(Postgres::shared(), S3::shared())
    }

    pub fn at(postgres: &Postgres, s3: &S3) -> Self {
        let site = Self {
            connect: postgres.database(),
            endpoint: s3.endpoint(),
            bucket: s3.bucket(),
            more: String::new(),
        };
        let migrated = site.house("").command(&["store", "migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        site
    }

    /// One more house whose mail is there, with more tables at the end of its configuration.
    pub fn house(&self, extra: &str) -> House {
        let Self { connect, endpoint, bucket, more } = self;
        let database = format!(
            "[database]\nconnect = \"{connect}\"\nobjects = \"s3://{bucket}/mail\"\n{more}\n\
             [database.s3]\nendpoint = \"{endpoint}\"\naccess_key = \"doghouse\"\nsecret_key_file = \"secret-key\"\n"
        );
        let house = House::with_mail("postgres:{user}", &format!("{database}{extra}"));
        fs::write(house.path().join("secret-key"), "doghouse\n").unwrap();
        house
    }
}
