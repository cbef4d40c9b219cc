//! Build script of the rooms whose tests read `../shared` beside the checkout: where it is not, those tests are ignored, and counted so.
#![expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::path::Path;

fn main() {
    let room = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let list = Path::new(&room).join("../../../shared/README.md");
    println!("cargo::rustc-check-cfg=cfg(has_shared)");
    if list.exists() {
        println!("cargo::rustc-cfg=has_shared");
        // Not where it is absent: cargo takes a missing file for a changed one and would compile these rooms at every call. Where
        // `../shared` is added later, `touch crates/shared_data.rs` lets the tests see it.
        println!("cargo::rerun-if-changed={}", list.display());
    }
    println!("cargo::rerun-if-changed=../shared_data.rs");
}
