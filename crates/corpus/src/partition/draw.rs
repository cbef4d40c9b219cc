use sha2::{Digest, Sha256};

/// A pseudo-random sort key for an item: sorting by it shuffles, whatever the original order.
///
/// SHA-256 of a version tag, the seed, the purpose and the item, so that a draw depends on content alone and adding or removing
/// items does not change the order of the others.
pub(crate) fn place(seed: u64, purpose: &str, item: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"emobox partition 1\0");
    hasher.update(seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    hasher.update([0]);
    hasher.update(item.as_bytes());
    hasher.finalize().into()
}

/// Items in their drawn order.
pub(crate) fn shuffled<'a>(
    seed: u64,
    purpose: &str,
    items: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let mut placed: Vec<_> = items
        .into_iter()
        .map(|item| (place(seed, purpose, item), item))
        .collect();
    placed.sort_unstable();
    placed.into_iter().map(|(_, item)| item).collect()
}
