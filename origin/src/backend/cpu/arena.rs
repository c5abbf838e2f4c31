//! Memory for weights: a few large mappings on huge pages, where the system has them.
//!
//! A decode step reads every weight once. On pages of 4 KiB it spends a fifth of its time looking up their addresses
//! (SmolLM2-135M, Zen 4).
#![expect(unsafe_code, reason = "typed slices of a memory mapping")]

use crate::backend::BackendError;
use memmap2::{MmapMut, MmapRaw};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a mapping, unless one matrix needs more. Only what is written takes up memory.
const SEGMENT_BYTES: usize = 64 << 20;
/// Bytes of a huge page.
const HUGE_PAGE: usize = 2 << 20;
/// Bytes of a cache line; every slice begins at one.
const CACHE_LINE: usize = 64;

/// Hands out slices of its mappings.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    segment: Mutex<Option<Segment>>,
}

#[derive(Debug)]
struct Segment {
    map: Arc<MmapRaw>,
    /// Bytes handed out, counted from the start of the mapping.
    used: usize,
}

/// A slice of a mapping; the mapping lives as long as any of its slices.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    first: *mut T,
    len: usize,
    _map: Arc<MmapRaw>,
}

impl Arena {
    /// A slice of `len` times `value`.
    pub(crate) fn slice<T: Copy + Send + Sync>(
        &self,
        len: usize,
        value: T,
    ) -> Result<Pages<T>, BackendError> {
        const { assert!(align_of::<T>() <= CACHE_LINE, "slices begin at a cache line") };
        let refused = |bytes| BackendError::Memory { what: "weights", bytes };
        let bytes = len.checked_mul(size_of::<T>()).ok_or(refused(usize::MAX))?;
        let mut segment = self.segment.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = segment.as_mut().and_then(|segment| segment.take(bytes));
        if taken.is_none() {
            let size = bytes.max(SEGMENT_BYTES).checked_add(HUGE_PAGE).ok_or(refused(bytes))?;
            taken = segment.insert(Segment::new(size).map_err(|_| refused(bytes))?).take(bytes);
        }
        let (map, start) = taken.ok_or(refused(bytes))?;
        // SAFETY: `take` gave `bytes` bytes at `start` inside the mapping to this caller alone; `start` is aligned to
        // a cache line, which suffices for `T`.
        let first = unsafe { map.as_mut_ptr().add(start) }.cast::<T>();
        for i in 0..len {
            // SAFETY: element `i` lies in the bytes taken above.
            unsafe { first.add(i).write(value) };
        }
        Ok(Pages { first, len, _map: map })
    }
}

impl Segment {
    /// A mapping of `size` bytes, of which those from the first huge page on are used.
    fn new(size: usize) -> std::io::Result<Self> {
        let map = MmapMut::map_anon(size)?;
        // Without huge pages everything works, only slower.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let used = map.as_ptr().align_offset(HUGE_PAGE);
        Ok(Self { map: Arc::new(MmapRaw::from(map)), used })
    }

    /// Hands out `bytes` bytes, if there are as many left: the mapping and where in it they start.
    fn take(&mut self, bytes: usize) -> Option<(Arc<MmapRaw>, usize)> {
        let start = self.used;
        let end = start.checked_add(bytes)?;
        if end > self.map.len() {
            return None;
        }
        self.used = end.next_multiple_of(CACHE_LINE);
        Some((Arc::clone(&self.map), start))
    }
}

impl<T> Deref for Pages<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `Arena::slice` initialised `len` elements at `first`, in a mapping that `_map` keeps; nobody else
        // has their bytes.
        unsafe { std::slice::from_raw_parts(self.first, self.len) }
    }
}

impl<T> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.first, self.len) }
    }
}

// SAFETY: the slice owns its elements as a `Box<[T]>` would.
unsafe impl<T: Send> Send for Pages<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Pages<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_aligned_and_apart() {
        let arena = Arena::default();
        let mut slices: Vec<Pages<u32>> =
            (0..50).map(|i| arena.slice(1 + 37 * i, i as u32).expect("a little memory")).collect();
        for (i, slice) in slices.iter_mut().enumerate() {
            assert_eq!(slice.as_ptr().align_offset(CACHE_LINE), 0);
            assert!(slice.len() == 1 + 37 * i && slice.iter().all(|&x| x == i as u32));
            slice.fill(1000 + i as u32);
        }
        assert!(slices.iter().enumerate().all(|(i, slice)| slice.iter().all(|&x| x == 1000 + i as u32)));
    }

    #[test]
    fn more_than_a_segment_fits_and_more_than_the_machine_has_is_refused() {
        let arena = Arena::default();
        let first = arena.slice(10, 1_u8).expect("a little memory");
        let large = arena.slice(SEGMENT_BYTES + 1, 2_u8).expect("some memory");
        assert_eq!((first[9], large[SEGMENT_BYTES]), (1, 2));
        assert!(matches!(arena.slice(usize::MAX, 0_u64), Err(BackendError::Memory { .. })));
        assert!(matches!(arena.slice(1 << 59, 0_u8), Err(BackendError::Memory { .. })));
    }
}
