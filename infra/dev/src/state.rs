//! What stays between two runs of `cargo dev up`: secrets, logs, the edge's cache.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::hexadecimal;
use crate::home;

/// Random bytes in a secret.
const SECRET_BYTES: usize = 32;

/// The state folder, which only this user can read, held by one `cargo dev up` at a time.
pub(crate) struct State {
    folder: PathBuf,
    _lock: File,
}

impl State {
    /// Opens the folder, which is made where it is missing.
    pub(crate) fn open(given: Option<&Path>) -> Result<Self, Error> {
        let folder = match given {
            Some(folder) => std::path::absolute(folder).map_err(Error::file("find", folder))?,
            None => home::state()?,
        };
        create_private(&folder)?;
        let path = folder.join(".lock");
        let lock = File::create(&path).map_err(Error::file("create", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::AlreadyUp { folder }),
            Err(TryLockError::Error(source)) => Err(Error::file("lock", &path)(source)),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder inside the state folder.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let folder = self.path(name);
        create_private(&folder)?;
        Ok(folder)
    }

    /// A secret of 32 random bytes in hexadecimal, made once.
    pub(crate) fn secret(&self, name: &str) -> Result<String, Error> {
        self.kept(name, "a secret of 64 hexadecimal digits", is_secret, |random: [u8; SECRET_BYTES]| {
            hexadecimal::of(&random)
        })
    }

    /// A text that is made from random bytes once and read back ever after.
    pub(crate) fn kept<const N: usize>(
        &self,
        name: &str,
        expected: &'static str,
        valid: impl Fn(&str) -> bool,
        make: impl FnOnce([u8; N]) -> String,
    ) -> Result<String, Error> {
        let path = self.path(name);
        match fs::read_to_string(&path) {
            Ok(text) if valid(text.trim()) => Ok(text.trim().to_owned()),
            Ok(_) => Err(Error::Secret { path, expected }),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(Error::Secret { path, expected }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut random = [0; N];
                getrandom::fill(&mut random).map_err(|reason| Error::NoRandomness { reason })?;
                let text = make(random);
                write_private(&path, &text)?;
                Ok(text)
            }
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }
}

fn is_secret(text: &str) -> bool {
    text.len() == 2 * SECRET_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn create_private(folder: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::file("create", folder))
}

/// Writes a file that only this user may read. It appears whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    // A leftover might have other permissions, which opening it again would keep.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::file("remove", &partial)(error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&partial).map_err(Error::file("create", &partial))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::file("write", &partial))?;
    fs::rename(&partial, path).map_err(Error::file("create", path))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::State;
    use crate::error::Error;

    #[test]
    fn a_secret_is_made_once_and_only_this_user_reads_it() {
        let folder = TempDir::new().unwrap();
        let state = State::open(Some(&folder.path().join("state"))).unwrap();
        let secret = state.secret("pepper").unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(state.secret("pepper").unwrap(), secret);
        assert_ne!(state.secret("hop-secret").unwrap(), secret);
        let mode = fs::metadata(state.path("pepper")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = fs::metadata(folder.path().join("state")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        let folder = TempDir::new().unwrap();
        let state = State::open(Some(folder.path())).unwrap();
        for content in [&b"short"[..], b"", b"\xff\xfe"] {
            fs::write(state.path("pepper"), content).unwrap();
            assert!(matches!(state.secret("pepper"), Err(Error::Secret { .. })));
        }
    }

    #[test]
    fn one_run_at_a_time_holds_the_folder() {
        let folder = TempDir::new().unwrap();
        let first = State::open(Some(folder.path())).unwrap();
        assert!(matches!(State::open(Some(folder.path())), Err(Error::AlreadyUp { .. })));
        drop(first);
        State::open(Some(folder.path())).unwrap();
    }
}
