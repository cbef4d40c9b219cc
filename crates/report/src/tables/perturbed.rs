use super::comparison::refused;
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{Comparison, PerturbedScores};

/// The loss of each encoder from noise, rooms and codecs; none if nothing was perturbed.
pub fn perturbed_table(data: &ReportData) -> Option<Table> {
    let all = &data.scores.perturbed;
    let first = all.first()?;
    let differs =
        |field: fn(&PerturbedScores) -> &str| all.iter().any(|p| field(p) != field(first));
    let partition = differs(|p| &p.comparison.partition);
    // Scores of several runs in one report may differ in more than the encoder.
    let config = all.iter().any(|p| {
        let mut others = all.iter();
        others.any(|other| other.encoder == p.encoder && other.config != p.config)
    });
    let mut columns = vec![Column::left("corpus")];
    if partition {
        columns.push(Column::left("partition"));
    }
    columns.push(Column::left("encoder"));
    if config {
        columns.push(Column::left("configuration"));
    }
    columns.extend([
        Column::left("heard"),
        Column::right("UA clean %"),
        Column::right("UA so %"),
        Column::right("difference"),
    ]);
    let row = |p: &PerturbedScores| {
        let ua = &p.comparison.ua;
        let mut row = vec![TableCell::text(&p.comparison.corpus)];
        if partition {
            row.push(TableCell::text(&p.comparison.partition));
        }
        row.push(TableCell::text(&p.encoder));
        if config {
            row.push(TableCell::text(&p.config));
        }
        row.extend([
            TableCell::text(&p.perturbation),
            TableCell::score(ua.b),
            TableCell::score(ua.a),
            TableCell::difference(ua.difference).with_interval(ua.ci),
        ]);
        row
    };
    Some(Table {
        caption: "What noise, rooms and codecs cost".to_owned(),
        columns,
        rows: all.iter().map(row).collect(),
        notes: notes(all),
        ..Table::default()
    })
}

fn notes(all: &[PerturbedScores]) -> Vec<String> {
    let by_utterance = all.iter().any(|p| p.comparison.is_by_utterance());
    let units = if by_utterance {
        "utterances, where no speakers are known"
    } else {
        "speakers"
    };
    let mut notes = vec![format!(
        "Differences in points of UA on the same utterances, by the same probes, which were trained on the audio as it is; \
         brackets: Student's t on the standard error over {units}."
    )];
    let mut said: Vec<&str> = Vec::new();
    for p in all {
        if !said.contains(&p.perturbation.as_str()) {
            said.push(&p.perturbation);
            notes.push(format!("{}: {}.", p.perturbation, p.about));
        }
    }
    let comparisons: Vec<&Comparison> = all.iter().map(|p| &p.comparison).collect();
    notes.extend(refused(&comparisons).map(|cells| format!("No interval: {cells}.")));
    notes
}
