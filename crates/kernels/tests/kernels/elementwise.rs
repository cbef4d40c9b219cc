//! Norms, softmax, activations, conversions and statistics on every path against double precision.

use crate::support::{max_difference, numbers, on_each_path};
use emobox_kernels::{
    Affine, MappedFile, gelu, group_norm, layer_norm, mean_and_deviation, narrow_bf16, narrow_f16,
    relu, softmax_rows, widen_bf16, widen_f16,
};
use half::{bf16, f16};

#[test]
fn gelu_agrees_with_double_precision() {
    let x: Vec<f32> = (-120_000..120_000).map(|i| i as f32 * 1e-4).collect();
    let expected: Vec<f64> = x
        .iter()
        .map(|&v| crate::support::gelu(f64::from(v)))
        .collect();
    on_each_path(|path| {
        let mut got = x.clone();
        gelu(&mut got);
        let worst = max_difference(&got, &expected);
        assert!(worst < 1e-6, "{path}: differs by {worst:e}");
    });
}

#[test]
fn relu_keeps_the_positive() {
    on_each_path(|_| {
        let mut x = [-1.0, 0.0, 2.0, f32::NEG_INFINITY, f32::INFINITY];
        relu(&mut x);
        assert_eq!(x, [0.0, 0.0, 2.0, 0.0, f32::INFINITY]);
    });
}

#[test]
fn layer_norm_agrees_with_double_precision() {
    for dim in [1, 7, 16, 100, 768] {
        let x: Vec<f32> = numbers(1, dim * 9).iter().map(|v| v * 3.0 + 5.0).collect();
        let (weight, bias) = (numbers(2, dim), numbers(3, dim));
        let mut expected = vec![];
        for row in x.chunks(dim) {
            let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / dim as f64;
            let variance = row
                .iter()
                .map(|&v| (f64::from(v) - mean).powi(2))
                .sum::<f64>()
                / dim as f64;
            expected.extend(
                row.iter()
                    .zip(weight.iter().zip(&bias))
                    .map(|(&v, (&w, &b))| {
                        (f64::from(v) - mean) / (variance + 1e-5).sqrt() * f64::from(w)
                            + f64::from(b)
                    }),
            );
        }
        on_each_path(|path| {
            let mut got = x.clone();
            layer_norm(
                &mut got,
                dim,
                Some(Affine {
                    weight: &weight,
                    bias: &bias,
                }),
                1e-5,
            );
            let worst = max_difference(&got, &expected);
            assert!(worst < 2e-6, "{path}: dim {dim} differs by {worst:e}");
        });
    }
}

#[test]
fn group_norm_agrees_with_double_precision() {
    for (channels, groups) in [(1, 1), (20, 20), (24, 4), (512, 512), (6, 1)] {
        let frames = 37;
        let x: Vec<f32> = numbers(4, channels * frames)
            .iter()
            .map(|v| v * 2.0 - 1.0)
            .collect();
        let (weight, bias) = (numbers(5, channels), numbers(6, channels));
        let width = channels / groups;
        let mut expected = vec![0.0; x.len()];
        for g in 0..groups {
            let index = |i: usize| i / width * channels + g * width + i % width;
            let n = frames * width;
            let mean = (0..n).map(|i| f64::from(x[index(i)])).sum::<f64>() / n as f64;
            let variance = (0..n)
                .map(|i| (f64::from(x[index(i)]) - mean).powi(2))
                .sum::<f64>()
                / n as f64;
            for i in 0..n {
                let c = g * width + i % width;
                let y = (f64::from(x[index(i)]) - mean) / (variance + 1e-5).sqrt();
                expected[index(i)] = y * f64::from(weight[c]) + f64::from(bias[c]);
            }
        }
        on_each_path(|path| {
            let mut got = x.clone();
            group_norm(
                &mut got,
                channels,
                groups,
                Some(Affine {
                    weight: &weight,
                    bias: &bias,
                }),
                1e-5,
            );
            let worst = max_difference(&got, &expected);
            assert!(
                worst < 3e-6,
                "{path}: {channels} in {groups} differs by {worst:e}"
            );
        });
    }
}

#[test]
fn softmax_agrees_with_double_precision_and_survives_extremes() {
    for cols in [1, 5, 16, 33, 500] {
        let x: Vec<f32> = numbers(7, cols * 5).iter().map(|v| v * 30.0).collect();
        let mut expected = vec![];
        for row in x.chunks(cols) {
            let max = row.iter().copied().fold(f32::MIN, f32::max);
            let exps: Vec<f64> = row
                .iter()
                .map(|&v| (f64::from(v) - f64::from(max)).exp())
                .collect();
            let sum: f64 = exps.iter().sum();
            expected.extend(exps.iter().map(|e| e / sum));
        }
        on_each_path(|path| {
            let mut got = x.clone();
            softmax_rows(&mut got, cols);
            let worst = max_difference(&got, &expected);
            assert!(worst < 5e-7, "{path}: {cols} columns differ by {worst:e}");
        });
    }
    on_each_path(|_| {
        let mut x = [
            f32::NEG_INFINITY,
            3.0e38,
            -3.0e38,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY,
        ];
        softmax_rows(&mut x, 3);
        assert_eq!(x, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    });
}

#[test]
fn conversions_are_those_of_half() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let brains: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let mut floats: Vec<f32> = numbers(8, 4097).iter().map(|v| v * 70_000.0).collect();
    floats.extend(numbers(9, 1000).iter().map(|v| v * 1e-5));
    on_each_path(|path| {
        let mut wide = vec![0.0; halves.len()];
        widen_f16(&halves, &mut wide);
        for (h, w) in halves.iter().zip(&wide) {
            assert!(
                h.to_f32() == *w || (h.is_nan() && w.is_nan()),
                "{path}: {h:?} became {w}"
            );
        }
        widen_bf16(&brains, &mut wide);
        for (h, w) in brains.iter().zip(&wide) {
            assert!(
                h.to_f32() == *w || (h.is_nan() && w.is_nan()),
                "{path}: {h:?} became {w}"
            );
        }
        let mut narrow = vec![f16::ZERO; floats.len()];
        narrow_f16(&floats, &mut narrow);
        for (f, n) in floats.iter().zip(&narrow) {
            assert_eq!(f16::from_f32(*f).to_bits(), n.to_bits(), "{path}: {f}");
        }
        let mut narrow = vec![bf16::ZERO; floats.len()];
        narrow_bf16(&floats, &mut narrow);
        for (f, n) in floats.iter().zip(&narrow) {
            assert_eq!(bf16::from_f32(*f).to_bits(), n.to_bits(), "{path}: {f}");
        }
    });
}

#[test]
fn statistics_agree_with_double_precision() {
    let (frames, dim) = (301, 77);
    let x: Vec<f32> = numbers(10, frames * dim)
        .iter()
        .map(|v| v + 100.0)
        .collect();
    let column = |d: usize| (0..frames).map(move |f| f * dim + d);
    let means: Vec<f64> = (0..dim)
        .map(|d| column(d).map(|i| f64::from(x[i])).sum::<f64>() / frames as f64)
        .collect();
    let deviations: Vec<f64> = (0..dim)
        .map(|d| {
            (column(d)
                .map(|i| (f64::from(x[i]) - means[d]).powi(2))
                .sum::<f64>()
                / frames as f64)
                .sqrt()
        })
        .collect();
    on_each_path(|path| {
        let (mut mean, mut deviation) = (vec![0.0; dim], vec![0.0; dim]);
        mean_and_deviation(&x, &mut mean, &mut deviation);
        assert!(max_difference(&mean, &means) < 1e-5, "{path}");
        assert!(max_difference(&deviation, &deviations) < 1e-6, "{path}");
    });
}

#[test]
fn a_mapped_file_reads_as_its_bytes() {
    let folder = std::env::temp_dir().join(format!("emobox-kernels-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("bytes");
    std::fs::write(&file, b"abc").unwrap();
    assert_eq!(&*MappedFile::open(&file).unwrap(), b"abc");
    std::fs::write(&file, b"").unwrap();
    assert!(MappedFile::open(&file).unwrap().is_empty());
    assert!(MappedFile::open(&folder).is_err());
    assert!(MappedFile::open(&folder.join("absent")).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
