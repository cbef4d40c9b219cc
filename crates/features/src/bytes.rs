use emobox_kernels::MappedFile;
use std::ops::Deref;

/// A shard file's bytes: mapped, or in words of eight bytes, so that every number type in them is aligned.
#[derive(Debug)]
pub(crate) enum Bytes {
    Mapped(MappedFile),
    Held { words: Vec<u64>, length: usize },
}

impl Bytes {
    pub(crate) fn held(bytes: &[u8]) -> Self {
        let mut words = vec![0; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self::Held {
            words,
            length: bytes.len(),
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Held { words, length } => &bytemuck::cast_slice(words)[..*length],
        }
    }
}
