//! One connection to a database, for one piece of work.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool_postgres::Object;
use futures_util::{Stream, StreamExt};
use tokio::time::timeout;
use tokio_postgres::{
    Row,
    types::{FromSqlOwned, ToSql},
};

use crate::{Error, error::Remote};

/// What stands for `$1` and so on.
pub type Parameter<'a> = &'a (dyn ToSql + Sync);

/// A connection. Where its work did not come to its end, such as when it took too long, it is closed when this is dropped,
/// so that nobody gets another's answer, and no transaction goes on.
#[derive(Debug)]
pub struct Connection {
    client: Option<Object>,
    place: Arc<str>,
    patience: Duration,
    /// Whether an answer, or the end of a transaction, is to come.
    is_at_work: AtomicBool,
    is_in_transaction: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_at_work.load(Relaxed) || self.is_in_transaction {
            // It does not go back to the others.
            drop(self.client.take().map(Object::take));
        }
    }
}

impl Connection {
    pub(super) fn new(client: Object, place: Arc<str>, patience: Duration) -> Self {
        let is_at_work = AtomicBool::new(false);
        Self { client: Some(client), place, patience, is_at_work, is_in_transaction: false }
    }

    /// The rows that a statement gives.
    pub async fn rows(
        &self,
        action: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        let client = self.client(action)?;
        let answer = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        self.ask(action, answer).await
    }

    /// How many rows a statement has changed.
    pub async fn change(
        &self,
        action: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Error> {
        let client = self.client(action)?;
        let answer = async {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, parameters).await
        };
        self.ask(action, answer).await
    }

    /// Gives each row of a statement to `take` as it comes. It may take as long as rows come.
    pub(super) async fn each(
        &self,
        action: &'static str,
        sql: &str,
        parameters: &[Parameter<'_>],
        mut take: impl FnMut(&Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let client = self.client(action)?;
        let answer = async {
            let statement = client.prepare_cached(sql).await?;
            client.query_raw(&statement, parameters.iter().copied()).await
        };
        let rows = self.ask(action, answer).await?;
        self.is_at_work.store(true, Relaxed);
        let mut rows: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(rows);
        loop {
            let next = timeout(self.patience, rows.next()).await;
            match next.map_err(|_elapsed| self.too_slow(action))? {
                Some(row) => take(&row.map_err(|error| self.failed(action, error))?)?,
                None => break,
            }
        }
        self.is_at_work.store(false, Relaxed);
        Ok(())
    }

    /// Runs statements that have no parameters and give nothing.
    pub async fn batch(&self, action: &'static str, sql: &str) -> Result<(), Error> {
        let client = self.client(action)?;
        self.ask(action, client.batch_execute(sql)).await
    }

    /// Begins a transaction. It is over when it is committed, rolled back, or this is dropped.
    pub async fn begin(&mut self, action: &'static str) -> Result<(), Error> {
        self.is_in_transaction = true;
        self.batch(action, "BEGIN").await
    }

    /// Begins a transaction that sees the database as it is now and changes nothing.
    pub(super) async fn begin_to_look(&mut self, action: &'static str) -> Result<(), Error> {
        self.is_in_transaction = true;
        self.batch(action, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Ends a transaction: what it did is there, for good. Where this fails it may be there all the same.
    pub async fn commit(&mut self, action: &'static str) -> Result<(), Error> {
        self.batch(action, "COMMIT").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// Ends a transaction: what it did is undone.
    pub async fn roll_back(&mut self) -> Result<(), Error> {
        self.batch("roll back", "ROLLBACK").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    /// What stands in a column of a row.
    pub fn value<T: FromSqlOwned>(&self, row: &Row, column: usize) -> Result<T, Error> {
        row.try_get(column).map_err(|error| self.failed("read an answer", error))
    }

    /// A number in a column that is never negative.
    pub(super) fn count(&self, row: &Row, column: usize) -> Result<u64, Error> {
        Ok(self.value::<i64>(row, column)?.try_into().unwrap_or_default())
    }

    /// There is one until this is dropped.
    fn client(&self, action: &'static str) -> Result<&Object, Error> {
        self.client.as_ref().ok_or_else(|| self.too_slow(action))
    }

    async fn ask<T>(
        &self,
        action: &'static str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        super::step(&self.place)?;
        self.is_at_work.store(true, Relaxed);
        let answer = timeout(self.patience, answer).await.map_err(|_elapsed| self.too_slow(action))?;
        self.is_at_work.store(false, Relaxed);
        answer.map_err(|error| self.failed(action, error))
    }

    fn too_slow(&self, action: &'static str) -> Error {
        Error::Remote { action, place: self.place.to_string(), cause: "it does not answer".into() }
    }

    fn failed(&self, action: &'static str, error: tokio_postgres::Error) -> Error {
        Error::Remote { action, place: self.place.to_string(), cause: Remote(error).into() }
    }
}
