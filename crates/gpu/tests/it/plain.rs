use crate::conformers::logistic;
use crate::made::{ALL, gelu, gpu, normal, operand, read, scaled, tolerance, worst};
use emobox_gpu::{Activation, Numbers, Outputs, RowCopy};

const TWO_TO_MINUS_8: f64 = 1.0 / 256.0;

#[test]
fn linear_maps_with_bias_activation_or_residual_are_within_their_tolerance() {
    for numbers in ALL {
        let gpu = gpu(numbers);
        for (rows, inputs, outputs) in [(1, 8, 8), (7, 512, 768), (33, 48, 24), (5, 20, 12)] {
            let (x, x64) = operand(&gpu, &normal(1, rows * inputs));
            let weight = scaled(normal(2, outputs * inputs), 1.0 / (inputs as f32).sqrt());
            let (_, w64) = operand(&gpu, &weight);
            let bias = normal(3, outputs);
            let (_, narrow_bias) = operand(&gpu, &bias);
            let residual = normal(4, rows * outputs);
            let there = gpu.upload(&residual).unwrap();
            let weights = gpu.linear_weights(&weight, Some(&bias), outputs).unwrap();
            let product = |row: usize, out: usize| -> f64 {
                (0..inputs)
                    .map(|i| x64[row * inputs + i] * w64[out * inputs + i])
                    .sum()
            };
            let pairs = || (0..rows).flat_map(|row| (0..outputs).map(move |out| (row, out)));
            for (activation, with, results) in [
                (Activation::None, None, numbers),
                (Activation::Gelu, None, numbers),
                (Activation::Silu, None, numbers),
                (Activation::Relu, None, Numbers::F32),
                (Activation::None, Some(&there), Numbers::F32),
            ] {
                let y = gpu
                    .linear(&x, rows, &weights, activation, with, results)
                    .unwrap();
                assert_eq!(y.numbers(), results);
                let expected: Vec<f64> = pairs()
                    .map(|(row, out)| {
                        // A bias fused into a product with 16-bit results has 16 bits itself.
                        let fused = results != Numbers::F32;
                        let bias = if fused {
                            narrow_bias[out]
                        } else {
                            f64::from(bias[out])
                        };
                        let y = product(row, out) + bias;
                        match activation {
                            Activation::None => {
                                y + with.map_or(0.0, |_| f64::from(residual[row * outputs + out]))
                            }
                            Activation::Relu => y.max(0.0),
                            Activation::Gelu => gelu(y),
                            Activation::Silu => y * logistic(y),
                        }
                    })
                    .collect();
                let error = worst(&read(&gpu, &y), &expected);
                // Before an activation the sum is rounded once more, and the slopes of GELU and SiLU are at most 1.13.
                let roundings = if activation == Activation::None {
                    1.02
                } else {
                    2.15
                };
                let most = tolerance(results, roundings * TWO_TO_MINUS_8);
                assert!(
                    error < most,
                    "{numbers:?} {activation:?} {results:?}: {error:e}"
                );
            }
        }
    }
}

/// Wide rows with an offset, every kind of output, and a norm without scale.
#[test]
fn norms_are_within_their_tolerance() {
    for numbers in ALL {
        let gpu = gpu(numbers);
        for columns in [8, 12, 24, 300, 512, 768, 1280] {
            let rows = 11;
            let x = scaled(normal(5, rows * columns), 3.0)
                .into_iter()
                .map(|x| x + 7.0)
                .collect::<Vec<_>>();
            let (scale, shift) = (normal(6, columns), normal(7, columns));
            for affine in [true, false] {
                let weights = gpu
                    .norm_weights(affine.then_some((&scale, &shift)), 1e-5)
                    .unwrap();
                for (outputs, activation, narrow_input) in [
                    (Outputs::Both, Activation::None, false),
                    (Outputs::Wide, Activation::None, false),
                    (Outputs::Narrow, Activation::Gelu, true),
                ] {
                    let (there, x64) = match narrow_input {
                        true => operand(&gpu, &x),
                        false => (
                            gpu.upload(&x).unwrap(),
                            x.iter().map(|&x| f64::from(x)).collect(),
                        ),
                    };
                    let (wide, narrow) = gpu
                        .norm(&there, columns, &weights, activation, outputs)
                        .unwrap();
                    let expected: Vec<f64> = x64
                        .chunks_exact(columns)
                        .flat_map(|row| {
                            let mean = row.iter().sum::<f64>() / columns as f64;
                            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
                                / columns as f64;
                            let (scale, shift) = (&scale, &shift);
                            row.iter().enumerate().map(move |(c, x)| {
                                let y = (x - mean) / (variance + 1e-5).sqrt();
                                let y = if affine {
                                    y * f64::from(scale[c]) + f64::from(shift[c])
                                } else {
                                    y
                                };
                                if activation == Activation::Gelu {
                                    gelu(y)
                                } else {
                                    y
                                }
                            })
                        })
                        .collect();
                    if outputs != Outputs::Narrow || numbers == Numbers::F32 {
                        let error = worst(&read(&gpu, &wide.unwrap()), &expected);
                        assert!(error < 1e-5, "{numbers:?} {columns} {outputs:?}: {error:e}");
                    }
                    if outputs != Outputs::Wide || numbers == Numbers::F32 {
                        let error = worst(&read(&gpu, &narrow.unwrap()), &expected);
                        assert!(
                            error < tolerance(numbers, TWO_TO_MINUS_8),
                            "{numbers:?} {columns} {outputs:?}: {error:e}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn scale_and_shift_is_within_its_tolerance() {
    let gpu = gpu(Numbers::Bf16);
    let (x, scale, shift) = (normal(1, 5 * 24 + 24), normal(2, 24), normal(3, 24));
    let weights = gpu.norm_weights(Some((&scale, &shift)), 0.0).unwrap();
    let y = gpu.scale_shift(&gpu.upload(&x).unwrap(), &weights).unwrap();
    let expected: Vec<f64> = x
        .iter()
        .enumerate()
        .map(|(i, &x)| f64::from(x) * f64::from(scale[i % 24]) + f64::from(shift[i % 24]))
        .collect();
    assert!(worst(&read(&gpu, &y), &expected) < 1e-5);
}

#[test]
fn rows_move_and_add_where_the_jobs_say() {
    let gpu = gpu(Numbers::Bf16);
    let x: Vec<f32> = (0..6 * 8).map(|i| i as f32).collect();
    let there = gpu.upload(&x).unwrap();
    let jobs = [
        RowCopy {
            source: 4,
            target: 0,
            rows: 2,
        },
        RowCopy {
            source: 0,
            target: 2,
            rows: 1,
        },
    ];
    let moved = gpu.take_rows(&there, 8, 3, &jobs).unwrap();
    let expected: Vec<f32> = x[32..48].iter().chain(&x[..8]).copied().collect();
    assert_eq!(gpu.download(&moved, 0, 24).unwrap(), expected);
    // One table of rows for two utterances, as positions are.
    let jobs = [
        RowCopy {
            source: 0,
            target: 0,
            rows: 3,
        },
        RowCopy {
            source: 0,
            target: 3,
            rows: 3,
        },
    ];
    let kept = there.clone();
    let sum = gpu.add_rows(there, &moved, 8, &jobs).unwrap();
    let expected: Vec<f32> = x
        .iter()
        .enumerate()
        .map(|(i, x)| x + expected[i % 24])
        .collect();
    assert_eq!(gpu.download(&sum, 0, 48).unwrap(), expected);
    assert_eq!(
        gpu.download(&kept, 0, 48).unwrap(),
        x,
        "what others hold stays as it is"
    );
}

#[test]
fn casts_round_to_the_nearest_even() {
    for numbers in [Numbers::Bf16, Numbers::F16] {
        let gpu = gpu(numbers);
        let x = [
            1.0,
            -1.0,
            0.1,
            65504.0,
            1e-7,
            1.003_906_2,
            1.011_718_7,
            3.0e-5,
            0.0,
            -0.0,
            6.0e-8,
            1.0e-3,
            100.5,
            -7.3,
            2.5e4,
            0.333,
        ];
        let found = gpu
            .download(&gpu.cast(&gpu.upload(&x).unwrap(), numbers).unwrap(), 0, 16)
            .unwrap();
        let expected = x.map(|x| match numbers {
            Numbers::Bf16 => half::bf16::from_f32(x).to_f32(),
            _ => half::f16::from_f32(x).to_f32(),
        });
        assert_eq!(found, expected, "{numbers:?}");
        let back = gpu
            .cast(
                &gpu.cast(&gpu.upload(&x).unwrap(), numbers).unwrap(),
                Numbers::F32,
            )
            .unwrap();
        assert_eq!(gpu.download(&back, 0, 16).unwrap(), expected);
    }
}

#[test]
fn memory_that_is_not_there_is_an_error_with_the_numbers() {
    let host = emobox_gpu::Host::compile(&emobox_gpu::source(), 1 << 20, false).unwrap();
    let gpu = emobox_gpu::Gpu::on(std::sync::Arc::new(host), Numbers::F32);
    let kept = gpu.upload(&vec![0.0; 200_000]).unwrap();
    let error = gpu.empty(Numbers::F32, 100_000).err().unwrap();
    assert_eq!(
        error.to_string(),
        "out of device memory: 400128 more bytes wanted, 248576 of 1048576 free"
    );
    drop(kept);
    assert!(gpu.empty(Numbers::F32, 100_000).is_ok());
    assert_eq!(gpu.memory().unwrap().free, 1 << 20);
}
