//! Faults that a kernel could have, planted in its source: the tests of this folder must see each.

use crate::attention::{Kind, error};
use crate::convolutions;
use crate::made::on;
use emobox_gpu::{Activation, Gpu, Host, Numbers};
use std::sync::Arc;

/// What a fault does to the error that the tests bound.
type Seen = fn(&Gpu) -> f64;

const FAULTS: [(&str, &str, &str, Seen); 7] = [
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
];

#[test]
fn every_planted_fault_is_seen() {
    let source = emobox_gpu::source();
    let whole = on(&Arc::new(Host::new(8 << 30).unwrap()), Numbers::Bf16);
    for (what, right, wrong, seen) in FAULTS {
        assert_eq!(source.matches(right).count(), 1, "{what}: {right}");
        assert!(seen(&whole) < 1e-2, "{what}: without it");
        // Only what the fault is tried on is compiled: bf16 at the narrower width.
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

/// Without the kernels that no fault is tried on, which take the compiler most of its time.
fn lean(source: &str) -> String {
    source
        .lines()
        .filter(|line| !line.starts_with("  ATTEND(attend_plain_128_"))
        .map(|line| match line.trim_end_matches(" \\") {
            whole if whole.contains("ATTEND(attend_plain_64_") => whole,
            "  EACH_OPERAND(X, f32) EACH_OPERAND(X, bf16) EACH_OPERAND(X, f16) EACH_NARROW(X, bf16) EACH_NARROW(X, f16)" => {
                "  EACH_OPERAND(X, f32) EACH_OPERAND(X, bf16) EACH_NARROW(X, bf16) \\"
            }
            "  X(attend_plain_128_##kind) X(attend_relative_128_##kind) X(attend_alibi_128_##kind)" => "",
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}
