//! Speed of the matrix products: GFLOP/s by shape, path and precision, and the share of the core's measured peak.
//!
//! `cargo bench -p emobox-kernels --bench gemm -- [word…]`: only lines that contain all words. One thread; CPU time, and the
//! best of many runs, because other work on the machine can only add time.
#![expect(clippy::print_stdout, reason = "a measurement prints its result")]

use std::time::{Duration, Instant};

use emobox_kernels::{
    Activation, Affine, Attention, AttentionBias, Conv1d, ConvShape, Epilogue, GATE_COLUMNS,
    GATE_FRAMES, Gate, GateTable, MatRef, PackedLinear, Path, Precision, Rows, attention,
    available_paths, conv1d, gelu, group_norm, layer_norm, linear, matmul, measured_peak,
    softmax_rows, with_path,
};
use half::f16;

/// `[rows, inputs, outputs]` of encoders' linear layers and convolutions at 10 s of audio.
const SHAPES: [(usize, usize, usize); 7] = [
    (499, 768, 768),
    (499, 768, 3072),
    (499, 3072, 768),
    (1500, 768, 3072),
    (1500, 1024, 1024),
    (499, 6144, 48),
    (3999, 1536, 512),
];

fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919) % 2003) as f32 / 1001.5 - 1.0)
        .collect()
}

/// CPU time of this thread in seconds.
fn processor_time() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place to write to, which is all that the call requires.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(answer, 0, "no clock of the thread's processor time");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Operations per second in the best of the runs that fit `time` (at least five).
fn best(operations: f64, time: Duration, mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let (mut best, mut runs) = (f64::INFINITY, 0);
    while runs < 5 || begin.elapsed() < time {
        let start = processor_time();
        work();
        best = best.min(processor_time() - start);
        runs += 1;
    }
    operations / best
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wanted = |line: &str| {
        words
            .iter()
            .all(|word| line.split(' ').any(|part| part == word))
    };
    let time = Duration::from_millis(400);
    let mut paths = available_paths();
    paths.reverse();
    for path in paths {
        for precision in [Precision::F32, Precision::Bf16] {
            if precision == Precision::Bf16 && path != Path::Avx512Bf16 {
                continue;
            }
            let kind = format!(
                "{path} {}",
                if precision == Precision::F32 {
                    "f32"
                } else {
                    "bf16"
                }
            );
            let measure = |what: &str, operations: f64, work: &mut dyn FnMut()| {
                let line = format!("{kind} {what}");
                if !wanted(&line) {
                    return;
                }
                let (peak, speed) = with_path(path, || {
                    let before = measured_peak(precision, time / 4);
                    let speed = best(operations, time, work);
                    (before.max(measured_peak(precision, time / 4)), speed)
                })
                .expect("the path is available");
                println!(
                    "{line:44} {:8.1} GFLOP/s of {:8.1} = {:5.1} %",
                    speed / 1e9,
                    peak / 1e9,
                    100.0 * speed / peak
                );
            };
            for (rows, inputs, outputs) in SHAPES {
                let x = numbers(rows * inputs);
                let bias = numbers(outputs);
                let weight =
                    PackedLinear::new(&numbers(outputs * inputs), outputs, inputs, precision);
                let mut out = vec![0.0; rows * outputs];
                let operations = 2.0 * (rows * inputs * outputs) as f64;
                for (name, activation) in [("linear", Activation::None), ("gelu", Activation::Gelu)]
                {
                    let epilogue = Epilogue {
                        bias: Some(&bias),
                        activation,
                        residual: None,
                    };
                    measure(
                        &format!("{name} {rows}x{inputs}x{outputs}"),
                        operations,
                        &mut || {
                            linear(Rows::new(&x, rows, inputs), &weight, &epilogue, &mut out);
                        },
                    );
                }
            }
            for frames in [149, 499, 1499] {
                let (heads, cols) = (12, 768);
                let fused = numbers(frames * 3 * cols);
                let view = |part: usize| Rows {
                    data: &fused[part * cols..],
                    rows: frames,
                    cols,
                    stride: 3 * cols,
                };
                let args = Attention {
                    query: view(0),
                    key: view(1),
                    value: view(2),
                    heads,
                    scale: 0.125,
                    bias: AttentionBias::None,
                    key_count: frames,
                    precision,
                };
                let mut out = vec![0.0; frames * cols];
                let operations = 4.0 * (frames * frames * cols) as f64;
                measure(
                    &format!("attention {frames}x{heads}x64"),
                    operations,
                    &mut || attention(&args, &mut out),
                );
            }
            {
                let (frames, channels, groups, kernel) = (499, 768, 16, 128);
                let shape = ConvShape {
                    inputs: channels,
                    outputs: channels,
                    kernel,
                    stride: 1,
                    groups,
                    padding: (64, 63),
                };
                let width = channels / groups;
                let conv = Conv1d::new(&numbers(channels * width * kernel), shape, precision);
                let x = numbers(frames * channels);
                let mut out = vec![0.0; frames * channels];
                let operations = 2.0 * (frames * channels * width * kernel) as f64;
                measure(
                    &format!("positional {frames}x{channels}"),
                    operations,
                    &mut || {
                        conv1d(&x, &conv, &Epilogue::default(), &mut out);
                    },
                );
            }
            if precision == Precision::F32 {
                let (frames, dim, hidden) = (3000, 768, 768);
                let x: Vec<f16> = numbers(frames * dim)
                    .into_iter()
                    .map(f16::from_f32)
                    .collect();
                let weight = numbers(hidden * dim);
                let gradient = numbers(frames * hidden);
                let operations = 2.0 * (frames * dim * hidden) as f64;
                let mut out = vec![0.0; frames * hidden];
                measure(
                    &format!("forward-f16 {frames}x{dim}x{hidden}"),
                    operations,
                    &mut || {
                        let weight = MatRef::new(&weight, hidden, dim).transposed();
                        matmul(MatRef::new(&x, frames, dim), weight, false, &mut out);
                    },
                );
                let mut out = vec![0.0; hidden * dim];
                measure(
                    &format!("gradient-f16 {hidden}x{frames}x{dim}"),
                    operations,
                    &mut || {
                        let gradient = MatRef::new(&gradient, frames, hidden).transposed();
                        matmul(gradient, MatRef::new(&x, frames, dim), false, &mut out);
                    },
                );
                // The same gradient behind a rectifier, by table lookup; in operations of the product.
                let mut gates = vec![Gate::default(); frames.div_ceil(GATE_FRAMES)];
                let mut total = vec![0.0; hidden];
                let mut count = vec![0.0; hidden];
                let pieces = gradient.chunks(GATE_FRAMES * hidden);
                for (gate, z) in gates.iter_mut().zip(pieces) {
                    gate.read(z, z.len() / hidden, &mut total, &mut count);
                }
                let mut table = GateTable::default();
                let mut out = vec![0.0; hidden * GATE_COLUMNS];
                measure(
                    &format!("gate-f16 {hidden}x{frames}x{dim}"),
                    operations,
                    &mut || {
                        for column in (0..dim).step_by(GATE_COLUMNS) {
                            out.fill(0.0);
                            for (at, gate) in gates.iter().enumerate() {
                                table.fill(Rows {
                                    data: &x[at * GATE_FRAMES * dim + column..],
                                    rows: gate.frames(),
                                    cols: GATE_COLUMNS,
                                    stride: dim,
                                });
                                table.add(gate, &total, &mut out);
                            }
                        }
                    },
                );
                // One operation per number, so the share of the peak is that of numbers per multiply-add.
                let mut x = numbers(499 * 3072);
                let count = x.len() as f64;
                measure("gelu-alone 499x3072", count, &mut || gelu(&mut x));
                measure("softmax 499x3072", count, &mut || {
                    softmax_rows(&mut x, 3072)
                });
                let affine = Some(Affine {
                    weight: &weight[..768],
                    bias: &weight[..768],
                });
                measure("layer-norm 1996x768", count, &mut || {
                    layer_norm(&mut x, 768, affine, 1e-5)
                });
                let mut x = numbers(31_999 * 512);
                let count = x.len() as f64;
                let affine = Some(Affine {
                    weight: &weight[..512],
                    bias: &weight[..512],
                });
                measure("group-norm 31999x512", count, &mut || {
                    group_norm(&mut x, 512, 512, affine, 1e-5)
                });
            }
        }
    }
}
