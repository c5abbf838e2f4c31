//! A kernel's arguments, as they lie in memory.

/// Arguments in the order of the kernel's parameters, each at a multiple of its size.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arguments {
    bytes: Vec<u8>,
    /// A letter for each: `p`, `i` or `f`.
    layout: String,
}

impl Arguments {
    /// No arguments.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An address on the device; 0 is the null pointer.
    pub(crate) fn pointer(self, address: u64) -> Self {
        self.with('p', &address.to_le_bytes())
    }

    /// A count or an index; a kernel's `int` or `uint32_t`.
    pub(crate) fn int(self, value: usize) -> Self {
        let value = u32::try_from(value).expect("counts and indices of a kernel fit 32 bits");
        self.with('i', &value.to_le_bytes())
    }

    /// A number.
    pub(crate) fn float(self, value: f32) -> Self {
        self.with('f', &value.to_le_bytes())
    }

    /// All of them.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A letter for each: `p` a pointer, `i` 32 bits of an integer, `f` a float.
    #[cfg(test)]
    pub(crate) fn layout(&self) -> &str {
        &self.layout
    }

    /// The addresses among them.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = u64> {
        let pointers = self.layout.chars().zip(self.each()).filter(|(letter, _)| *letter == 'p');
        pointers.map(|(_, bytes)| u64::from_le_bytes(bytes.try_into().expect("an address of 8 bytes")))
    }

    /// Each argument's bytes.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let mut end = 0_usize;
        self.layout.chars().map(move |letter| {
            let size = if letter == 'p' { 8 } else { 4 };
            let start = end.next_multiple_of(size);
            end = start + size;
            &self.bytes[start..end]
        })
    }

    fn with(mut self, letter: char, value: &[u8]) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(value.len()), 0);
        self.layout.push(letter);
        self.bytes.extend_from_slice(value);
        self
    }
}

#[test]
fn arguments_lie_at_multiples_of_their_size() {
    let arguments = Arguments::new().int(1).pointer(2).float(1.0).int(3);
    assert_eq!(arguments.layout(), "ipfi");
    let each: Vec<_> = arguments.each().collect();
    assert_eq!(each, [&[1, 0, 0, 0][..], &[2, 0, 0, 0, 0, 0, 0, 0], &[0, 0, 128, 63], &[3, 0, 0, 0]]);
    assert_eq!(arguments.pointers().collect::<Vec<_>>(), [2]);
    assert_eq!(
        arguments.bytes(),
        [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 63, 3, 0, 0, 0]
    );
}
