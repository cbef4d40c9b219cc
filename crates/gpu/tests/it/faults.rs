//! Faults planted in the source of kernels: the tests in this folder must detect each.

use crate::attention::{Kind, error};
use crate::made::on;
use crate::probe::Case;
use crate::{conformers, convolutions};
use emobox_gpu::{Activation, Gpu, Host, Numbers, Pooling};
use std::sync::Arc;

/// The effect of a fault on the error that the tests bound.
type Seen = fn(&Gpu) -> f64;

const FAULTS: [(&str, &str, &str, Seen); 15] = [
    (
        "a missing barrier after the load",
        "else wait_all();\n    SYNC();\n    float s",
        "else wait_all();\n    float s",
        |gpu| error(gpu, Kind::None, 2, 64, &[130], usize::MAX),
    ),
    (
        "a missing barrier before the next load",
        "    SYNC(); // before the next round overwrites this stage\n",
        "",
        |gpu| error(gpu, Kind::None, 2, 64, &[200], usize::MAX),
    ),
    (
        "an off-by-one at an utterance's end",
        "v = key < frames ? v : NO_SCORE;",
        "v = key <= frames ? v : NO_SCORE;",
        |gpu| error(gpu, Kind::None, 2, 64, &[63, 17], usize::MAX),
    ),
    (
        "a wrong stride between heads",
        "const u16 *from = kv + (u64)(first + (there ? at : 0)) * (2 * dim) + head * head_dim +",
        "const u16 *from = kv + (u64)(first + (there ? at : 0)) * (2 * dim) + head * (head_dim - 8) +",
        |gpu| error(gpu, Kind::None, 2, 64, &[30], usize::MAX),
    ),
    (
        "a bias read across utterances",
        "gate[(u64)head * gate_rows + first_query + at] * log2e",
        "gate[(u64)head * gate_rows + at] * log2e",
        |gpu| error(gpu, Kind::Relative, 2, 64, &[30, 30], usize::MAX),
    ),
    (
        "the table of distances read from its edge",
        "int distance = key - at + span / 2;\n          distance = distance < 0",
        "int distance = key - at + span / 2 + 1;\n          distance = distance < 0",
        |gpu| error(gpu, Kind::Relative, 2, 64, &[30], usize::MAX),
    ),
    (
        "a row of a convolution's input put one too far",
        "* to_rows + target + row) * channels",
        "* to_rows + target + row + 1) * channels",
        |gpu| {
            let shape = convolutions::shape(32, 32, 15, 1, 4, (7, 7));
            convolutions::error(gpu, shape, vec![(0, 5), (5, 40)], Activation::None, true)
        },
    ),
    (
        "a query's distances off by one",
        "s[n][e] += mine[r * W + k - r + 15];",
        "s[n][e] += mine[r * W + k - r + 16];",
        |gpu| error(gpu, Kind::All, 2, 64, &[70], usize::MAX),
    ),
    (
        "a key's distances off by one",
        "s[m * 2 + n][e] += mine[k * W + k - r + 15];",
        "s[m * 2 + n][e] += mine[k * W + k - r + 14];",
        |gpu| error(gpu, Kind::Keys, 2, 64, &[70], usize::MAX),
    ),
    (
        "products of keys with distances read before they are there",
        "          SYNC_WARP();\n          for (int n = 0; n < 2; n++)",
        "          for (int n = 0; n < 2; n++)",
        |gpu| error(gpu, Kind::Keys, 2, 64, &[30], usize::MAX),
    ),
    (
        "a wrong row beyond the end of the embeddings",
        "row < 0 ? 0 : (row > last ? last : row)",
        "row < 0 ? 0 : (row > last ? last - 1 : row)",
        |gpu| error(gpu, Kind::Near, 2, 64, &[30], usize::MAX),
    ),
    (
        "offsets in another base than the scores",
        "distances.last) * heads + head] * log2e;",
        "distances.last) * heads + head];",
        |gpu| error(gpu, Kind::All, 2, 64, &[30], usize::MAX),
    ),
    (
        "values taken for gates",
        "x + row * 2 * columns + columns + column, gate",
        "x + row * 2 * columns + column, gate",
        |gpu| conformers::glu_error(gpu, 3, 24, false),
    ),
    (
        "positions counted from the first utterance",
        "const float cosine = angles[(u64)row * 2 * half + angle]",
        "const float cosine = angles[(u64)(first + row) * 2 * half + angle]",
        |gpu| conformers::rotate_error(gpu, &[(0, 5), (5, 9)], 2, 8, false),
    ),
    (
        "a channel's taps on the next utterance",
        "row >= 0 && row < rows ?",
        "row >= 0 && row <= rows ?",
        |gpu| {
            let shape = convolutions::shape(16, 16, 5, 1, 16, (2, 2));
            convolutions::error(gpu, shape, vec![(0, 5), (5, 40)], Activation::None, true)
        },
    ),
];

/// The same in the kernels of probes, with the head that reveals it.
const PROBE_FAULTS: [(&str, &str, &str, Pooling); 15] = [
    (
        "a missing barrier between the rounds of a hidden layer",
        "    SYNC(); // before the next round but one, or the hidden layer, overwrites this stage\n",
        "",
        Pooling::Mean,
    ),
    (
        "a missing barrier before a hidden layer is read",
        "  SYNC();\n  return z;",
        "  return z;",
        Pooling::Mean,
    ),
    (
        "a missing barrier between the chunks of a gradient",
        "    SYNC(); // before the load of the next chunk but one\n",
        "",
        Pooling::Mean,
    ),
    (
        "a missing barrier in a gradient in f32",
        "seen[row * 64 + column + c];\n      SYNC();\n",
        "seen[row * 64 + column + c];\n",
        Pooling::Statistics,
    ),
    (
        "a frame of the next utterance in a hidden layer",
        "row >= frames || v <= 0.f",
        "row > frames || v <= 0.f",
        Pooling::Mean,
    ),
    (
        "the low halves of weights left out",
        "near[e] + far[e] * (1.f / LOW_SCALE)",
        "near[e]",
        Pooling::Mean,
    ),
    (
        "the upper half of a gate in the wrong place",
        "(u64)other_gate[column] << 32",
        "(u64)other_gate[column] << 31",
        Pooling::Mean,
    ),
    (
        "what the first utterance receives given to all",
        "back + (u64)chunk[2] * units",
        "back",
        Pooling::Mean,
    ),
    (
        "a norm of the first part of a gradient alone",
        "part < point[PARTS]",
        "part < 1",
        Pooling::Mean,
    ),
    (
        "a deviation over one frame too many",
        "squares / utterance[2] + VARIANCE_FLOOR",
        "squares / (utterance[2] + 1) + VARIANCE_FLOOR",
        Pooling::Statistics,
    ),
    (
        "a class's weight left out of its slope",
        "share = weights[label] / total",
        "share = 1. / total",
        Pooling::Features,
    ),
    (
        "a missing barrier between the units of a score",
        "    SYNC(); // before the next units overwrite these\n",
        "",
        Pooling::Attentive,
    ),
    (
        "a missing barrier between the frames of a score's gradient",
        "      SYNC(); // before the next frames\n",
        "",
        Pooling::Attentive,
    ),
    (
        "a missing barrier between two sums of a block",
        "  SYNC(); // who still reads the last result\n",
        "",
        Pooling::Attentive,
    ),
    (
        "the slope of tanh left out",
        "* vector * (1.f - *x * *x)",
        "* vector",
        Pooling::Attentive,
    ),
];

#[test]
fn every_planted_fault_is_seen() {
    let source = emobox_gpu::source();
    let whole = on(&Arc::new(Host::new(8 << 30).unwrap()), Numbers::Bf16);
    for (what, right, wrong, seen) in FAULTS {
        assert_eq!(source.matches(right).count(), 1, "{what}: {right}");
        assert!(seen(&whole) < 1e-2, "{what}: without it");
        // Only the kernels under test are compiled: bf16 at the narrower width.
        let planted = source
            .replace(right, wrong)
            .replace("ATTEND_ALL(f16, F16)", "");
        let planted = lean(&planted);
        let host = Arc::new(Host::compile(&planted, 1 << 30, false).unwrap());
        let error = seen(&on(&host, Numbers::Bf16));
        assert!(
            error > 2e-2,
            "{what} changes no result by more than {error:e}"
        );
    }
}

/// In units of the tolerances that the tests of probes allow.
#[test]
fn every_fault_planted_in_probes_is_seen() {
    let source = emobox_gpu::source();
    let error = |gpu: &Gpu, pooling| {
        let errors = Case::new(gpu, pooling, 40, &[24, 130]).errors(gpu);
        errors.iter().fold(0.0f64, |m, error| m.max(*error))
    };
    let (from, to) = source
        .split_once("#define EACH_KERNEL(X)")
        .and_then(|(before, rest)| Some((before, rest.split_once("\n\n")?.1)))
        .unwrap();
    // The other kernels take the compiler most of its time.
    let lean = format!("{from}#define EACH_KERNEL(X) EACH_OF_PROBE(X)\n\n{to}");
    for (what, right, wrong, pooling) in PROBE_FAULTS {
        assert_eq!(lean.matches(right).count(), 1, "{what}: {right}");
        let planted = lean.replace(right, wrong);
        let host = Arc::new(Host::compile(&planted, 1 << 30, false).unwrap());
        let error = error(&on(&host, Numbers::F32), pooling);
        assert!(
            error > 2.0,
            "{what} changes no result by more than {error:e} tolerances"
        );
    }
}

/// Without the kernels in which no fault is planted, which take the compiler most of its time.
fn lean(source: &str) -> String {
    source
        .lines()
        .filter(|line| {
            !["  ATTEND(attend_plain_128_", "ATTEND_DISTANCES(attend_distances_128_"]
                .iter()
                .any(|start| line.starts_with(start))
                && !line.starts_with("ATTEND_DISTANCES(attend_distances_64_f16")
        })
        .map(|line| match line.trim_end_matches(" \\") {
            whole if whole.contains("ATTEND(attend_plain_64_") => whole,
            "  EACH_OPERAND(X, f32) EACH_OPERAND(X, bf16) EACH_OPERAND(X, f16) EACH_NARROW(X, bf16) EACH_NARROW(X, f16)" => {
                "  EACH_OPERAND(X, f32) EACH_OPERAND(X, bf16) EACH_NARROW(X, bf16) \\"
            }
            "  X(attend_plain_128_##kind) X(attend_relative_128_##kind) X(attend_alibi_128_##kind) X(attend_distances_128_##kind)" => "",
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}
