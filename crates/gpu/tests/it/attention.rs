use crate::made::{ALL, gpu, normal, operand, read, scaled, tolerance, worst};
use emobox_gpu::{Attention, AttentionBias, Gpu, Numbers, Spans};

/// The bias under test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    None,
    Relative,
    Alibi,
    /// Embeddings of few distances, more of them to the left.
    Near,
    /// Embeddings of all distances, with offsets.
    All,
    /// Embeddings for keys as well, of half the distances.
    Keys,
}

impl Kind {
    /// The rows of a table of embeddings, and the row of the distance 0.
    fn distances(self, longest: usize) -> (usize, usize) {
        match self {
            Self::Near => (9, 5),
            Self::Keys => (longest, longest / 2),
            _ => (2 * longest - 1, longest - 1),
        }
    }
}

pub(crate) const KINDS: [Kind; 6] = [
    Kind::None,
    Kind::Relative,
    Kind::Alibi,
    Kind::Near,
    Kind::All,
    Kind::Keys,
];

/// The largest error over utterances of `lengths` frames, of which the first `asked` are queries.
pub(crate) fn error(
    gpu: &Gpu,
    kind: Kind,
    heads: usize,
    head_dim: usize,
    lengths: &[usize],
    asked: usize,
) -> f64 {
    let dim = heads * head_dim;
    // Gaps between utterances, so that reading a row too many is detected.
    let mut first = 1;
    let spans: Vec<(usize, usize)> = lengths
        .iter()
        .map(|&frames| {
            first += frames + 3;
            (first - frames - 3, frames)
        })
        .collect();
    let frames = Spans::new(spans.clone());
    let queries = Spans::packed(lengths.iter().map(|&frames| frames.min(asked)));
    let (q, q64) = operand(
        gpu,
        &scaled(normal(1, queries.end().next_multiple_of(8) * dim), 1.5),
    );
    let mut kv = normal(2, first * 2 * dim);
    // Values between utterances would change every result if they were read.
    for row in 0..first {
        if !spans
            .iter()
            .any(|&(start, frames)| (start..start + frames).contains(&row))
        {
            kv[row * 2 * dim..(row + 1) * 2 * dim].fill(100.0);
        }
    }
    let (kv, kv64) = operand(gpu, &kv);
    let longest = frames.longest();
    let span = 2 * longest - 1;
    let rows = q.len() / dim;
    let table = normal(3, heads * span);
    let gate: Vec<f32> = normal(4, heads * rows)
        .into_iter()
        .map(|x| 1.0 + 0.3 * x)
        .collect();
    let slopes: Vec<f32> = (0..heads).map(|head| 0.5 / (head + 1) as f32).collect();
    let tokens = 2;
    let [table_there, gate_there, slopes_there] =
        [&table, &gate, &slopes].map(|values| gpu.upload(values).unwrap());
    let (distances, before) = kind.distances(longest);
    let offsets = normal(7, distances * heads);
    let (embeddings, embeddings64) = operand(gpu, &scaled(normal(5, distances * dim), 0.7));
    let (of_keys, of_keys64) = operand(gpu, &scaled(normal(6, distances * dim), 0.7));
    let offsets_there = gpu.upload(&offsets).unwrap();
    let bias = match kind {
        Kind::Near | Kind::All | Kind::Keys => AttentionBias::Distances {
            table: &embeddings,
            keys: (kind == Kind::Keys).then_some(&of_keys),
            offsets: (kind == Kind::All).then_some(&offsets_there),
            before,
        },
        Kind::None => AttentionBias::None,
        Kind::Relative => AttentionBias::Relative {
            table: &table_there,
            span,
            gate: &gate_there,
        },
        Kind::Alibi => AttentionBias::Alibi {
            slopes: &slopes_there,
            tokens,
        },
    };
    let attention = Attention {
        query: &q,
        queries: &queries,
        key_value: &kv,
        frames: &frames,
        heads,
        dim,
        bias,
    };
    let out = read(gpu, &gpu.attention(&attention).unwrap());
    let mut largest = 0.0f64;
    for (&(start, frames), &(asking, count)) in spans.iter().zip(queries.all()) {
        for head in 0..heads {
            let value =
                |j: usize, c: usize| kv64[(start + j) * 2 * dim + dim + head * head_dim + c];
            let scale = (0..frames)
                .flat_map(|j| (0..head_dim).map(move |c| (j, c)))
                .map(|(j, c)| value(j, c).abs())
                .fold(1.0, f64::max);
            for i in 0..count {
                let mut scores: Vec<f64> = (0..frames)
                    .map(|j| {
                        let query = |c: usize| q64[(asking + i) * dim + head * head_dim + c];
                        let key = |c: usize| kv64[(start + j) * 2 * dim + head * head_dim + c];
                        let row = (j + before).saturating_sub(i).min(distances - 1);
                        let near = |table: &[f64], c: usize| table[row * dim + head * head_dim + c];
                        let dot: f64 = (0..head_dim)
                            .map(|c| {
                                query(c) * key(c)
                                    + match kind {
                                        Kind::Near | Kind::All => query(c) * near(&embeddings64, c),
                                        Kind::Keys => {
                                            query(c) * near(&embeddings64, c)
                                                + key(c) * near(&of_keys64, c)
                                        }
                                        _ => 0.0,
                                    }
                            })
                            .sum();
                        let plain = dot / (head_dim as f64).sqrt();
                        plain
                            + match kind {
                                Kind::Relative => {
                                    f64::from(gate[head * rows + asking + i])
                                        * f64::from(table[head * span + j + longest - 1 - i])
                                }
                                Kind::Alibi if i >= tokens && j >= tokens => {
                                    -f64::from(slopes[head]) * i.abs_diff(j) as f64
                                }
                                Kind::All => f64::from(offsets[row * heads + head]),
                                _ => 0.0,
                            }
                    })
                    .collect();
                let peak = scores.iter().copied().fold(f64::MIN, f64::max);
                scores.iter_mut().for_each(|s| *s = (*s - peak).exp());
                let sum: f64 = scores.iter().sum();
                for c in 0..head_dim {
                    let expected: f64 = (0..frames).map(|j| scores[j] / sum * value(j, c)).sum();
                    let found = out[(asking + i) * dim + head * head_dim + c];
                    if !found.is_finite() {
                        return f64::INFINITY;
                    }
                    largest = largest.max((found - expected).abs() / scale);
                }
            }
        }
    }
    largest
}

/// 1e-2 of the largest value in bf16; utterances from one row to several blocks, and lengths near the end of a block.
#[test]
fn attention_of_every_bias_and_width_is_within_its_tolerance() {
    for numbers in ALL {
        let gpu = gpu(numbers);
        for kind in KINDS {
            for (heads, head_dim, lengths) in [
                (3, 64, &[1, 63, 64, 65, 130, 17][..]),
                (2, 80, &[33, 1, 70]),
                (1, 128, &[65, 32]),
                (4, 8, &[20, 70]),
                (4, 4, &[20, 3]),
                (2, 6, &[5]),
                (2, 20, &[37, 1]),
            ] {
                let error = error(&gpu, kind, heads, head_dim, lengths, usize::MAX);
                let most = if numbers == Numbers::F32 {
                    1e-5
                } else {
                    tolerance(numbers, 1e-2).max(1.5e-3)
                };
                assert!(
                    error < most,
                    "{numbers:?} {kind:?} {heads} × {head_dim}: {error:e}"
                );
            }
        }
    }
}

/// The last block of a model computes only the rows that are kept.
#[test]
fn fewer_queries_than_frames_are_the_first() {
    for numbers in ALL {
        for kind in KINDS {
            let error = error(&gpu(numbers), kind, 2, 64, &[70, 9, 130], 40);
            assert!(error < 1e-2, "{numbers:?} {kind:?}: {error:e}");
        }
    }
}

#[test]
fn the_gate_is_within_its_tolerance() {
    for numbers in ALL {
        let gpu = gpu(numbers);
        let (heads, head_dim, rows) = (3, 16, 7);
        let (x, x64) = operand(&gpu, &normal(1, rows * heads * head_dim));
        let weight = normal(2, 2 * head_dim);
        let (bias, constant) = (vec![0.3, -0.2], normal(3, heads));
        let [w, b, c] = [&weight, &bias, &constant].map(|values| gpu.upload(values).unwrap());
        let found = read(&gpu, &gpu.gate(&x, &w, &b, &c).unwrap());
        let mut expected = Vec::new();
        for head in 0..heads {
            for row in 0..rows {
                let part = |which: usize| -> f64 {
                    let dot: f64 = (0..head_dim)
                        .map(|c| {
                            x64[(row * heads + head) * head_dim + c]
                                * f64::from(weight[which * head_dim + c])
                        })
                        .sum();
                    1.0 / (1.0 + (-(dot + f64::from(bias[which]))).exp())
                };
                expected.push(part(0) * (part(1) * f64::from(constant[head]) - 1.0) + 2.0);
            }
        }
        let error = worst(&found, &expected);
        assert!(error < 1e-5, "{numbers:?}: {error:e}");
    }
}
