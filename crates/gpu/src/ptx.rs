//! The kernels' source, and the PTX that NVRTC made from it.

use std::io::Read;

/// The kernel files for a GPU, in the order in which they are hashed.
const FILES: [(&str, &str); 8] = [
    ("cuda.h", include_str!("../kernels/cuda.h")),
    ("numbers.h", include_str!("../kernels/numbers.h")),
    ("attention.h", include_str!("../kernels/attention.h")),
    ("rows.h", include_str!("../kernels/rows.h")),
    ("speech.h", include_str!("../kernels/speech.h")),
    ("probe.h", include_str!("../kernels/probe.h")),
    ("attentive.h", include_str!("../kernels/attentive.h")),
    ("kernels.cu", include_str!("../kernels/kernels.cu")),
];
/// The files only for the CPU.
const SHIM: [(&str, &str); 2] = [
    ("shim.h", include_str!("../kernels/shim.h")),
    ("exports.h", include_str!("../kernels/exports.h")),
];

/// Made by `tools/gpu/ptx.py`; its first line names the source's digest and the compiler.
const PTX: &[u8] = include_bytes!("../ptx/kernels.ptx.gz");

/// The assembly of every kernel.
pub(crate) fn text() -> String {
    let mut text = String::new();
    // Decoding cannot fail: the bytes are part of the program, and a test reads them.
    let _ = flate2::read::GzDecoder::new(PTX).read_to_string(&mut text);
    text
}

/// The kernels as one file for a C++ compiler, with the shim.
pub fn source() -> String {
    let of = |name: &str| FILES.iter().chain(&SHIM).find(|(file, _)| *file == name);
    let mut out = String::from("#define EMOBOX_SHIM\n");
    for line in of("kernels.cu").map_or("", |(_, text)| text).lines() {
        let named = line
            .strip_prefix("#include \"")
            .and_then(|rest| rest.strip_suffix('"'));
        match named.and_then(of) {
            // The CUDA side is left out: both would define the same names.
            Some(("cuda.h", _)) => {}
            Some((_, text)) => out.push_str(
                &text
                    .replace("#pragma once\n", "")
                    .replace("#pragma unroll\n", ""),
            ),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The names of the kernels in the PTX.
pub(crate) fn entries(ptx: &str) -> Vec<&str> {
    ptx.lines()
        .filter_map(|line| line.strip_prefix(".visible .entry ")?.split('(').next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// `python3 tools/gpu/ptx.py` regenerates it.
    #[test]
    fn the_ptx_in_the_tree_is_of_the_source_in_the_tree() {
        let digest = Sha256::digest(FILES.map(|(_, text)| text).concat());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = text();
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(&format!("// emobox kernels {digest}, NVRTC 12.1")),
            "{first}\nis not of the source, whose digest is {digest}: run tools/gpu/ptx.py"
        );
        assert!(text.contains(".target sm_80"));
    }

    #[test]
    fn the_shim_exports_exactly_the_kernels_of_the_ptx() {
        let text = text();
        let mut entries = entries(&text);
        entries.sort_unstable();
        assert!(entries.len() > 40, "{entries:?}");
        let host = crate::Host::new(1 << 20).unwrap();
        for entry in &entries {
            assert!(host.knows(entry), "{entry}");
        }
        assert!(!host.knows("attend"));
    }
}
