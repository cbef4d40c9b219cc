use super::grid::reason;
use super::heard_mark;
use crate::paper::paper;
use crate::table::mark_best;
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{Absent, AbsentState, CrossMatrix};

/// Level of the interval of an average, as for the cells.
const LEVEL: f64 = 0.95;

const PAPER_NOTE: &str =
    "Paper: Table 5 of Ma et al., Interspeech 2024, and Equation 1 from its cells.";

/// Accuracy across corpora as in Table 5 of the paper: a row for each encoder and test corpus, a column for each
/// training corpus. The best three encoders of each pair are marked.
pub fn cross_table(data: &ReportData) -> Table {
    let matrices = &data.scores.cross;
    let corpora = corpora(data);
    let beside = data.beside.is_some()
        && matrices
            .iter()
            .any(|matrix| paper().model(&matrix.encoder).is_some());
    let mut columns = vec![Column::left("encoder"), Column::left("tested on")];
    for train in &corpora {
        columns.push(Column::right(format!("trained on {train}")));
        if beside {
            columns.extend(["paper", "difference"].map(Column::joined));
        }
    }
    let mut rows = Vec::new();
    for encoder in encoders(data) {
        let matrix = matrices.iter().find(|matrix| matrix.encoder == encoder);
        for test in &corpora {
            let mut row = vec![TableCell::text(encoder), TableCell::text(*test)];
            for train in &corpora {
                let cell = matrix.and_then(|matrix| matrix.cell(train, test));
                let own = cell.map(|cell| cell.accuracy);
                let heard = cell.and_then(|cell| cell.heard.as_deref());
                row.push(match (own, why_empty(data, encoder, train, test)) {
                    (None, Some(reason)) => TableCell::absent(reason),
                    _ => heard_mark(TableCell::optional_score(own), heard),
                });
                if beside {
                    let model = paper().model(encoder);
                    let figure = model.and_then(|model| paper().cross(model, train, test));
                    row.push(TableCell::optional_score(figure));
                    let difference = own.zip(figure).map(|(a, b)| TableCell::difference(a - b));
                    row.push(difference.unwrap_or_else(TableCell::missing));
                }
            }
            rows.push(row);
        }
    }
    let step = if beside { 3 } else { 1 };
    for test in 0..corpora.len() {
        for train in (0..corpora.len()).filter(|train| *train != test) {
            let of_this_test = rows.iter_mut().skip(test).step_by(corpora.len());
            let mut pair: Vec<&mut TableCell> = of_this_test
                .filter_map(|row| row.get_mut(2 + train * step))
                .collect();
            mark_best(&mut pair);
        }
    }
    let mut notes = heard_cells(matrices);
    if beside {
        notes.push(PAPER_NOTE.to_owned());
    }
    Table {
        caption: "Accuracy across corpora in per cent, on balanced test sets".to_owned(),
        columns,
        rows,
        ranked: Some("encoder on the pair"),
        notes,
        ..Table::default()
    }
}

/// Equation 1 for each encoder, with the recall of each class over all pairs.
pub fn cross_average_table(data: &ReportData) -> Table {
    let matrices = &data.scores.cross;
    let scored = |class: &&String| {
        matrices
            .iter()
            .any(|matrix| recall(matrix, class).is_some())
    };
    let classes = matrices.first().map_or(&[][..], |matrix| &matrix.classes);
    let classes: Vec<&String> = classes.iter().filter(scored).collect();
    let beside = data.beside.is_some()
        && matrices
            .iter()
            .any(|matrix| paper().model(&matrix.encoder).is_some());
    let mut columns = vec![Column::left("encoder"), Column::right("average %")];
    if beside {
        columns.extend(["paper", "difference"].map(Column::joined));
    }
    columns.extend(
        classes
            .iter()
            .map(|class| Column::right(format!("recall of {class} %"))),
    );
    let mut rows: Vec<Vec<TableCell>> = matrices
        .iter()
        .map(|matrix| {
            let average = matrix.average();
            let error = matrix.average_error();
            let interval = average
                .zip(error)
                .and_then(|(score, e)| e.interval(score, LEVEL));
            let cell = TableCell::optional_score(average).with_interval(interval);
            let mut row = vec![TableCell::text(&matrix.encoder), cell];
            if beside {
                let figure = paper()
                    .model(&matrix.encoder)
                    .and_then(|m| paper().cross_average(m));
                row.push(TableCell::optional_score(figure));
                let difference = average
                    .zip(figure)
                    .map(|(a, b)| TableCell::difference(a - b));
                row.push(difference.unwrap_or_else(TableCell::missing));
            }
            row.extend(
                classes
                    .iter()
                    .map(|class| TableCell::optional_score(recall(matrix, class))),
            );
            row
        })
        .collect();
    mark_best(
        &mut rows
            .iter_mut()
            .filter_map(|row| row.get_mut(1))
            .collect::<Vec<_>>(),
    );
    let mut notes = vec![
        "Average: the mean accuracy over all pairs of different corpora (Equation 1 of the paper), with what other speakers \
         in the test sets and, of several training seeds, other seeds would change at most."
            .to_owned(),
    ];
    if beside {
        notes.push(PAPER_NOTE.to_owned());
    }
    Table {
        caption: "Averages across corpora".to_owned(),
        columns,
        rows,
        ranked: Some("encoder"),
        notes,
        ..Table::default()
    }
}

/// Every pair in full: size of the test set, accuracy with its interval, UA, macro F1 and the recall of each class.
pub fn cross_pairs_table(data: &ReportData) -> Table {
    let matrices = &data.scores.cross;
    let mut classes: Vec<&String> = Vec::new();
    for class in matrices.iter().flat_map(|matrix| &matrix.classes) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    let mut columns = ["encoder", "trained on", "tested on"]
        .map(Column::left)
        .to_vec();
    columns.extend(["n", "accuracy %", "UA %", "macro F1 %"].map(Column::right));
    let recalls = classes.iter().map(|c| format!("recall of {c} %"));
    columns.extend(recalls.map(Column::right));
    let mut rows = Vec::new();
    for matrix in matrices {
        for cell in &matrix.cells {
            let mut row = [&matrix.encoder, &cell.train, &cell.test]
                .map(TableCell::text)
                .to_vec();
            row.push(TableCell::number(cell.n.to_string(), cell.n as f64));
            let accuracy = TableCell::score(cell.accuracy).with_interval(cell.accuracy_ci);
            row.push(heard_mark(accuracy, cell.heard.as_deref()));
            row.push(TableCell::score(cell.ua));
            row.push(TableCell::score(cell.macro_f1));
            row.extend(classes.iter().map(|class| {
                let scores = cell.per_class.iter();
                let found = scores.filter(|c| c.class == **class && c.support > 0);
                TableCell::optional_score(found.map(|c| c.recall).next())
            }));
            rows.push(row);
        }
    }
    for absent in &data.scores.absent {
        let Some(test) = &absent.tested_on else {
            continue;
        };
        let mut row = [&absent.encoder, &absent.corpus, test]
            .map(TableCell::text)
            .to_vec();
        row.push(TableCell::missing());
        row.push(TableCell::absent(reason(absent)));
        row.resize_with(columns.len(), TableCell::missing);
        rows.push(row);
    }
    Table {
        caption: "Pairs of corpora with 95 % intervals".to_owned(),
        columns,
        rows,
        notes: heard_cells(matrices),
        ..Table::default()
    }
}

/// The meaning of the mark: a sentence for each encoder and kind of exposure.
fn heard_cells(matrices: &[CrossMatrix]) -> Vec<String> {
    let mut told: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for matrix in matrices {
        for cell in &matrix.cells {
            let Some(how) = cell.heard.as_deref() else {
                continue;
            };
            let known = told.iter_mut();
            let mut known = known.filter(|(e, h, _)| (*e, *h) == (&*matrix.encoder, how));
            match known.next() {
                None => told.push((&matrix.encoder, how, vec![&cell.test])),
                Some((.., corpora)) if corpora.contains(&&*cell.test) => {}
                Some((.., corpora)) => corpora.push(&cell.test),
            }
        }
    }
    let sentence = |(encoder, how, corpora): (&str, &str, Vec<&str>)| {
        format!(
            "† {encoder} has heard {} in training: {how}.",
            corpora.join(", ")
        )
    };
    told.into_iter().map(sentence).collect()
}

/// Corpora of all matrices, then of pairs that are empty, in order of appearance.
fn corpora(data: &ReportData) -> Vec<&str> {
    let of_matrices = data.scores.cross.iter().flat_map(|matrix| &matrix.corpora);
    let empty = data
        .scores
        .absent
        .iter()
        .filter(|absent| absent.tested_on.is_some() && absent.state != AbsentState::Skipped);
    let of_empty =
        empty.flat_map(|absent| std::iter::once(&absent.corpus).chain(&absent.tested_on));
    unique(of_matrices.chain(of_empty))
}

/// Encoders of all matrices, then of pairs that are empty.
fn encoders(data: &ReportData) -> Vec<&str> {
    let of_matrices = data.scores.cross.iter().map(|matrix| &matrix.encoder);
    let empty = data
        .scores
        .absent
        .iter()
        .filter(|absent| absent.tested_on.is_some());
    unique(of_matrices.chain(empty.map(|absent| &absent.encoder)))
}

fn unique<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for name in names {
        if !found.contains(&name.as_str()) {
            found.push(name);
        }
    }
    found
}

/// Why a pair of corpora has no score.
fn why_empty(data: &ReportData, encoder: &str, train: &str, test: &str) -> Option<String> {
    let mut empty = data.scores.absent.iter();
    let pair = |absent: &&Absent| {
        (absent.encoder.as_str(), absent.corpus.as_str()) == (encoder, train)
            && absent.tested_on.as_deref() == Some(test)
    };
    empty.find(pair).map(reason)
}

/// Mean recall of a class over the pairs of different corpora.
fn recall(matrix: &CrossMatrix, class: &str) -> Option<f64> {
    let recalls: Vec<f64> = matrix
        .cells
        .iter()
        .filter(|cell| cell.train != cell.test)
        .filter_map(|cell| {
            cell.per_class
                .iter()
                .find(|c| c.class == class && c.support > 0)
        })
        .map(|scores| scores.recall)
        .collect();
    (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
}
