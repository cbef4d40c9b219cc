//! Attention with embeddings of distances on the CPU: the fused kernel only has biases by distance and head, so the scores are
//! computed here in blocks of queries.

use emobox_kernels::{MatRef, matmul, softmax_rows};
use std::ops::Range;

/// Queries whose scores are in memory at once: 64 × 1500 scores stay in cache.
const QUERY_BLOCK: usize = 64;
/// Keys whose values are added in one chain: in silence all round the same way, so the error grows with its length.
const VALUE_BLOCK: usize = 128;

/// Attention of one utterance under [`Bias::Distances`](super::Bias::Distances).
pub(super) struct Distances<'a> {
    /// `[query, dim]`.
    pub(super) query: &'a [f32],
    /// `[key, 2 × dim]`: keys, then values.
    pub(super) key_value: &'a [f32],
    pub(super) heads: usize,
    pub(super) dim: usize,
    pub(super) scale: f32,
    /// `[distance, dim]`.
    pub(super) table: &'a [f32],
    /// The same for keys.
    pub(super) keys: Option<&'a [f32]>,
    /// `[distance, head]`.
    pub(super) offsets: Option<&'a [f32]>,
    pub(super) before: usize,
}

impl Distances<'_> {
    /// `[query, dim]`.
    pub(super) fn attention(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.query.len()];
        let keys = self.key_value.len() / (2 * self.dim);
        let queries = self.query.len() / self.dim;
        let mut scores = vec![0.0; QUERY_BLOCK * keys];
        let mut near = Vec::new();
        let mut mixed = vec![0.0; QUERY_BLOCK * self.dim / self.heads];
        for head in 0..self.heads {
            for start in (0..queries).step_by(QUERY_BLOCK) {
                let block = start..(start + QUERY_BLOCK).min(queries);
                let scores = &mut scores[..block.len() * keys];
                self.scores(head, block.clone(), keys, scores, &mut near);
                softmax_rows(scores, keys);
                let mixed = &mut mixed[..block.len() * self.dim / self.heads];
                self.mix(head, keys, scores, mixed);
                for (row, mixed) in mixed.chunks_exact(self.dim / self.heads).enumerate() {
                    let at = (start + row) * self.dim + head * mixed.len();
                    out[at..at + mixed.len()].copy_from_slice(mixed);
                }
            }
        }
        out
    }

    /// `rows` of a head's columns, which start at `from` in rows of `width`; transposed if `turned`.
    fn head<'d>(
        &self,
        data: &'d [f32],
        (from, width): (usize, usize),
        rows: Range<usize>,
        turned: bool,
    ) -> MatRef<'d, f32> {
        let head_dim = self.dim / self.heads;
        let data = &data[(rows.start * width + from).min(data.len())..];
        match turned {
            false => MatRef {
                data,
                rows: rows.len(),
                cols: head_dim,
                row_stride: width,
                col_stride: 1,
            },
            true => MatRef {
                data,
                rows: head_dim,
                cols: rows.len(),
                row_stride: 1,
                col_stride: width,
            },
        }
    }

    /// The scores of a block of queries with all keys, `[query, key]`.
    fn scores(
        &self,
        head: usize,
        block: Range<usize>,
        keys: usize,
        scores: &mut [f32],
        near: &mut Vec<f32>,
    ) {
        let from = head * self.dim / self.heads;
        let queries = self.head(self.query, (from, self.dim), block.clone(), false);
        let key = self.head(self.key_value, (from, 2 * self.dim), 0..keys, true);
        matmul(queries, key, false, scores);
        // The distances from these queries to any key, as rows of the table.
        let row = |query: usize, key: usize| self.row(query, key);
        let rows = row(block.end - 1, 0)..row(block.start, keys - 1) + 1;
        near.clear();
        near.resize(block.len() * rows.len(), 0.0);
        let table = self.head(self.table, (from, self.dim), rows.clone(), true);
        matmul(queries, table, false, near);
        for ((query, scores), near) in block
            .clone()
            .zip(scores.chunks_exact_mut(keys))
            .zip(near.chunks_exact(rows.len()))
        {
            for (key, score) in scores.iter_mut().enumerate() {
                let row = row(query, key);
                *score = (*score + near[row - rows.start]) * self.scale
                    + self.offsets.map_or(0.0, |all| all[row * self.heads + head]);
            }
        }
        if let Some(table) = self.keys {
            self.add_of_keys(table, head, block, scores, near);
        }
    }

    /// The row of the tables for a query and a key.
    fn row(&self, query: usize, key: usize) -> usize {
        let last = self.table.len() / self.dim - 1;
        (key + self.before).saturating_sub(query).min(last)
    }

    /// Adds the keys' products with embeddings of distances, a few keys at a time: a block of queries has few distances to
    /// them.
    fn add_of_keys(
        &self,
        table: &[f32],
        head: usize,
        block: Range<usize>,
        scores: &mut [f32],
        near: &mut Vec<f32>,
    ) {
        let from = head * self.dim / self.heads;
        let keys = scores.len() / block.len();
        for start in (0..keys).step_by(QUERY_BLOCK) {
            let tile = start..(start + QUERY_BLOCK).min(keys);
            let rows = self.row(block.end - 1, tile.start)..self.row(block.start, tile.end - 1) + 1;
            near.clear();
            near.resize(tile.len() * rows.len(), 0.0);
            let key = self.head(self.key_value, (from, 2 * self.dim), tile.clone(), false);
            let table = self.head(table, (from, self.dim), rows.clone(), true);
            matmul(key, table, false, near);
            for (query, scores) in block.clone().zip(scores.chunks_exact_mut(keys)) {
                for (key, near) in tile.clone().zip(near.chunks_exact(rows.len())) {
                    scores[key] += near[self.row(query, key) - rows.start] * self.scale;
                }
            }
        }
    }

    /// The weighted values of a head, `[query, head dim]`.
    fn mix(&self, head: usize, keys: usize, weights: &[f32], mixed: &mut [f32]) {
        let from = self.dim + head * self.dim / self.heads;
        let queries = weights.len() / keys;
        for start in (0..keys).step_by(VALUE_BLOCK) {
            let block = start..(start + VALUE_BLOCK).min(keys);
            let part = MatRef {
                data: &weights[start..],
                rows: queries,
                cols: block.len(),
                row_stride: keys,
                col_stride: 1,
            };
            let values = self.head(self.key_value, (from, 2 * self.dim), block, false);
            matmul(part, values, start > 0, mixed);
        }
    }
}
