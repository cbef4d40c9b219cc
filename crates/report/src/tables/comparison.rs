use crate::format::p_value;
use crate::{Cell, Column, ReportData, Table};
use emobox_score::Comparison;

/// Level at which a verdict is given.
const ALPHA: f64 = 0.05;

/// Pairs of systems on the same items: the difference in UA with its interval, p values and a verdict in words.
pub fn comparison_table(data: &ReportData) -> Table {
    let comparisons = &data.scores.comparisons;
    let corrected = comparisons.iter().any(|c| c.ua.p_corrected.is_some());
    let mut columns = vec![
        Column::left("corpus"),
        Column::left("A"),
        Column::left("B"),
        Column::right("UA A %"),
        Column::right("UA B %"),
        Column::right("A − B"),
        Column::right("p"),
    ];
    if corrected {
        columns.push(Column::right("p corrected"));
    }
    columns.extend([
        Column::right("smallest detectable"),
        Column::right("McNemar p"),
        Column::left("verdict"),
    ]);
    let rows = comparisons
        .iter()
        .map(|c| {
            let mut row = vec![
                Cell::text(&c.corpus),
                Cell::text(&c.a),
                Cell::text(&c.b),
                Cell::score(c.ua.a),
                Cell::score(c.ua.b),
                Cell::difference(c.ua.difference).with_interval(Some(c.ua.ci)),
                probability(c.ua.p),
            ];
            if corrected {
                row.push(c.ua.p_corrected.map_or_else(Cell::missing, probability));
            }
            row.extend([
                Cell::score(c.ua.smallest_detectable),
                probability(c.mcnemar.p_exact),
                Cell::text(verdict(c)),
            ]);
            row
        })
        .collect();
    let mut notes = vec![
        "Differences in points of UA with the 95 % interval of a paired bootstrap over speakers. Smallest \
         detectable: what this test part would show as significant four times in five. McNemar takes the \
         utterances as independent, which those of one speaker are not."
            .to_owned(),
    ];
    if corrected {
        notes.push("p corrected: Holm, over the comparisons of this table.".to_owned());
    }
    Table {
        caption: "Systems compared on the same utterances".to_owned(),
        columns,
        rows,
        notes,
        ..Table::default()
    }
}

fn probability(p: f64) -> Cell {
    Cell::number(p_value(p), p)
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
