use sha2::{Digest, Sha256};

/// A pseudo-random place for an item: sorting by it shuffles, whatever the order the items came in.
///
/// SHA-256 of a version tag, the seed, the purpose and the item, so that a draw depends on content alone and an item's place
/// does not change when other items come or go.
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
