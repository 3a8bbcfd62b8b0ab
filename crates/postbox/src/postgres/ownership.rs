//! Whose an object store is: one database's alone, since a sweep removes what its own database does not know of.

use super::{Database, ObjectsAt};
use crate::Error;

impl Database {
    /// Takes the object store for this database, which has its tables; one that is another's is refused.
    pub async fn take_objects(&self) -> Result<(), Error> {
        let objects = self.objects()?;
        if !self.has_objects_to_itself() && objects.owner().await?.is_none() {
            objects.set_owner(&self.site().await?).await?;
        }
        self.look_whose_objects().await
    }

    /// Fails where the object store is not this database's. It is asked once.
    pub async fn owns_objects(&self) -> Result<(), Error> {
        self.ownership().get_or_try_init(|| self.look_whose_objects()).await.copied()
    }

    /// Fails where the object store is not this database's.
    pub(super) async fn look_whose_objects(&self) -> Result<(), Error> {
        if self.has_objects_to_itself() {
            return Ok(());
        }
        let (objects, site) = (self.objects()?, self.site().await?);
        match objects.owner().await? {
            Some(owner) if owner == site => Ok(()),
            Some(_) => Err(objects.failed(
                "keep mail",
                "it has the mail of another database; give this one a bucket, a prefix or a folder of its own",
            )),
            None => Err(objects.failed("keep mail", "it is no database's yet; run doghouse store migrate")),
        }
    }

    fn has_objects_to_itself(&self) -> bool {
        matches!(self.settings().objects, ObjectsAt::Memory)
    }

    /// What this database is known by.
    async fn site(&self) -> Result<String, Error> {
        self.persist(|| async {
            let connection = self.connection().await?;
            let rows = connection.rows("ask for its name", "SELECT id FROM site", &[]).await?;
            rows.first().map_or_else(
                || Err(self.failed("ask for its name", "it has none; run doghouse store migrate")),
                |row| connection.value(row, 0),
            )
        })
        .await
    }
}
