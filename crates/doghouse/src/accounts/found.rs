//! What was found of accounts that were looked for.

use std::collections::HashMap;
use std::sync::Arc;
use std::vec;

use super::error::Error;
use super::fields::Fields;
use super::rows::Rows;
use super::table::Table;

/// What is known of an account beside its password.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// There is none of that name.
    Nobody,
    /// Its fields are not understood.
    Unclear,
    /// This.
    Fields(Fields),
}

/// What was found of some accounts.
#[derive(Debug)]
pub struct Found(Where);

#[derive(Debug)]
enum Where {
    /// All that there are.
    Table(Arc<Table>),
    /// Those that were looked for.
    Rows(HashMap<String, Lookup>),
}

impl Found {
    pub(super) fn in_table(table: Arc<Table>) -> Self {
        Self(Where::Table(table))
    }

    pub(super) fn in_rows(rows: HashMap<String, Lookup>) -> Self {
        Self(Where::Rows(rows))
    }

    /// What is known of one of them.
    #[must_use]
    pub fn look_up(&self, user: &str) -> Lookup {
        match &self.0 {
            Where::Table(table) => table.look_up(user),
            Where::Rows(rows) => rows.get(user).cloned().unwrap_or(Lookup::Nobody),
        }
    }
}

/// Names of users, as many at a time as can be held.
#[derive(Debug)]
pub struct Names {
    page: vec::IntoIter<String>,
    /// Where there are more, and after which name.
    more: Option<(Rows, String)>,
}

impl From<Vec<String>> for Names {
    fn from(names: Vec<String>) -> Self {
        Self { page: names.into_iter(), more: None }
    }
}

impl Names {
    pub(super) fn in_database(rows: Rows) -> Self {
        Self { page: Vec::new().into_iter(), more: Some((rows, String::new())) }
    }

    /// The next one; `None` after the last.
    ///
    /// # Errors
    /// Where the database cannot be asked.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if let Some(name) = self.page.next() {
            return Ok(Some(name));
        }
        let Some((rows, after)) = self.more.take() else { return Ok(None) };
        let names: Vec<String> = rows.page(&after).await?.into_iter().map(|listed| listed.name).collect();
        self.more = names.last().map(|last| (rows, last.clone()));
        self.page = names.into_iter();
        Ok(self.page.next())
    }
}
