//! Values into statements, and rows out of them, whatever the engine.

use jiff::Timestamp;

use super::StoreError;

/// One value handed to a statement.
#[derive(Clone, Copy, Debug)]
pub enum Bind<'a> {
    /// SQL null.
    Null,
    /// A whole number; times are microseconds since 1970.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl From<i64> for Bind<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<Timestamp> for Bind<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_microsecond())
    }
}
impl<'a> From<&'a str> for Bind<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Bind<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Bind<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}
impl<'a, T: Into<Bind<'a>>> From<Option<T>> for Bind<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer. Columns are numbered from 0.
pub struct Row<'a>(pub(super) Of<'a>);

/// Whose row it is.
pub(super) enum Of<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// A whole number.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.int_or_null(column)?.ok_or(StoreError::Decode("a number is missing"))
    }

    /// A whole number or null.
    ///
    /// # Errors
    /// When the column is of another type.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get(column)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// A time.
    ///
    /// # Errors
    /// When the column is null, of another type or out of range.
    pub fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.int(column)?).map_err(|_| StoreError::Decode("a time out of range"))
    }

    /// A time or null.
    ///
    /// # Errors
    /// When the column is of another type or out of range.
    pub fn time_or_null(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        let micros = self.int_or_null(column)?;
        micros
            .map(|micros| {
                Timestamp::from_microsecond(micros).map_err(|_| StoreError::Decode("a time out of range"))
            })
            .transpose()
    }

    /// A text.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        Ok(self.text_ref(column)?.to_owned())
    }

    /// A text, to look at.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn text_ref(&self, column: usize) -> Result<&str, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// A text or null.
    ///
    /// # Errors
    /// When the column is of another type.
    pub fn text_or_null(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get(column)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Bytes.
    ///
    /// # Errors
    /// When the column is null or of another type.
    pub fn blob(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        match self.0 {
            Of::Sqlite(row) => Ok(row.get(column)?),
            Of::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}
