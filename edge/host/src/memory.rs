//! Limits what one instance may hold: linear memory in all, and table elements.

use wasmtime::ResourceLimiter;

/// Table elements of one instance. A table holds a component's function pointers; 20,000 is a large program.
const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Counts an instance's memory and refuses growth beyond the limit; the guest sees a failed `memory.grow`.
pub(crate) struct MemoryLimiter {
    bytes: usize,
    bytes_max: usize,
}

impl MemoryLimiter {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_max }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max {
            tracing::warn!(
                bytes,
                bytes_max = self.bytes_max,
                "an instance asked for more memory than it may have"
            );
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together_up_to_the_limit_and_not_one_byte_past_it() {
        let mut limiter = MemoryLimiter::new(300);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(!limiter.memory_growing(100, 201, None).unwrap());
        assert!(limiter.memory_growing(100, 200, None).unwrap());
        assert!(!limiter.memory_growing(200, usize::MAX, None).unwrap());
    }

    #[test]
    fn a_table_has_its_own_limit() {
        let mut limiter = MemoryLimiter::new(0);
        assert!(limiter.table_growing(0, TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(!limiter.table_growing(0, TABLE_ELEMENTS_MAX + 1, None).unwrap());
    }
}
