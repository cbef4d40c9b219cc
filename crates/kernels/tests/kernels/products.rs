//! Products on every path against double precision.

use crate::support::{gelu, max_difference, numbers, on_each_path, product};
use emobox_kernels::{
    Activation, Affine, Conv1d, ConvNorm, ConvShape, Epilogue, MatRef, PackedLinear, Precision,
    Rows, conv1d, group_norm, linear, matmul, relu,
};
use half::f16;

/// Sums of `inputs` products of numbers below 1, added one after the other in `f32`: the error of each addition grows with
/// the partial sum.
fn tolerance(inputs: usize) -> f64 {
    6e-8 * inputs as f64 + 1e-6
}

#[test]
fn linear_agrees_with_double_precision() {
    for (rows, inputs, outputs) in [
        (1, 1, 1),
        (7, 10, 512),
        (13, 33, 65),
        (6, 64, 64),
        (50, 768, 100),
        (31, 1500, 48),
        (0, 4, 4),
        (3, 4, 0),
    ] {
        let x = numbers(1, rows * inputs);
        let weight = numbers(2, outputs * inputs);
        let bias = numbers(3, outputs);
        let residual = numbers(4, rows * outputs);
        let mut expected = if outputs == 0 {
            vec![]
        } else {
            product(&x, rows, inputs, &weight, outputs)
        };
        for (i, e) in expected.iter_mut().enumerate() {
            *e = gelu(*e + f64::from(bias[i % outputs])) + f64::from(residual[i]);
        }
        on_each_path(|path| {
            let packed = PackedLinear::new(&weight, outputs, inputs, Precision::F32);
            let epilogue = Epilogue {
                bias: Some(&bias),
                activation: Activation::Gelu,
                residual: Some(&residual),
            };
            let mut out = vec![f32::NAN; rows * outputs];
            linear(Rows::new(&x, rows, inputs), &packed, &epilogue, &mut out);
            let worst = max_difference(&out, &expected);
            assert!(
                worst < tolerance(inputs),
                "{path}: [{rows}, {inputs}, {outputs}] differs by {worst:e}"
            );
        });
    }
}

#[test]
fn overlapping_rows_are_a_strided_convolution() {
    let (frames, channels, kernel, step, outputs) = (40, 3, 10, 5, 20);
    let x = numbers(5, frames * channels);
    let weight = numbers(6, outputs * kernel * channels);
    let rows = (frames - kernel) / step + 1;
    let expected = product(&x, rows, step * channels, &weight, outputs);
    on_each_path(|path| {
        let packed = PackedLinear::new(&weight, outputs, kernel * channels, Precision::F32);
        let mut out = vec![f32::NAN; rows * outputs];
        let view = Rows {
            data: &x,
            rows,
            cols: kernel * channels,
            stride: step * channels,
        };
        linear(view, &packed, &Epilogue::default(), &mut out);
        assert!(max_difference(&out, &expected) < 1e-5, "{path}");
    });
}

#[test]
fn matmul_takes_transposes_and_half_precision() {
    for (m, k, n) in [(1, 1, 1), (5, 7, 3), (37, 300, 70), (64, 515, 130)] {
        let (a, b) = (numbers(7, m * k), numbers(8, k * n));
        let halves: Vec<f16> = b.iter().map(|&v| f16::from_f32(v)).collect();
        let widened: Vec<f32> = halves.iter().map(|v| v.to_f32()).collect();
        let transpose = |x: &[f32], rows: usize, cols: usize| -> Vec<f32> {
            (0..x.len())
                .map(|i| x[i % rows * cols + i / rows])
                .collect()
        };
        let (a_t, b_t) = (transpose(&a, m, k), transpose(&widened, k, n));
        let expected = product(&a, m, k, &b_t, n);
        on_each_path(|path| {
            let check = |out: &[f32], what: &str| {
                let worst = max_difference(out, &expected);
                assert!(
                    worst < tolerance(k),
                    "{path}: {what} [{m}, {k}, {n}] differs by {worst:e}"
                );
            };
            let mut out = vec![f32::NAN; m * n];
            matmul(
                MatRef::new(&a, m, k),
                MatRef::new(&widened, k, n),
                false,
                &mut out,
            );
            check(&out, "plain");
            matmul(
                MatRef::new(&a_t, k, m).transposed(),
                MatRef::new(&halves, k, n),
                false,
                &mut out,
            );
            check(&out, "a transposed, b half");
            matmul(
                MatRef::new(&a, m, k),
                MatRef::new(&b_t, n, k).transposed(),
                false,
                &mut out,
            );
            check(&out, "b transposed");
            out.fill(0.0);
            let (left, right) = (k / 2, k - k / 2);
            let a_left = MatRef {
                cols: left,
                ..MatRef::new(&a, m, k)
            };
            let a_right = MatRef {
                data: &a[left..],
                cols: right,
                ..MatRef::new(&a, m, k)
            };
            matmul(
                a_left,
                MatRef::new(&halves[..left * n], left, n),
                true,
                &mut out,
            );
            matmul(
                a_right,
                MatRef::new(&halves[left * n..], right, n),
                true,
                &mut out,
            );
            check(&out, "in two halves");
        });
    }
}

#[test]
fn grouped_padded_convolution_agrees_with_its_definition() {
    for shape in [
        ConvShape {
            inputs: 32,
            outputs: 32,
            kernel: 8,
            stride: 1,
            groups: 4,
            padding: (4, 3),
        },
        ConvShape {
            inputs: 6,
            outputs: 9,
            kernel: 3,
            stride: 2,
            groups: 3,
            padding: (1, 1),
        },
        ConvShape {
            inputs: 1,
            outputs: 17,
            kernel: 10,
            stride: 5,
            groups: 1,
            padding: (0, 0),
        },
        ConvShape {
            inputs: 37,
            outputs: 37,
            kernel: 31,
            stride: 1,
            groups: 37,
            padding: (30, 0),
        },
        ConvShape {
            inputs: 16,
            outputs: 16,
            kernel: 61,
            stride: 2,
            groups: 16,
            padding: (30, 30),
        },
    ] {
        let frames = 45;
        let (group_in, group_out) = (shape.inputs / shape.groups, shape.outputs / shape.groups);
        let x = numbers(9, frames * shape.inputs);
        let weight = numbers(10, shape.outputs * group_in * shape.kernel);
        let bias = numbers(11, shape.outputs);
        let rows = shape.frames(frames);
        let mut expected = vec![0.0; rows * shape.outputs];
        for t in 0..rows {
            for o in 0..shape.outputs {
                let mut sum = f64::from(bias[o]);
                for k in 0..shape.kernel {
                    let Some(frame) = (t * shape.stride + k).checked_sub(shape.padding.0) else {
                        continue;
                    };
                    if frame >= frames {
                        continue;
                    }
                    for i in 0..group_in {
                        let input = x[frame * shape.inputs + o / group_out * group_in + i];
                        sum += f64::from(weight[(o * group_in + i) * shape.kernel + k])
                            * f64::from(input);
                    }
                }
                expected[t * shape.outputs + o] = sum;
            }
        }
        on_each_path(|path| {
            let conv = Conv1d::new(&weight, shape, Precision::F32);
            let mut out = vec![f32::NAN; rows * shape.outputs];
            conv1d(
                &x,
                &conv,
                &Epilogue {
                    bias: Some(&bias),
                    ..Epilogue::default()
                },
                &mut out,
            );
            let worst = max_difference(&out, &expected);
            assert!(worst < 2e-5, "{path}: {shape:?} differs by {worst:e}");
        });
    }
}

#[test]
fn a_folded_convolution_is_convolution_and_norm() {
    for (inputs, kernel, stride, offset) in [(1, 10, 5, 0.0), (3, 4, 2, 50.0)] {
        let (frames, outputs) = (701, 37);
        let shape = ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            groups: 1,
            padding: (0, 0),
        };
        let x: Vec<f32> = numbers(12, frames * inputs)
            .iter()
            .map(|v| v + offset)
            .collect();
        let weight = numbers(13, outputs * inputs * kernel);
        let (scale, shift) = (numbers(14, outputs), numbers(15, outputs));
        let affine = Affine {
            weight: &scale,
            bias: &shift,
        };
        let rows = shape.frames(frames);
        on_each_path(|path| {
            let mut expected = vec![0.0; rows * outputs];
            conv1d(
                &x,
                &Conv1d::new(&weight, shape, Precision::F32),
                &Epilogue::default(),
                &mut expected,
            );
            group_norm(&mut expected, outputs, outputs, Some(affine), 1e-5);
            relu(&mut expected);
            let folded = ConvNorm::new(&weight, shape, affine, 1e-5, Precision::F32).fold(&x);
            let epilogue = Epilogue {
                bias: Some(&folded.bias),
                activation: Activation::Relu,
                residual: None,
            };
            let mut got = vec![f32::NAN; rows * outputs];
            conv1d(&x, &folded.conv, &epilogue, &mut got);
            let expected: Vec<f64> = expected.iter().map(|&v| f64::from(v)).collect();
            let worst = max_difference(&got, &expected);
            let allowed = if offset == 0.0 { 3e-6 } else { 2e-4 };
            assert!(
                worst < allowed,
                "{path}: offset {offset} differs by {worst:e}"
            );
        });
    }
}

/// In bf16 only the operands are rounded: compared with the exact product of the rounded numbers, only the rounding of
/// the sums is left.
#[test]
fn bf16_products_round_the_operands_alone() {
    let round = |x: &[f32]| -> Vec<f32> {
        x.iter()
            .map(|&v| half::bf16::from_f32(v).to_f32())
            .collect()
    };
    for (rows, inputs, outputs, stride) in [
        (7, 33, 20, 33),
        (50, 768, 70, 768),
        (12, 40, 48, 8),
        (9, 10, 16, 5),
    ] {
        let x = numbers(16, (rows - 1) * stride + inputs);
        let weight = numbers(17, outputs * inputs);
        let expected = product(&round(&x), rows, stride, &round(&weight), outputs);
        on_each_path(|path| {
            let packed = PackedLinear::new(&weight, outputs, inputs, Precision::Bf16);
            let mut out = vec![f32::NAN; rows * outputs];
            let view = Rows {
                data: &x,
                rows,
                cols: inputs,
                stride,
            };
            linear(view, &packed, &Epilogue::default(), &mut out);
            let worst = max_difference(&out, &expected);
            assert!(
                worst < tolerance(inputs),
                "{path}: [{rows}, {inputs}, {outputs}] differs by {worst:e}"
            );
        });
    }
}

#[test]
fn weights_are_repacked_in_place() {
    let (first, second) = (numbers(18, 30 * 20), numbers(19, 30 * 20));
    let x = numbers(20, 4 * 20);
    for precision in [Precision::F32, Precision::Bf16] {
        let mut packed = PackedLinear::new(&first, 30, 20, precision);
        packed.repack(&second);
        let fresh = PackedLinear::new(&second, 30, 20, precision);
        let run = |weight: &PackedLinear| {
            let mut out = vec![0.0; 4 * 30];
            linear(Rows::new(&x, 4, 20), weight, &Epilogue::default(), &mut out);
            out
        };
        assert_eq!(run(&packed), run(&fresh));
    }
}
