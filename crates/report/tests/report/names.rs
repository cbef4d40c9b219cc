//! What the columns are called.

use crate::{common, large};
use emobox_report::{Metric, ReportData, html, intra_table, scores_table, terminal_table};

fn columns(data: &ReportData) -> Vec<String> {
    let table = intra_table(data, &[Metric::Ua]);
    table.columns[1..]
        .iter()
        .map(|c| c.heading.clone())
        .collect()
}

/// The published figures with a config for each encoder.
fn configured(config: impl Fn(&str) -> String) -> ReportData {
    let mut data = common::published();
    for run in &mut data.scores.runs {
        run.config = config(&run.encoder);
    }
    data
}

#[test]
fn a_column_is_the_encoder_alone_where_the_setting_is_shared() {
    let data = large::report();
    let names: Vec<&str> = large::ENCODERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(columns(&data), names);
    let table = intra_table(&data, &[Metric::Ua]);
    assert_eq!(
        table.caption,
        "UA in per cent, within corpora: partition paper, protocol strict, one layer of each encoder, utterance norm, \
         f32"
    );
    assert!(table.notes.iter().any(|note| {
        note.starts_with("Layer of each encoder: 12 (wav2vec2-base, hubert-base-ls960,")
    }));
    assert!(
        !scores_table(&data)
            .columns
            .iter()
            .any(|c| c.heading == "setting")
    );
}

#[test]
fn what_differs_is_in_the_name_and_nothing_else() {
    let data = configured(|encoder| {
        let layer = if encoder.contains("large") { 24 } else { 12 };
        let weighting = if encoder.contains("Whisper") {
            ", balanced classes"
        } else {
            ""
        };
        format!("layer {layer}, utterance norm, f32{weighting}")
    });
    let names = columns(&data);
    assert_eq!(names.last().unwrap(), "Whisper large v3 (balanced classes)");
    assert!(
        names[..9].iter().all(|name| !name.contains('(')),
        "{names:?}"
    );
    let same = configured(|_| "layer 6, utterance norm".to_owned());
    assert!(columns(&same).iter().all(|name| !name.contains('(')));
    assert!(
        intra_table(&same, &[Metric::Ua])
            .caption
            .ends_with("layer 6, utterance norm")
    );
}

#[test]
fn two_layers_of_one_encoder_are_two_columns() {
    let mut data = configured(|_| "layer 12, f32".to_owned());
    let mut again: Vec<_> = data
        .scores
        .runs
        .iter()
        .filter(|r| r.encoder.contains("Whisper"))
        .cloned()
        .collect();
    for run in &mut again {
        run.config = "layer 6, f32".to_owned();
    }
    data.scores.runs.extend(again);
    let names = columns(&data);
    assert_eq!(
        names[9..],
        ["Whisper large v3 (layer 12)", "Whisper large v3 (layer 6)"]
    );
    assert!(
        scores_table(&data)
            .columns
            .iter()
            .any(|c| c.heading == "setting")
    );
}

#[test]
fn a_partition_that_belongs_to_a_corpus_splits_no_column() {
    let mut data = common::published();
    for run in &mut data.scores.runs {
        if run.corpus == "urdu" {
            run.partition = "speaker".into();
        }
    }
    assert_eq!(columns(&data).len(), 10);
    let table = intra_table(&data, &[Metric::Ua]);
    assert!(
        table
            .notes
            .iter()
            .any(|note| note.ends_with("; speaker (urdu).")),
        "{:?}",
        table.notes
    );
}

#[test]
fn many_encoders_fit_a_terminal_and_notes_name_a_corpus_once() {
    let text = terminal_table(&large::report());
    let headings = text.lines().filter(|line| line.starts_with("corpus "));
    assert_eq!(headings.count(), 2, "two groups of columns");
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("aesdd "))
            .count(),
        2
    );
    let few = text
        .lines()
        .find(|line| line.starts_with("Fewer than 20 speakers"))
        .unwrap();
    assert_eq!(few.matches("ased (5)").count(), 1, "{few}");
    let refused = text.lines().find(|line| line.starts_with("No interval"));
    assert_eq!(refused.unwrap().matches("aesdd (4)").count(), 1);
    let left_out = text
        .lines()
        .find(|line| line.starts_with("Utterances left out, longer than 30 s: "))
        .unwrap();
    assert!(left_out.contains("aesdd 3,"), "{left_out}");
}

#[test]
fn tables_come_before_charts_and_notices_are_grouped() {
    let page = html(&large::report());
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text}"));
    let tables = [
        "UA in per cent",
        "WA in per cent",
        "macro F1 in per cent",
        "Scores: mean over folds",
    ];
    for pair in tables.windows(2) {
        assert!(at(pair[0]) < at(pair[1]), "{pair:?}");
    }
    assert!(at("Scores: mean over folds") < at("<figure"));
    assert_eq!(page.matches("files were skipped while reading").count(), 1);
    assert_eq!(page.matches("class=\"warning\"").count(), 2);
}
