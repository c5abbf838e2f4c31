//! A weight file as memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

/// A file mapped read-only. Its pages are read from disk as they are touched, and shared with the page cache.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    map: Mmap,
}

impl MappedFile {
    /// Maps the whole file.
    ///
    /// The file must not be shortened while it is mapped: the kernel would then end the process on the next touch.
    /// Whoever replaces a model writes a new file and renames it over the old one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        #[expect(unsafe_code, reason = "mapping the weights is the one place where the loader needs it")]
        // SAFETY: the map is read-only and private to this struct, which outlives every slice taken from it; all
        // bytes are checked as untrusted input. That the file is not shortened meanwhile is the operator's part, as
        // this function's documentation says.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { path: path.to_path_buf(), map })
    }

    /// The whole content.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the kernel take back the pages that lie wholly within `range`, so that a model that is being converted
    /// is not resident twice. A later read faults them in again.
    pub fn release(&self, range: Range<usize>) {
        const PAGE: usize = 4096;
        let start = range.start.next_multiple_of(PAGE);
        let end = range.end.min(self.map.len()) / PAGE * PAGE;
        if start >= end {
            return;
        }
        #[cfg(unix)]
        #[expect(
            unsafe_code,
            reason = "giving pages back is advice that memmap2 marks unsafe for private anonymous maps"
        )]
        // SAFETY: the map is a read-only, file-backed one; after MADV_DONTNEED a read sees the file's bytes again.
        // `start..end` lies within the map.
        let advised = unsafe {
            self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start)
        };
        #[cfg(unix)]
        if let Err(error) = advised {
            tracing::debug!(%error, "the kernel did not take pages back");
        }
    }
}
