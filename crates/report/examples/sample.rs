//! Writes a report of made-up scores and one of the published figures, for inspection:
//! `cargo run -p emobox-report --example sample -- DIR`.

#[path = "../tests/report/common.rs"]
mod common;
#[path = "../tests/report/large.rs"]
mod large;

use emobox_report::{
    Metric, PaperSource, Table, cross_average_table, cross_pairs_table, cross_table, figures, html,
    intra_table, latex_document, leaderboard, runs_csv, scores_table, terminal_table,
};
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder)?;
    let data = common::report();
    std::fs::write(folder.join("report.html"), html(&data))?;
    for figure in figures(&data) {
        std::fs::write(folder.join(format!("{}.svg", figure.id)), figure.svg_file())?;
    }
    let published = common::published();
    std::fs::write(folder.join("published.html"), html(&published))?;
    let board = [common::verified("poor", 0.4), common::verified("good", 0.9)];
    let board = leaderboard("Leaderboard", &board);
    std::fs::write(folder.join("leaderboard.html"), board)?;
    let mut beside = published.clone();
    beside.beside = Some(PaperSource::Text);
    let tables = [
        scores_table(&data),
        intra_table(&published, &Metric::ALL),
        intra_table(&beside, &[Metric::Ua]),
        cross_table(&beside),
        cross_average_table(&beside),
        cross_pairs_table(&data),
    ];
    std::fs::write(folder.join("tables.tex"), latex_document(&tables))?;
    let text: Vec<String> = tables.iter().map(Table::terminal).collect();
    std::fs::write(folder.join("tables.txt"), text.join("\n\n"))?;
    let text: Vec<String> = tables.iter().map(Table::markdown).collect();
    std::fs::write(folder.join("tables.md"), text.join("\n\n"))?;
    let text: Vec<String> = tables.iter().map(Table::csv).collect();
    std::fs::write(folder.join("tables.csv"), text.join("\r\n"))?;
    large(&folder)
}

/// 32 corpora by ten encoders in every format.
fn large(folder: &Path) -> std::io::Result<()> {
    let data = large::report();
    std::fs::write(folder.join("large.html"), html(&data))?;
    std::fs::write(folder.join("large.json"), serde_json::to_vec_pretty(&data)?)?;
    std::fs::write(folder.join("large.txt"), terminal_table(&data))?;
    std::fs::write(folder.join("large-runs.csv"), runs_csv(&data))?;
    let beside = large::beside();
    let tables = [
        intra_table(&data, &[Metric::Ua]),
        scores_table(&data),
        intra_table(&data, &Metric::ALL),
        intra_table(&beside, &[Metric::Ua]),
        scores_table(&beside),
    ];
    std::fs::write(folder.join("large.tex"), latex_document(&tables))?;
    let text: Vec<String> = tables.iter().map(Table::terminal).collect();
    std::fs::write(folder.join("large-tables.txt"), text.join("\n\n"))?;
    let text: Vec<String> = tables.iter().map(Table::markdown).collect();
    std::fs::write(folder.join("large-tables.md"), text.join("\n\n"))
}
