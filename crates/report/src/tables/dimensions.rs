use super::grid::state_name;
use crate::table::field;
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{Concordance, DimensionScores, FoldName, IntervalUnit};
use std::fmt::Write;

/// The names of the columns: each dimension that any cell has, then the mean.
fn names(all: &[&DimensionScores]) -> Vec<String> {
    let mut names: Vec<String> = Concordance::DIMENSIONS.map(str::to_owned).to_vec();
    let of = |scores: &&DimensionScores| scores.scores.clone();
    let found: Vec<String> = all.iter().flat_map(of).map(|s| s.dimension).collect();
    names.retain(|name| found.contains(name));
    for name in found {
        if name != Concordance::MEAN && !names.contains(&name) {
            names.push(name);
        }
    }
    names.push(Concordance::MEAN.to_owned());
    names
}

/// The heading of a column that identifies a row, its value, and whether it is shown.
type Field = (&'static str, fn(&DimensionScores) -> &String, bool);

/// The concordance of each dimension and their mean, a row for each corpus and encoder; none if dimensions were not learnt.
pub fn dimensions_table(data: &ReportData) -> Option<Table> {
    let all = data.scores.dimensions.iter();
    let rows: Vec<&DimensionScores> = all.filter(|scores| scores.headline).collect();
    let first = *rows.first()?;
    let differs =
        |of: fn(&DimensionScores) -> &String| rows.iter().any(|scores| of(scores) != of(first));
    let fields: [Field; 5] = [
        ("corpus", |s| &s.corpus, true),
        ("encoder", |s| &s.encoder, true),
        ("partition", |s| &s.partition, differs(|s| &s.partition)),
        ("protocol", |s| &s.protocol, differs(|s| &s.protocol)),
        ("configuration", |s| &s.config, differs(|s| &s.config)),
    ];
    let shown: Vec<_> = fields.iter().filter(|(.., shown)| *shown).collect();
    let dimensions = names(&rows);
    let mut columns: Vec<Column> = shown.iter().map(|(name, ..)| Column::left(*name)).collect();
    columns.push(Column::right("n"));
    columns.extend(dimensions.iter().map(Column::right));
    columns.push(Column::left("speakers heard in training"));
    let cell = |scores: &DimensionScores, dimension: &String| {
        let mut found = scores.scores.iter();
        let found = found.find(|score| score.dimension == *dimension);
        match found.map(|score| (score, score.ccc)) {
            None => TableCell::missing(),
            Some((_, None)) => TableCell::absent(UNDEFINED),
            Some((score, Some(ccc))) => TableCell::score(ccc).with_interval(score.ci),
        }
    };
    let row = |scores: &&DimensionScores| {
        let mut row: Vec<TableCell> = shown
            .iter()
            .map(|(_, of, _)| TableCell::text(of(scores)))
            .collect();
        row.push(TableCell::number(scores.n.to_string(), scores.n as f64));
        row.extend(dimensions.iter().map(|dimension| cell(scores, dimension)));
        row.push(TableCell::text(scores.audit.as_deref().unwrap_or("–")));
        row
    };
    // If there are runs too, empty cells are in their table.
    let empty = data.empty_cells().filter(|_| !data.has_classes());
    let absent = empty.map(|absent| {
        let word = |(name, ..): &&Field| match *name {
            "corpus" => TableCell::text(&absent.corpus),
            "encoder" => TableCell::text(&absent.encoder),
            "partition" => TableCell::text(&absent.partition),
            _ => TableCell::missing(),
        };
        let mut row: Vec<TableCell> = shown.iter().map(word).collect();
        row.push(TableCell::missing());
        row.extend(dimensions.iter().map(|_| TableCell::absent(&absent.reason)));
        row.push(TableCell::missing());
        row
    });
    Some(Table {
        caption: format!(
            "Dimensions: concordance (CCC × 100), {}",
            fields[2..]
                .iter()
                .filter(|(.., shown)| !shown)
                .map(|(name, of, _)| format!("{name} {}", of(first)))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        columns,
        rows: rows.iter().map(row).chain(absent).collect(),
        notes: notes(&rows),
        keys: shown.len(),
        ..Table::default()
    })
}

/// Why a cell has no coefficient.
const UNDEFINED: &str =
    "not defined: fewer than two utterances, or one and the same constant on both sides";

fn notes(rows: &[&DimensionScores]) -> Vec<String> {
    let mut notes = vec![
        "Lin's concordance correlation coefficient with population moments, in hundredths; the mean is that of the dimensions. \
         It is no accuracy and stands beside none."
            .to_owned(),
    ];
    let intervals = || rows.iter().filter_map(|row| row.interval);
    if intervals().any(|how| how.refused.is_none()) {
        let by_utterance = intervals().any(|how| how.unit == IntervalUnit::Utterance);
        notes.push(format!(
            "In brackets: 95 % intervals, Student's t on a jackknife over {}.",
            match by_utterance {
                true => "speakers, or utterances where no two speakers are known",
                false => "speakers",
            }
        ));
    }
    let named = |keep: &dyn Fn(&DimensionScores) -> bool| -> String {
        let mut names: Vec<&str> = Vec::new();
        for row in rows.iter().filter(|row| keep(row)) {
            if !names.contains(&row.corpus.as_str()) {
                names.push(&row.corpus);
            }
        }
        names.join(", ")
    };
    let few = named(&|row| row.interval.is_some_and(|how| how.refused.is_some()));
    if !few.is_empty() {
        notes.push(format!("No interval, fewer than 5 speakers: {few}."));
    }
    let marked = named(&|row| row.interval.is_some_and(|how| how.is_marked()));
    if !marked.is_empty() {
        notes.push(format!(
            "Fewer than 20 speakers, so read the interval with care: {marked}."
        ));
    }
    let pooled = named(&|row| row.fold == FoldName::Pooled && row.interval.is_some());
    if !pooled.is_empty() {
        notes.push(format!(
            "Pooled over folds, since a fold has no coefficient there: {pooled}."
        ));
    }
    for row in rows {
        for skipped in &row.skipped {
            let note = format!(
                "{}: {} left out, {}.",
                row.corpus, skipped.count, skipped.reason
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    let seeds = rows.iter().map(|row| row.seeds).max().unwrap_or(1);
    if seeds > 1 {
        notes.push(format!("Means over {seeds} training seeds."));
    }
    notes
}

/// Every coefficient, including each fold's, as comma-separated values in full precision, then the cells without scores with
/// state and reason; empty if dimensions were not learnt.
pub fn dimensions_csv(data: &ReportData) -> String {
    if data.scores.dimensions.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "corpus,encoder,protocol,partition,config,fold,n,dimension,ccc,ccc_low,ccc_high,headline,seeds,ccc_seeds_sd,audit,state,stage,reason\r\n",
    );
    for scores in &data.scores.dimensions {
        for score in &scores.scores {
            let words = [
                &scores.corpus,
                &scores.encoder,
                &scores.protocol,
                &scores.partition,
                &scores.config,
            ];
            for word in words {
                let _ = write!(out, "{},", field(word));
            }
            let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
            let [low, high] = [0, 1].map(|end| number(score.ci.map(|ci| ci[end])));
            let _ = write!(
                out,
                "{},{},{},{},{low},{high},{},{},{},{},done,,\r\n",
                scores.fold,
                scores.n,
                field(&score.dimension),
                number(score.ccc),
                scores.headline,
                scores.seeds,
                number(score.seeds),
                field(scores.audit.as_deref().unwrap_or_default()),
            );
        }
    }
    // If there are runs too, empty cells are theirs.
    for absent in data.empty_cells().filter(|_| !data.has_classes()) {
        let [corpus, encoder, partition] =
            [&absent.corpus, &absent.encoder, &absent.partition].map(|word| field(word));
        let _ = write!(out, "{corpus},{encoder},,{partition},{}", ",".repeat(10));
        let state = state_name(absent.state);
        let [stage, reason] = [&absent.stage, &absent.reason].map(|word| field(word));
        let _ = write!(out, ",{state},{stage},{reason}\r\n");
    }
    out
}
