//! Attention on every path against double precision.

use crate::support::{max_difference, numbers, on_each_path};
use emobox_kernels::{Attention, AttentionBias, Precision, Rows, attention};

fn reference(args: &Attention<'_>) -> Vec<f64> {
    let dim = args.query.cols / args.heads;
    let mut out = vec![0.0; args.query.rows * args.query.cols];
    for h in 0..args.heads {
        for q in 0..args.query.rows {
            let scores: Vec<f64> = (0..args.key_count)
                .map(|k| {
                    let dot: f64 = (h * dim..(h + 1) * dim)
                        .map(|d| {
                            f64::from(args.query.data[q * args.query.stride + d])
                                * f64::from(args.key.data[k * args.key.stride + d])
                        })
                        .sum();
                    let bias = match args.bias {
                        AttentionBias::None => 0.0,
                        AttentionBias::Relative { gate, table, span } => {
                            gate[h * args.query.rows + q]
                                * table[h * (2 * span - 1) + k + span - 1 - q]
                        }
                        AttentionBias::AlibiAfter { tokens, .. } if q < tokens || k < tokens => 0.0,
                        AttentionBias::Alibi { scales }
                        | AttentionBias::AlibiAfter { scales, .. } => {
                            -scales[h] * (q as f32 - k as f32).abs()
                        }
                    };
                    dot * f64::from(args.scale) + f64::from(bias)
                })
                .collect();
            let max = scores.iter().copied().fold(f64::MIN, f64::max);
            let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
            for d in h * dim..(h + 1) * dim {
                out[q * args.query.cols + d] = (0..args.key_count)
                    .map(|k| {
                        (scores[k] - max).exp() / sum
                            * f64::from(args.value.data[k * args.value.stride + d])
                    })
                    .sum();
            }
        }
    }
    out
}

#[test]
fn attention_agrees_with_double_precision() {
    for (queries, keys, key_count, heads, dim) in [
        (1, 1, 1, 1, 4),
        (9, 9, 9, 2, 16),
        (70, 70, 70, 3, 64),
        (37, 50, 41, 2, 20),
        (300, 300, 290, 1, 64),
    ] {
        let cols = heads * dim;
        let fused = numbers(1, queries.max(keys) * cols * 3)
            .iter()
            .map(|v| half::bf16::from_f32(v * 3.0).to_f32())
            .collect::<Vec<_>>();
        let view = |part: usize, rows| Rows {
            data: &fused[part * cols..],
            rows,
            cols,
            stride: 3 * cols,
        };
        let span = queries.max(keys) + 3;
        let (gate, table) = (
            numbers(2, heads * queries),
            numbers(3, heads * (2 * span - 1)),
        );
        let scales: Vec<f32> = (0..heads).map(|h| 0.1 / (h + 1) as f32).collect();
        for bias in [
            AttentionBias::None,
            AttentionBias::Relative {
                gate: &gate,
                table: &table,
                span,
            },
            AttentionBias::Alibi { scales: &scales },
            AttentionBias::AlibiAfter {
                scales: &scales,
                tokens: 5,
            },
        ] {
            let args = Attention {
                query: view(0, queries),
                key: view(1, keys),
                value: view(2, keys),
                heads,
                scale: 1.0 / (dim as f32).sqrt(),
                bias,
                key_count,
                precision: Precision::F32,
            };
            let expected = reference(&args);
            on_each_path(|path| {
                let mut out = vec![f32::NAN; queries * cols];
                attention(&args, &mut out);
                let worst = max_difference(&out, &expected);
                let narrow = Attention {
                    precision: Precision::Bf16,
                    ..args
                };
                attention(&narrow, &mut out);
                let worst_narrow = max_difference(&out, &expected);
                // Query, key and value are bf16 already, so what is rounded are the weights, by at most 2^-9 of each.
                assert!(
                    worst_narrow < 3.0 / 512.0 + 2e-5,
                    "{path}: in bf16 {bias:?} differs by {worst_narrow:e}"
                );
                assert!(
                    worst < 2e-5,
                    "{path}: {queries} × {key_count}, {bias:?} differs by {worst:e}"
                );
            });
        }
    }
}

/// Three minutes of silence: every key and value is the same, so the result is that value.
#[test]
fn the_error_does_not_grow_with_the_length_of_silence() {
    let (queries, dim) = (3, 64);
    // With all their digits: bf16 numbers would be added without rounding.
    let frame = numbers(4, dim);
    for keys in [1_000, 9_000] {
        let silence = frame.repeat(keys);
        let view = |rows| Rows {
            data: &silence[..],
            rows,
            cols: dim,
            stride: dim,
        };
        let args = Attention {
            query: view(queries),
            key: view(keys),
            value: view(keys),
            heads: 1,
            scale: 0.125,
            bias: AttentionBias::None,
            key_count: keys,
            precision: Precision::F32,
        };
        on_each_path(|path| {
            let mut out = vec![f32::NAN; queries * dim];
            attention(&args, &mut out);
            let off = |(value, expected): (&f32, &f32)| ((value - expected) / expected).abs();
            let each = out.iter().zip(frame.iter().cycle());
            let worst = each.map(off).fold(0.0, f32::max);
            assert!(worst < 5e-6, "{path}, {keys} keys: {worst:e} of a value");
        });
    }
}
