//! Multi-head attention.

use crate::linear::Precision;
use crate::matrix::Rows;
use crate::softmax::softmax_rows;

/// The operands of [`attention`]. Head `h` is columns `h * cols / heads..` of query, key and value.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// `[query, head * head_dim]`; a row may be part of a wider one (`stride`), as in a fused projection.
    pub query: Rows<'a>,
    /// `[key, head * head_dim]`
    pub key: Rows<'a>,
    /// `[key, head * head_dim]`
    pub value: Rows<'a>,
    /// Number of heads.
    pub heads: usize,
    /// Factor of the scores, before the bias; `1 / sqrt(head_dim)` in most encoders.
    pub scale: f32,
    /// What is added to the scores.
    pub bias: AttentionBias<'a>,
    /// Only the first so many keys are attended to; the rest is padding.
    pub key_count: usize,
    /// In what numbers the two products are computed; scores and softmax are always `f32`.
    pub precision: Precision,
}

/// What is added to the scaled scores.
#[derive(Clone, Copy, Debug)]
pub enum AttentionBias<'a> {
    /// Nothing.
    None,
    /// WavLM's gated relative position bias: `gate[h, q] * table[h, k - q]`.
    Relative {
        /// `[head, query]`
        gate: &'a [f32],
        /// `[head, 2 * span - 1]`; the distance `k - q` is at index `k - q + span - 1`.
        table: &'a [f32],
        /// One more than the largest distance in the table; at least the number of queries and of keys.
        span: usize,
    },
    /// ALiBi: `-scale[h] * |q - k|` (data2vec 2.0, emotion2vec).
    Alibi {
        /// `[head]`
        scales: &'a [f32],
    },
}

/// `out[q, h * head_dim..] = softmax_k(scale * query_h[q] · key_h[k] + bias[h, q, k]) · value_h`, `out` dense
/// `[query, head * head_dim]`.
///
/// # Panics
/// If the shapes do not fit each other, or there is a query but no key.
pub fn attention(args: &Attention<'_>, out: &mut [f32]) {
    let &Attention {
        query,
        key,
        value,
        heads,
        scale,
        bias,
        key_count,
        ..
    } = args;
    check(args, out.len());
    let dim = query.cols / heads;
    let mut scores = vec![0.0; key_count];
    for h in 0..heads {
        for q in 0..query.rows {
            let row = &query.data[q * query.stride + h * dim..][..dim];
            for (k, score) in scores.iter_mut().enumerate() {
                let other = &key.data[k * key.stride + h * dim..][..dim];
                *score = scale * row.iter().zip(other).map(|(a, b)| a * b).sum::<f32>();
                *score += match bias {
                    AttentionBias::None => 0.0,
                    AttentionBias::Relative { gate, table, span } => {
                        gate[h * query.rows + q] * table[h * (2 * span - 1) + k + span - 1 - q]
                    }
                    AttentionBias::Alibi { scales } => -scales[h] * q.abs_diff(k) as f32,
                };
            }
            softmax_rows(&mut scores, key_count);
            let out = &mut out[q * query.cols + h * dim..][..dim];
            out.fill(0.0);
            for (k, &weight) in scores.iter().enumerate() {
                let row = &value.data[k * value.stride + h * dim..][..dim];
                for (o, &v) in out.iter_mut().zip(row) {
                    *o += weight * v;
                }
            }
        }
    }
}

fn check(args: &Attention<'_>, out: usize) {
    let &Attention {
        query,
        key,
        value,
        heads,
        bias,
        key_count,
        ..
    } = args;
    query.check("attention: query");
    key.check("attention: key");
    value.check("attention: value");
    assert!(
        heads > 0 && query.cols.is_multiple_of(heads),
        "attention: {} columns in {heads} heads",
        query.cols
    );
    assert_eq!(
        (key.cols, value.cols),
        (query.cols, query.cols),
        "attention: columns of key and value"
    );
    assert_eq!(key.rows, value.rows, "attention: keys and values");
    assert!(
        key_count <= key.rows,
        "attention: {key_count} of {} keys",
        key.rows
    );
    assert!(
        query.rows == 0 || key_count > 0,
        "attention: queries but no key"
    );
    assert_eq!(
        out,
        query.rows * query.cols,
        "attention: out of [{}, {}]",
        query.rows,
        query.cols
    );
    match bias {
        AttentionBias::None => {}
        AttentionBias::Relative { gate, table, span } => {
            assert!(
                span >= query.rows && span >= key_count && span > 0,
                "attention: span {span}"
            );
            assert_eq!(
                gate.len(),
                heads * query.rows,
                "attention: gate of [head, query]"
            );
            assert_eq!(
                table.len(),
                heads * (2 * span - 1),
                "attention: table of [head, 2 * span - 1]"
            );
        }
        AttentionBias::Alibi { scales } => {
            assert_eq!(scales.len(), heads, "attention: scales of [head]")
        }
    }
}
