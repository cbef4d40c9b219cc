//! The guarantees that callers rely on: a row's result has the same bits whatever else is in the call, and the same on all
//! paths with fused multiply-add.

use emobox_kernels::{
    Activation, Attention, AttentionBias, Epilogue, MatRef, PackedLinear, Path, Precision, Rows,
    attention, available_paths, layer_norm, linear, matmul, softmax_rows, split_rows, with_path,
};
use proptest::prelude::*;

use crate::support::{numbers, on_each_path};

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn linear_rows_do_not_depend_on_each_other(
        rows in 1usize..230, inputs in 1usize..90, outputs in 1usize..150, parts in 1usize..7,
        bf16 in any::<bool>(), deep in prop::bool::weighted(0.1),
    ) {
        let inputs = if deep { inputs + 2100 } else { inputs };
        let x = numbers(1, rows * inputs);
        let weight = numbers(2, outputs * inputs);
        let bias = numbers(3, outputs);
        let residual = numbers(4, rows * outputs);
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        on_each_path(|path| {
            let packed = PackedLinear::new(&weight, outputs, inputs, precision);
            let run = |range: std::ops::Range<usize>| {
                let mut out = vec![f32::NAN; range.len() * outputs];
                let epilogue = Epilogue {
                    bias: Some(&bias),
                    activation: Activation::Gelu,
                    residual: Some(&residual[range.start * outputs..range.end * outputs]),
                };
                linear(Rows::new(&x, rows, inputs).slice(range), &packed, &epilogue, &mut out);
                out
            };
            let whole = run(0..rows);
            let in_parts: Vec<f32> = split_rows(rows, parts).into_iter().flat_map(run).collect();
            assert_eq!(bits(&whole), bits(&in_parts), "{path}");
        });
    }

    #[test]
    fn matmul_rows_do_not_depend_on_each_other(
        rows in 2usize..200, inner in 1usize..700, cols in 1usize..70, at in 1usize..200,
    ) {
        let at = at % rows;
        let (a, b) = (numbers(5, rows * inner), numbers(6, inner * cols));
        on_each_path(|path| {
            let run = |from: usize, to: usize| {
                let mut out = vec![f32::NAN; (to - from) * cols];
                let a = MatRef::new(&a[from * inner..to * inner], to - from, inner);
                matmul(a, MatRef::new(&b, inner, cols), false, &mut out);
                out
            };
            assert_eq!(bits(&run(0, rows)), bits(&[run(0, at), run(at, rows)].concat()), "{path}");
        });
    }

    #[test]
    fn queries_do_not_depend_on_each_other(
        queries in 2usize..120, keys in 1usize..1100, at in 1usize..120, bf16 in any::<bool>(),
    ) {
        let (heads, dim) = (2, 8);
        let at = at % queries;
        let precision = if bf16 { Precision::Bf16 } else { Precision::F32 };
        let cols = heads * dim;
        let q = numbers(7, queries * cols);
        let (k, v) = (numbers(8, keys * cols), numbers(9, keys * cols));
        on_each_path(|path| {
            let run = |from: usize, to: usize| {
                let args = Attention {
                    query: Rows::new(&q, queries, cols).slice(from..to),
                    key: Rows::new(&k, keys, cols),
                    value: Rows::new(&v, keys, cols),
                    heads,
                    scale: 2.0,
                    bias: AttentionBias::None,
                    key_count: keys,
                    precision,
                };
                let mut out = vec![f32::NAN; (to - from) * cols];
                attention(&args, &mut out);
                out
            };
            assert_eq!(bits(&run(0, queries)), bits(&[run(0, at), run(at, queries)].concat()), "{path}");
        });
    }
}

/// For the paths with fused multiply-add, the result of one chain of operations.
#[test]
fn paths_with_fused_multiply_add_agree_in_every_bit() {
    let (rows, inputs, outputs) = (61, 1100, 83);
    let x = numbers(10, rows * inputs);
    let weight = numbers(11, outputs * inputs);
    let bias = numbers(12, outputs);
    let mut results = vec![];
    for path in available_paths()
        .into_iter()
        .filter(|&path| path != Path::Portable)
    {
        let result = with_path(path, || {
            let packed = PackedLinear::new(&weight, outputs, inputs, Precision::F32);
            let epilogue = Epilogue {
                bias: Some(&bias),
                activation: Activation::Gelu,
                residual: None,
            };
            let mut out = vec![f32::NAN; rows * outputs];
            linear(Rows::new(&x, rows, inputs), &packed, &epilogue, &mut out);
            layer_norm(&mut out, outputs, None, 1e-5);
            let x = Rows::new(&out, rows, outputs - 1);
            let args = Attention {
                query: Rows {
                    stride: outputs,
                    ..x
                },
                key: Rows {
                    stride: outputs,
                    ..x
                },
                value: Rows {
                    stride: outputs,
                    ..x
                },
                heads: 2,
                scale: 0.3,
                bias: AttentionBias::Alibi {
                    scales: &[0.1, 0.2],
                },
                key_count: rows,
                precision: Precision::F32,
            };
            let mut attended = vec![f32::NAN; rows * (outputs - 1)];
            attention(&args, &mut attended);
            softmax_rows(&mut attended, outputs - 1);
            bits(&attended)
        });
        results.push((path, result.unwrap()));
    }
    for pair in results.windows(2) {
        assert!(
            pair[0].1 == pair[1].1,
            "{} and {} differ",
            pair[0].0,
            pair[1].0
        );
    }
}
