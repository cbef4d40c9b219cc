//! Multi-head attention.

use std::cell::RefCell;

use half::bf16;

use crate::arch::{Kernel, LANES, Simd, dispatch, load_upto, store_upto};
use crate::exp::exp;
use crate::gemm::{self, Block, Left, Line};
use crate::left;
use crate::linear::Precision;
use crate::matrix::Rows;
use crate::pack;
use crate::softmax;

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
    /// Factor of the scores, before the bias, positive; `1 / sqrt(head_dim)` in most encoders.
    pub scale: f32,
    /// What is added to the scores.
    pub bias: AttentionBias<'a>,
    /// Only this many keys, from the first on, are attended to; the rest is padding.
    pub key_count: usize,
    /// The precision of the two products; scores and softmax are always `f32`.
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
    /// ALiBi among the positions after the first `tokens`; those neither receive nor cause a bias (data2vec 2.0's extra tokens).
    AlibiAfter {
        /// `[head]`
        scales: &'a [f32],
        /// Number of positions before the first frame, for queries and keys alike.
        tokens: usize,
    },
}

/// Queries whose scores are in the cache together.
const QUERY_BLOCK: usize = 24;
/// Keys between two corrections of the running softmax. With up to this many keys there are none.
const KEY_BLOCK: usize = 512;
/// Keys whose weighted values are added in one chain. In silence all values are alike and every addition of a chain rounds
/// the same way, so the error grows with its length: sums of short chains are added instead.
const VALUE_BLOCK: usize = 128;
/// Stride between rows of scores: not a power of two, which would put all rows of a tile into one set of the cache.
const SCORE_STRIDE: usize = KEY_BLOCK + LANES;

/// The same for weights in bf16, counted in those.
const NARROW_STRIDE: usize = KEY_BLOCK + 2 * LANES;

/// `out[q, h * head_dim..] = softmax_k(scale * query_h[q] · key_h[k] + bias[h, q, k]) · value_h`, `out` dense
/// `[query, head * head_dim]`.
///
/// Blocks of queries pass over blocks of keys with a running softmax (Milakov and Gimelshein 2018, algorithm 3), so the
/// scores stay in the cache and memory grows with the number of keys, not with its square.
///
/// # Panics
/// If the shapes do not match, there is a query but no key, or `scale` is not positive.
pub fn attention(args: &Attention<'_>, out: &mut [f32]) {
    check(args, out.len());
    if out.is_empty() {
        return;
    }
    SCRATCH.with_borrow_mut(|scratch| {
        for head in 0..args.heads {
            attend(args, head, scratch, out);
        }
    });
}

/// Buffers for one head, kept by each thread.
#[derive(Default)]
struct Scratch {
    keys: Vec<Line>,
    values: Vec<Line>,
    queries: Vec<f32>,
    scores: Vec<f32>,
    narrow: Vec<f32>,
    /// Weighted values of some of the keys, `[query, head_dim]`.
    part: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

fn attend(args: &Attention<'_>, head: usize, scratch: &mut Scratch, out: &mut [f32]) {
    let &Attention {
        query,
        heads,
        key_count,
        precision,
        ..
    } = args;
    let Scratch {
        keys,
        values,
        queries,
        scores,
        narrow,
        part,
    } = scratch;
    let dim = query.cols / heads;
    let pairs = precision == Precision::Bf16;
    let key = columns(args.key, head * dim, dim).slice(0..key_count);
    let value = columns(args.value, head * dim, dim).slice(0..key_count);
    // Scores multiply along the head's dimension, sums of values along the keys.
    let words = |numbers: usize| if pairs { numbers.div_ceil(2) } else { numbers };
    let (key_depth, value_depth) = (words(dim), words(key_count));
    keys.clear();
    keys.resize(key_count.div_ceil(LANES) * key_depth, Line::ZERO);
    values.clear();
    values.resize(dim.div_ceil(LANES) * value_depth, Line::ZERO);
    if pairs {
        pack::transposed_pairs(key, keys);
        pack::plain_pairs(value, values);
    } else {
        pack::transposed(key, keys);
        pack::plain(value, values);
    }
    scores.resize(QUERY_BLOCK * SCORE_STRIDE, 0.0);
    narrow.resize(QUERY_BLOCK * NARROW_STRIDE / 2, 0.0);
    part.resize(QUERY_BLOCK * dim, 0.0);
    for first_query in (0..query.rows).step_by(QUERY_BLOCK) {
        let rows = QUERY_BLOCK.min(query.rows - first_query);
        let block = columns(query, head * dim, dim).slice(first_query..first_query + rows);
        let left = if pairs {
            left::pairs(block, queries)
        } else {
            left::numbers(block, queries)
        };
        let out = &mut out[first_query * query.cols + head * dim..];
        let mut running = [Running {
            max: f32::NEG_INFINITY,
            sum: 0.0,
        }; QUERY_BLOCK];
        for first_key in (0..key_count).step_by(KEY_BLOCK) {
            let count = KEY_BLOCK.min(key_count - first_key);
            gemm::run(
                pairs,
                Block {
                    left,
                    rows,
                    depth: key_depth,
                    panels: &keys[first_key / LANES * key_depth..],
                    panel_stride: key_depth,
                    cols: count,
                    out: scores,
                    out_stride: SCORE_STRIDE,
                    accumulate: false,
                    finish: None,
                },
            );
            let update = Update {
                scores,
                count,
                scale: args.scale,
                bias: HeadBias::new(args, head),
                first_query,
                first_key,
                running: &mut running[..rows],
                out,
                out_stride: query.cols,
                dim,
                halves: bytemuck::cast_slice_mut(narrow),
            };
            if pairs {
                dispatch::<true, _>(Updated::<true>(update));
            } else {
                dispatch::<false, _>(Updated::<false>(update));
            }
            let left = if pairs {
                Left {
                    data: narrow,
                    row: NARROW_STRIDE / 2,
                    col: 1,
                }
            } else {
                Left {
                    data: scores,
                    row: SCORE_STRIDE,
                    col: 1,
                }
            };
            for first in (0..count).step_by(VALUE_BLOCK) {
                let is_first = first_key + first == 0;
                let (sums, stride) = match is_first {
                    true => (&mut *out, query.cols),
                    false => (part.as_mut_slice(), dim),
                };
                gemm::run(
                    pairs,
                    Block {
                        left: left.from(words(first)),
                        rows,
                        depth: words(VALUE_BLOCK.min(count - first)),
                        panels: &values[words(first_key + first)..],
                        panel_stride: value_depth,
                        cols: dim,
                        out: sums,
                        out_stride: stride,
                        accumulate: false,
                        finish: None,
                    },
                );
                if !is_first {
                    dispatch::<false, _>(Add {
                        part: &part[..rows * dim],
                        out,
                        out_stride: query.cols,
                        dim,
                    });
                }
            }
        }
        dispatch::<false, _>(Divide {
            running: &running[..rows],
            out,
            out_stride: query.cols,
            dim,
        });
    }
}

/// `count` columns of `x` from `first` on.
fn columns(x: Rows<'_>, first: usize, count: usize) -> Rows<'_> {
    Rows {
        data: &x.data[first..],
        cols: count,
        ..x
    }
}

/// The state of one query's softmax.
#[derive(Clone, Copy)]
struct Running {
    max: f32,
    /// Sum of the exponentials of the scores minus `max`.
    sum: f32,
}

/// The bias of one head.
#[derive(Clone, Copy)]
enum HeadBias<'a> {
    None,
    /// `gate` `[query]`, `table` `[2 * span - 1]`.
    Relative {
        gate: &'a [f32],
        table: &'a [f32],
        span: usize,
    },
    Alibi {
        slope: f32,
        tokens: usize,
    },
}

impl<'a> HeadBias<'a> {
    fn new(args: &Attention<'a>, head: usize) -> Self {
        match args.bias {
            AttentionBias::None => Self::None,
            AttentionBias::Relative { gate, table, span } => Self::Relative {
                gate: &gate[head * args.query.rows..][..args.query.rows],
                table: &table[head * (2 * span - 1)..][..2 * span - 1],
                span,
            },
            AttentionBias::Alibi { scales } => Self::Alibi {
                slope: scales[head],
                tokens: 0,
            },
            AttentionBias::AlibiAfter { scales, tokens } => Self::Alibi {
                slope: scales[head],
                tokens,
            },
        }
    }
}

/// Turns a block of products into weights of the running softmax, and rescales `out` to the new maximum.
struct Update<'a> {
    /// `[query, key]` at `SCORE_STRIDE`.
    scores: &'a mut [f32],
    count: usize,
    scale: f32,
    bias: HeadBias<'a>,
    first_query: usize,
    first_key: usize,
    running: &'a mut [Running],
    out: &'a mut [f32],
    out_stride: usize,
    dim: usize,
    /// In bf16 the weights go here, `[query, key]` at `NARROW_STRIDE`.
    halves: &'a mut [bf16],
}

struct Updated<'a, const PAIRS: bool>(Update<'a>);

impl<const PAIRS: bool> Kernel for Updated<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self(this) = self;
        for (r, running) in this.running.iter_mut().enumerate() {
            let row = &mut this.scores[r * SCORE_STRIDE..][..this.count.next_multiple_of(LANES)];
            // The lanes after the last key become weights of zero.
            row[this.count..].fill(f32::NEG_INFINITY);
            let query = this.first_query + r;
            // Without a bias the scale is applied in the exponential: it is positive, so the largest score stays the largest.
            let (largest, scale) = match this.bias {
                HeadBias::None => (this.scale * softmax::largest(simd, row), this.scale),
                HeadBias::Relative { gate, table, span } => {
                    let table = &table[this.first_key + span - 1 - query..][..this.count];
                    (with_table(simd, row, this.scale, gate[query], table), 1.0)
                }
                HeadBias::Alibi { slope, tokens } => {
                    let distances = Distances {
                        slope,
                        query,
                        tokens,
                        first_key: this.first_key,
                    };
                    (with_distances(simd, row, this.scale, &distances), 1.0)
                }
            };
            let max = if largest > running.max {
                largest
            } else {
                running.max
            };
            // Without a finite score there is no shift; all weights are then zero.
            let shift = simd.splat(if max == f32::NEG_INFINITY { 0.0 } else { -max });
            let scale = simd.splat(scale);
            let mut sum = simd.splat(0.0);
            let halves = if PAIRS {
                &mut this.halves[r * NARROW_STRIDE..]
            } else {
                &mut []
            };
            let mut halves = halves.as_chunks_mut::<LANES>().0.iter_mut();
            for x in row.as_chunks_mut::<LANES>().0 {
                let e = exp(simd, simd.fma(simd.load(x), scale, shift));
                sum = simd.add(sum, e);
                if !PAIRS {
                    simd.store(e, x);
                } else if let Some(halves) = halves.next() {
                    simd.store_bf16_normal(e, halves);
                }
            }
            let sum = simd.sum(sum);
            if this.first_key > 0 && max > running.max {
                let shrink = if running.max == f32::NEG_INFINITY {
                    0.0
                } else {
                    (running.max - max).exp()
                };
                running.sum *= shrink;
                softmax::multiply(
                    simd,
                    &mut this.out[r * this.out_stride..][..this.dim],
                    shrink,
                );
            }
            running.sum += sum;
            running.max = max;
        }
    }
}

/// `x = x * scale + gate * table`; returns the maximum.
#[inline(always)]
fn with_table<S: Simd>(simd: S, row: &mut [f32], scale: f32, gate: f32, table: &[f32]) -> f32 {
    let (scale, gate) = (simd.splat(scale), simd.splat(gate));
    let mut max = simd.splat(f32::NEG_INFINITY);
    for (x, table) in row
        .as_chunks_mut::<LANES>()
        .0
        .iter_mut()
        .zip(table.chunks(LANES))
    {
        let bias = simd.mul(gate, load_upto(simd, table));
        let v = simd.fma(simd.load(x), scale, bias);
        max = simd.max(v, max);
        simd.store(v, x);
    }
    simd.largest(max)
}

/// A row of scores in ALiBi: the positions of its query and keys.
struct Distances {
    slope: f32,
    query: usize,
    tokens: usize,
    first_key: usize,
}

/// `x = x * scale + bias`; returns the maximum.
#[inline(always)]
fn with_distances<S: Simd>(simd: S, row: &mut [f32], scale: f32, distances: &Distances) -> f32 {
    const STEPS: [f32; LANES] = [
        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0,
    ];
    let &Distances {
        slope,
        query,
        tokens,
        first_key,
    } = distances;
    let slope = simd.splat(if query < tokens { 0.0 } else { -slope });
    let (scale, query, tokens) = (
        simd.splat(scale),
        simd.splat(query as f32),
        simd.splat(tokens as f32),
    );
    let mut key = simd.add(simd.splat(first_key as f32), simd.load(&STEPS));
    let mut max = simd.splat(f32::NEG_INFINITY);
    for x in row.as_chunks_mut::<LANES>().0 {
        let bias = simd.mul(slope, simd.abs(simd.sub(key, query)));
        let v = simd.fma(simd.load(x), scale, simd.zero_below(bias, key, tokens));
        max = simd.max(v, max);
        simd.store(v, x);
        key = simd.add(key, simd.splat(LANES as f32));
    }
    simd.largest(max)
}

/// Adds the dense rows of `part` to those of `out`.
struct Add<'a> {
    part: &'a [f32],
    out: &'a mut [f32],
    out_stride: usize,
    dim: usize,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (r, row) in self.part.chunks_exact(self.dim.max(1)).enumerate() {
            let out = &mut self.out[r * self.out_stride..][..self.dim];
            for (x, sum) in row.chunks(LANES).zip(out.chunks_mut(LANES)) {
                let added = simd.add(load_upto(simd, x), load_upto(simd, sum));
                store_upto(simd, added, sum);
            }
        }
    }
}

/// Divides each query's sum of values by its sum of weights.
struct Divide<'a> {
    running: &'a [Running],
    out: &'a mut [f32],
    out_stride: usize,
    dim: usize,
}

impl Kernel for Divide<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (r, running) in self.running.iter().enumerate() {
            let factor = if running.sum == 0.0 {
                0.0
            } else {
                1.0 / running.sum
            };
            softmax::multiply(
                simd,
                &mut self.out[r * self.out_stride..][..self.dim],
                factor,
            );
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
        AttentionBias::Alibi { scales } | AttentionBias::AlibiAfter { scales, .. } => {
            assert_eq!(scales.len(), heads, "attention: scales of [head]");
        }
    }
}
