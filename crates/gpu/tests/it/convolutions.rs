use crate::made::{ALL, gelu, gpu, normal, operand, read, scaled, tolerance, worst};
use emobox_gpu::{Activation, Gpu, Numbers, Piece, Shape, Spans};

const TWO_TO_MINUS_7: f64 = 1.0 / 128.0;

/// `[rows, outputs]` of one utterance by the definition.
fn by_hand(x: &[f64], shape: Shape, weight: &[f64], bias: Option<&[f32]>) -> Vec<f64> {
    let Shape {
        inputs,
        outputs,
        kernel,
        stride,
        groups,
        padding,
    } = shape;
    let rows = x.len() / inputs;
    let made = (rows + padding.0 + padding.1 - kernel) / stride + 1;
    let (into, out) = (inputs / groups, outputs / groups);
    let mut y = Vec::new();
    for row in 0..made {
        for o in 0..outputs {
            let mut sum = bias.map_or(0.0, |bias| f64::from(bias[o]));
            for tap in 0..kernel {
                let Some(at) = (row * stride + tap)
                    .checked_sub(padding.0)
                    .filter(|&at| at < rows)
                else {
                    continue;
                };
                for c in 0..into {
                    sum +=
                        x[at * inputs + o / out * into + c] * weight[(o * into + c) * kernel + tap];
                }
            }
            y.push(sum);
        }
    }
    y
}

/// The largest error over utterances at any positions.
pub(crate) fn error(
    gpu: &Gpu,
    shape: Shape,
    spans: Vec<(usize, usize)>,
    activation: Activation,
    wide: bool,
) -> f64 {
    error_of(gpu, shape, spans, activation, wide, gpu.operands())
}

/// The same for an input of these numbers.
fn error_of(
    gpu: &Gpu,
    shape: Shape,
    spans: Vec<(usize, usize)>,
    activation: Activation,
    wide: bool,
    input: Numbers,
) -> f64 {
    let Shape {
        inputs,
        outputs,
        kernel,
        groups,
        ..
    } = shape;
    let spans = Spans::new(spans);
    let x = normal(1, (spans.end() + 3).next_multiple_of(8) * inputs);
    let x = gpu.cast(&gpu.upload(&x).unwrap(), input).unwrap();
    let x64 = read(gpu, &x);
    let window = (inputs / groups * kernel) as f32;
    let weight = scaled(
        normal(2, outputs * inputs / groups * kernel),
        1.0 / window.sqrt(),
    );
    let bias = normal(3, outputs);
    // Weights of single channels are not rounded.
    let weight64 = match groups == inputs && groups == outputs {
        true => weight.iter().map(|&w| f64::from(w)).collect(),
        false => {
            let mut padded = weight.clone();
            padded.resize(padded.len().next_multiple_of(8), 0.0);
            operand(gpu, &padded).1
        }
    };
    let weights = gpu.convolution(shape, &weight, Some(&bias)).unwrap();
    let (y, found) = gpu
        .convolve(&x, &spans, &weights, activation, wide)
        .unwrap();
    assert_eq!(
        y.numbers(),
        if wide { Numbers::F32 } else { gpu.operands() }
    );
    let values = gpu.download(&y, 0, y.len()).unwrap();
    let mut largest = 0.0f64;
    for (&(first, rows), &(at, made)) in spans.all().iter().zip(found.all()) {
        let part = &x64[first * inputs..(first + rows) * inputs];
        let products = by_hand(part, shape, &weight64, None);
        assert_eq!(products.len(), made * outputs);
        let found = &values[at * outputs..(at + made) * outputs];
        for (index, (&product, &found)) in products.iter().zip(found).enumerate() {
            let y = product + f64::from(bias[index % outputs]);
            let expected = if activation == Activation::Gelu {
                gelu(y)
            } else {
                y
            };
            // The product is rounded before the bias is added.
            let scale = product.abs().max(expected.abs()).max(1.0);
            let error = (f64::from(found) - expected).abs() / scale;
            largest = if error.is_nan() {
                f64::INFINITY
            } else {
                largest.max(error)
            };
        }
    }
    largest
}

pub(crate) fn shape(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    padding: (usize, usize),
) -> Shape {
    Shape {
        inputs,
        outputs,
        kernel,
        stride,
        groups,
        padding,
    }
}

/// Convolutions of front ends (in place and at any position), Whisper's two, wav2vec 2.0's positional one, data2vec's narrow
/// ones.
#[test]
fn convolutions_are_within_their_tolerance() {
    for numbers in ALL {
        let gpu = gpu(numbers);
        for (shape, spans) in [
            (
                shape(16, 24, 3, 2, 1, (0, 0)),
                vec![(0, 31), (32, 8), (44, 3)],
            ),
            (shape(16, 16, 3, 2, 1, (0, 0)), vec![(0, 31), (33, 8)]),
            (
                shape(16, 16, 2, 2, 1, (0, 0)),
                vec![(0, 2), (2, 9), (16, 40)],
            ),
            (shape(80, 16, 3, 1, 1, (1, 1)), vec![(0, 30), (30, 30)]),
            (shape(16, 16, 3, 2, 1, (1, 1)), vec![(0, 30), (30, 30)]),
            (
                shape(32, 32, 128, 1, 4, (64, 63)),
                vec![(0, 1), (1, 140), (150, 7)],
            ),
            (shape(32, 32, 15, 1, 4, (7, 7)), vec![(0, 5), (5, 140)]),
            (
                shape(48, 48, 19, 1, 8, (9, 9)),
                vec![(0, 33), (33, 1), (40, 50)],
            ),
            (shape(16, 16, 5, 1, 4, (2, 2)), vec![(0, 9)]),
        ] {
            for (activation, wide) in [(Activation::Gelu, false), (Activation::None, true)] {
                // Two roundings, one of them before GELU, whose slope is at most 1.13.
                let error = error(&gpu, shape, spans.clone(), activation, wide);
                assert!(
                    error < tolerance(numbers, 1.08 * TWO_TO_MINUS_7),
                    "{numbers:?} {shape:?}: {error:e}"
                );
            }
        }
    }
}

/// Of single channels: w2v-BERT's that sees the past alone, conformers' and SenseVoice's, SEW-D's means of frames; other strides and
/// paddings, channels that are no eights, utterances of one row and of several strips.
#[test]
fn convolutions_of_single_channels_are_within_their_tolerance() {
    let cases = [
        (
            (24, 31, 1, (30, 0)),
            vec![(0, 1), (1, 9), (10, 70), (83, 40)],
        ),
        ((24, 31, 1, (15, 15)), vec![(0, 1), (3, 100), (103, 8)]),
        ((20, 11, 1, (7, 3)), vec![(0, 33), (33, 1), (34, 16)]),
        ((10, 2, 2, (0, 0)), vec![(0, 2), (2, 3), (7, 41)]),
        ((3, 5, 3, (2, 2)), vec![(1, 50), (51, 1)]),
        ((6, 1, 1, (0, 0)), vec![(0, 9)]),
        ((6, 2, 5, (1, 0)), vec![(0, 60), (60, 1)]),
    ];
    for numbers in ALL {
        let gpu = gpu(numbers);
        for ((channels, kernel, stride, padding), spans) in &cases {
            let shape = shape(*channels, *channels, *kernel, *stride, *channels, *padding);
            for input in [numbers, Numbers::F32] {
                for (activation, wide) in [(Activation::Gelu, false), (Activation::None, true)] {
                    let error = error_of(&gpu, shape, spans.clone(), activation, wide, input);
                    let results = if wide { Numbers::F32 } else { numbers };
                    // Rounded once, at the end.
                    let most = tolerance(results, 0.51 * TWO_TO_MINUS_7);
                    assert!(error < most, "{numbers:?} {input:?} {shape:?}: {error:e}");
                }
            }
        }
    }
}

/// Two convolutions in direct succession: the second reads what the first left after the last utterance.
#[test]
fn a_stack_of_convolutions_keeps_its_gaps() {
    let gpu = gpu(Numbers::F32);
    let spans = Spans::new(vec![(0, 29), (32, 15), (48, 64)]);
    let x: Vec<f32> = normal(1, 256 * 16);
    let there = gpu.upload(&x).unwrap();
    let (first, second) = (
        shape(16, 16, 3, 2, 1, (0, 0)),
        shape(16, 8, 2, 2, 1, (0, 0)),
    );
    let [w1, w2] = [normal(2, 16 * 16 * 3), normal(3, 8 * 16 * 2)].map(|w| scaled(w, 0.15));
    let [c1, c2] = [
        gpu.convolution(first, &w1, None).unwrap(),
        gpu.convolution(second, &w2, None).unwrap(),
    ];
    let (y, between) = gpu
        .convolve(&there, &spans, &c1, Activation::None, false)
        .unwrap();
    assert_eq!(between.all(), [(0, 14), (16, 7), (24, 31)]);
    let (y, found) = gpu
        .convolve(&y, &between, &c2, Activation::None, false)
        .unwrap();
    assert_eq!(found.all(), [(0, 7), (8, 3), (12, 15)]);
    let values = read(&gpu, &y);
    let f64s = |values: &[f32]| -> Vec<f64> { values.iter().map(|&x| x.into()).collect() };
    for (&(start, rows), &(at, made)) in spans.all().iter().zip(found.all()) {
        let between = by_hand(
            &f64s(&x[start * 16..(start + rows) * 16]),
            first,
            &f64s(&w1),
            None,
        );
        let expected = by_hand(&between, second, &f64s(&w2), None);
        assert!(worst(&values[at * 8..(at + made) * 8], &expected) < 1e-5);
    }
}

/// With a norm of each channel over the utterance, on noise, on an offset a thousand times the signal, and on silence.
#[test]
fn the_first_convolution_with_its_window_statistics_is_within_its_tolerance() {
    for numbers in ALL {
        let gpu = gpu(numbers);
        let (taps, stride, channels, hop) = (10, 5, 24, 20);
        let weight = normal(1, channels * taps);
        let (gain, offset) = (normal(2, channels), normal(3, channels));
        let signals = [
            normal(4, 4003),
            scaled(normal(5, 900), 1e-2)
                .into_iter()
                .map(|x| x + 10.0)
                .collect(),
            vec![0.0; 200],
            normal(6, 25),
        ];
        let all: Vec<&[f32]> = signals.iter().map(Vec::as_slice).collect();
        let (samples, spans) = gpu.signals(&all, hop).unwrap();
        let weights = gpu
            .group_norm(&weight, &gain, &offset, stride, 1e-5)
            .unwrap();
        let folded = gpu.fold(&samples, &spans, &weights).unwrap();
        let plain = gpu.first(&weight, Some(&offset), channels, stride).unwrap();
        let rows_of = |signal: &Vec<f32>| (signal.len() - taps) / stride + 1;
        // The longest in two pieces, the second first.
        let mut pieces = vec![
            Piece {
                sample: spans.all()[0].0 + 400 * stride,
                row: 3,
                rows: rows_of(&signals[0]) - 400,
                set: 0,
            },
            Piece {
                sample: spans.all()[0].0,
                row: 600,
                rows: 400,
                set: 0,
            },
        ];
        let mut row = 1001;
        for (set, signal) in signals.iter().enumerate().skip(1) {
            let rows = rows_of(signal);
            pieces.push(Piece {
                sample: spans.all()[set].0,
                row,
                rows,
                set,
            });
            row += rows + 2;
        }
        for normed in [true, false] {
            let y = match normed {
                true => gpu.convolve_folded(&samples, &folded, &pieces, row, Activation::None),
                false => gpu.convolve_first(&samples, &plain, &pieces, row, Activation::None),
            };
            let values = read(&gpu, &y.unwrap());
            for piece in &pieces {
                let signal = &signals[piece.set];
                let start = (piece.sample - spans.all()[piece.set].0) / stride;
                for channel in 0..channels {
                    let all: Vec<f64> = signal
                        .windows(taps)
                        .step_by(stride)
                        .map(|window| {
                            window
                                .iter()
                                .zip(&weight[channel * taps..])
                                .map(|(&x, &w)| f64::from(x) * f64::from(w))
                                .sum()
                        })
                        .collect();
                    let mean = all.iter().sum::<f64>() / all.len() as f64;
                    let variance =
                        all.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / all.len() as f64;
                    let offset = f64::from(offset[channel]);
                    for row in 0..piece.rows {
                        let y = all[start + row];
                        let expected = match normed {
                            true => {
                                (y - mean) / (variance + 1e-5).sqrt() * f64::from(gain[channel])
                                    + offset
                            }
                            false => y + offset,
                        };
                        let found = values[(piece.row + row) * channels + channel];
                        // The offset costs three of seven digits.
                        let narrow = tolerance(numbers, TWO_TO_MINUS_7 / 2.0);
                        let most = if normed && piece.set == 1 {
                            narrow.max(1e-2)
                        } else {
                            narrow
                        };
                        let error = (found - expected).abs() / expected.abs().max(1.0);
                        assert!(
                            error < most,
                            "{numbers:?} {piece:?} {channel}: {found} for {expected}"
                        );
                    }
                }
            }
        }
    }
}

/// The result for an utterance does not depend on its neighbours, bit for bit.
#[test]
fn a_convolution_of_an_utterance_does_not_depend_on_its_neighbours() {
    let gpu = gpu(Numbers::Bf16);
    let shape = shape(16, 16, 9, 1, 2, (4, 4));
    let weights = gpu
        .convolution(shape, &normal(1, 16 * 8 * 9), None)
        .unwrap();
    let x = normal(2, 64 * 16);
    let (together, _) = operand(&gpu, &x);
    let spans = Spans::new(vec![(0, 20), (20, 30), (50, 14)]);
    let (all, found) = gpu
        .convolve(&together, &spans, &weights, Activation::Gelu, true)
        .unwrap();
    let all = gpu.download(&all, 0, all.len()).unwrap();
    for (&(first, rows), &(at, made)) in spans.all().iter().zip(found.all()) {
        let (alone, _) = operand(&gpu, &x[first * 16..(first + rows) * 16]);
        let (alone, _) = gpu
            .convolve(
                &alone,
                &Spans::packed([rows]),
                &weights,
                Activation::Gelu,
                true,
            )
            .unwrap();
        assert_eq!(
            gpu.download(&alone, 0, alone.len()).unwrap(),
            all[at * 16..(at + made) * 16]
        );
    }
}
