use crate::format::p_value;
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{Comparison, correct};

/// Level at which a verdict is given.
const ALPHA: f64 = 0.05;

/// Pairs of systems on the same items: the difference in UA with its interval, p-values and a verdict in words.
pub fn comparison_table(data: &ReportData) -> Table {
    // A table of several pairs is corrected as a whole, wherever its rows come from.
    let mut comparisons = data.scores.comparisons.clone();
    correct(&mut comparisons);
    let corrected = comparisons.len() > 1;
    let by_t = comparisons.iter().any(|c| c.ua.p_t.is_some());
    let mcnemar = comparisons.iter().any(|c| c.mcnemar.is_some());
    let partition = comparisons
        .iter()
        .any(|c| c.partition != comparisons[0].partition);
    let mut columns = vec![Column::left("corpus")];
    if partition {
        columns.push(Column::left("partition"));
    }
    columns.extend(["A", "B"].map(Column::left));
    columns.extend([
        Column::right("UA A %"),
        Column::right("UA B %"),
        Column::right("A − B"),
        Column::right("p"),
    ]);
    if corrected {
        columns.push(Column::right("p corrected"));
    }
    if by_t {
        columns.push(Column::right("p by t"));
    }
    columns.push(Column::right("smallest detectable"));
    if mcnemar {
        columns.push(Column::right("McNemar p"));
    }
    columns.push(Column::left("verdict"));
    let rows = comparisons
        .iter()
        .map(|c| {
            let mut row = vec![TableCell::text(&c.corpus)];
            if partition {
                row.push(TableCell::text(&c.partition));
            }
            row.extend([
                TableCell::text(&c.a),
                TableCell::text(&c.b),
                TableCell::score(c.ua.a),
                TableCell::score(c.ua.b),
                TableCell::difference(c.ua.difference).with_interval(c.ua.ci),
                probability(c.ua.p),
            ]);
            if corrected {
                row.push(
                    c.ua.p_corrected
                        .map_or_else(TableCell::missing, probability),
                );
            }
            let optional = |p: Option<f64>| p.map_or_else(TableCell::missing, probability);
            if by_t {
                row.push(optional(c.ua.p_t));
            }
            row.push(TableCell::optional_score(c.ua.smallest_detectable));
            if mcnemar {
                row.push(optional(c.mcnemar.map(|test| test.p_exact)));
            }
            row.push(TableCell::text(verdict(c)));
            row
        })
        .collect();
    let caption = match comparisons.len() {
        0 | 1 => "Systems compared on the same utterances".to_owned(),
        n => format!(
            "Systems compared on the same utterances: {n} pairs, p corrected by Holm over them"
        ),
    };
    Table {
        caption,
        columns,
        rows,
        notes: notes(&comparisons),
        ..Table::default()
    }
}

fn notes(comparisons: &[Comparison]) -> Vec<String> {
    let exact = comparisons
        .iter()
        .all(|c| c.ua.flips.is_none_or(|f| f.exact));
    let by_utterance = comparisons.iter().any(Comparison::is_by_utterance);
    let units = if by_utterance {
        "utterances, where no speakers are known"
    } else {
        "speakers"
    };
    let mut notes = vec![format!(
        "Differences in points of UA. p: sign flips over {units}{}, or “p by t” where that is larger. Brackets and “p by t”: \
         Student's t on the standard error over them. Smallest detectable: what this test part would show as significant four \
         times in five.",
        if exact { ", all of them" } else { ", sampled" }
    )];
    if comparisons.iter().any(|c| c.mcnemar.is_some()) {
        notes.push("McNemar takes the utterances as independent, as they are here.".to_owned());
    }
    let all: Vec<&Comparison> = comparisons.iter().collect();
    notes.extend(refused(&all).map(|cells| format!("No interval and no t: {cells}.")));
    if comparisons.iter().any(|c| c.seeds == [1, 1]) {
        notes.push(
            "One training seed each: what another seed would have given is in none of these numbers."
                .to_owned(),
        );
    }
    notes
}

/// The corpora without an interval, and why.
pub(super) fn refused(comparisons: &[&Comparison]) -> Option<String> {
    let mut named: Vec<String> = Vec::new();
    for comparison in comparisons {
        let reason = comparison.interval.refused;
        let text = reason.map(|reason| format!("{} ({reason})", comparison.corpus));
        named.extend(text.filter(|text| !named.contains(text)));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

fn probability(p: f64) -> TableCell {
    TableCell::number(p_value(p), p)
}

/// What the comparison shows, in words.
pub(crate) fn verdict(comparison: &Comparison) -> String {
    let ua = &comparison.ua;
    if !ua.is_significant(ALPHA) {
        return "no difference shown".to_owned();
    }
    let better = if ua.difference > 0.0 {
        &comparison.a
    } else {
        &comparison.b
    };
    format!("{better} is better")
}
