//! Writes the report of made-up scores, for looking at it: `cargo run -p emobox-report --example sample -- DIR`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder)?;
    let data = common::report();
    std::fs::write(folder.join("report.html"), emobox_report::html(&data))?;
    for figure in emobox_report::figures(&data) {
        std::fs::write(folder.join(format!("{}.svg", figure.id)), figure.svg_file())?;
    }
    std::io::stdout().write_all(emobox_report::terminal_table(&data).as_bytes())
}
