use super::Grid;
use crate::{Column, ErrorList, ErrorRow, ReportData, Table, TableCell};

/// The most confident errors of each cell, at most this many, with their recordings.
pub fn errors_table(data: &ReportData, most: usize) -> Table {
    let grid = Grid::of(data);
    let lists = named(data, &grid);
    let rows = lists.iter().flat_map(|(list, system)| {
        let worst = list.rows.iter().take(most);
        worst.map(move |row| cells(list, system, row))
    });
    let words = [
        "corpus",
        "encoder",
        "utterance",
        "speaker",
        "reference",
        "predicted",
    ];
    Table {
        caption: format!("The {most} most confident errors of each"),
        columns: words
            .map(Column::left)
            .into_iter()
            .chain([Column::right("confidence %"), Column::left("recording")])
            .collect(),
        rows: rows.collect(),
        ..Table::default()
    }
}

/// The lists of errors that have a row in the tables, with the system's name there.
pub(crate) fn named<'a>(data: &'a ReportData, grid: &'a Grid<'_>) -> Vec<(&'a ErrorList, &'a str)> {
    let lists = data.errors.iter().filter(|list| list.n > 0);
    let named = lists.filter_map(|list| {
        let mut runs = grid.runs();
        let (_, system, _) = runs.find(|(.., run)| {
            (&run.corpus, &run.encoder, &run.partition)
                == (&list.corpus, &list.encoder, &list.partition)
                && (&run.protocol, &run.config) == (&list.protocol, &list.config)
        })?;
        Some((list, grid.systems.get(system)?.as_str()))
    });
    named.collect()
}

fn cells(list: &ErrorList, system: &str, row: &ErrorRow) -> Vec<TableCell> {
    let speaker = row.speaker.as_deref().unwrap_or("–");
    let words = [
        &list.corpus,
        system,
        &row.key,
        speaker,
        &row.reference,
        &row.predicted,
    ];
    let confidence = match row.probability {
        Some([share, _]) => TableCell::number(format!("{:.1}", 100.0 * share), share),
        None => TableCell::missing(),
    };
    let recording = match &row.clip {
        Some(clip) => {
            let part = clip.part.map_or_else(String::new, |[from, to]| {
                format!(" from {from:.2} s to {to:.2} s")
            });
            TableCell::text(format!("{}/{}{part}", list.root, clip.path))
        }
        None => TableCell::missing(),
    };
    words
        .map(TableCell::text)
        .into_iter()
        .chain([confidence, recording])
        .collect()
}
