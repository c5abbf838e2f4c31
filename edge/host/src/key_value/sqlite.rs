//! Stores in one SQLite database: several readers beside one writer (write-ahead log).

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};

use super::KeyValueError;

const FILE: &str = "key_value.sqlite3";
/// The layout of the tables below, kept in the database's `user_version`.
const LAYOUT: i64 = 1;
/// How long an operation waits for another process that holds the database.
const BUSY_MS_MAX: u32 = 5_000;

/// One open database.
pub(crate) struct Sqlite {
    writer: Mutex<Connection>,
    /// Never empty.
    readers: Vec<Mutex<Connection>>,
    bytes_max: u64,
}

impl Sqlite {
    pub(super) fn open(folder: &Path, bytes_max: u64) -> Result<Self, KeyValueError> {
        std::fs::create_dir_all(folder).map_err(KeyValueError::Folder)?;
        let path = folder.join(FILE);
        let writer = connect(&path)?;
        lay_out(&writer, bytes_max)?;
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        let readers =
            (0..readers).map(|_| Ok(Mutex::new(connect(&path)?))).collect::<Result<_, KeyValueError>>()?;
        Ok(Self { writer: Mutex::new(writer), readers, bytes_max })
    }

    /// A reader nobody uses, or the first one once it is free.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let free = self.readers.iter().find_map(|reader| reader.try_lock().ok());
        free.unwrap_or_else(|| self.readers[0].lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn get(&self, store: &str, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        let reader = self.reader();
        let mut query = reader.prepare_cached("SELECT value FROM entry WHERE store = ?1 AND key = ?2")?;
        Ok(query.query_row(params![store, key], |row| row.get(0)).optional()?)
    }

    pub(super) fn exists(&self, store: &str, key: &str) -> Result<bool, KeyValueError> {
        let reader = self.reader();
        let mut query = reader.prepare_cached("SELECT 1 FROM entry WHERE store = ?1 AND key = ?2")?;
        Ok(query.exists(params![store, key])?)
    }

    pub(super) fn keys(&self, store: &str) -> Result<Vec<String>, KeyValueError> {
        let reader = self.reader();
        let mut query = reader.prepare_cached("SELECT key FROM entry WHERE store = ?1")?;
        let keys = query.query_map(params![store], |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    pub(super) fn put(&self, store: &str, key: &str, value: Option<&[u8]>) -> Result<(), KeyValueError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match value {
            Some(value) => writer
                .prepare_cached(
                    "INSERT INTO entry (store, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (store, key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![store, key, value]),
            None => writer
                .prepare_cached("DELETE FROM entry WHERE store = ?1 AND key = ?2")?
                .execute(params![store, key]),
        };
        match done {
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                Err(KeyValueError::Full { bytes_max: self.bytes_max })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn connect(path: &Path) -> Result<Connection, KeyValueError> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "busy_timeout", BUSY_MS_MAX)?;
    // A lost power supply may cost the last writes, never the database: this is a cache.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn lay_out(writer: &Connection, bytes_max: u64) -> Result<(), KeyValueError> {
    writer.pragma_update(None, "journal_mode", "WAL")?;
    let found: i64 = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found == 0 {
        writer.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS entry (
                 store TEXT NOT NULL,
                 key   TEXT NOT NULL,
                 value BLOB NOT NULL,
                 PRIMARY KEY (store, key)
             );
             PRAGMA user_version = {LAYOUT};
             COMMIT;"
        ))?;
    } else if found != LAYOUT {
        return Err(KeyValueError::Layout { found, known: LAYOUT });
    }
    let page_bytes: i64 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages_max = (i64::try_from(bytes_max).unwrap_or(i64::MAX) / page_bytes).max(1);
    // The pragma answers with the limit it has set.
    writer.pragma_update_and_check(None, "max_page_count", pages_max, |_| Ok(()))?;
    Ok(())
}
