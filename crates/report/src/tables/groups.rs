use super::Grid;
use crate::format::percent;
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{Calibration, GroupScores, Grouping, Run};

/// Scores of each gender, if the manifest has it; `None` if it does not.
pub fn gender_table(data: &ReportData) -> Option<Table> {
    let rows: Vec<Vec<TableCell>> = each_run(data)
        .flat_map(|(system, run)| {
            let groups = data.siblings(run).flat_map(|sibling| &sibling.groups);
            let genders = groups.filter(|group| group.by == Grouping::Gender);
            let genders: Vec<&GroupScores> = genders.collect();
            let mut rows: Vec<Vec<TableCell>> = genders
                .iter()
                .map(|group| row(run, &system, group))
                .collect();
            rows.extend(gap_row(run, &system, &genders));
            rows
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Scores by gender, over all test items".to_owned(),
        columns: [
            Column::left("corpus"),
            Column::left("encoder"),
            Column::left("gender"),
            Column::right("n"),
            Column::right("UA %"),
            Column::right("WA %"),
            Column::right("macro F1 %"),
        ]
        .to_vec(),
        rows,
        notes: vec![
            "In brackets: 95 % intervals over the speakers of a gender, where there are enough of them, and of the gap between two genders (Welch's t). Of \
             several training seeds, the first."
                .to_owned(),
        ],
        ..Table::default()
    })
}

/// The difference of two genders, if both have an interval.
fn gap_row(run: &Run, system: &str, genders: &[&GroupScores]) -> Option<Vec<TableCell>> {
    let [a, b] = genders else { return None };
    let gap = emobox_score::gap(a, b, 0.95)?;
    let nothing = || TableCell::text("–");
    let n = a.n + b.n;
    Some(vec![
        TableCell::text(&run.corpus),
        TableCell::text(system),
        TableCell::text(format!("{} − {}", a.group, b.group)),
        TableCell::number(n.to_string(), n as f64),
        TableCell {
            interval: Some(gap.ci),
            ..TableCell::number(format!("{:+.2}", 100.0 * gap.ua).replace('-', "−"), gap.ua)
        },
        nothing(),
        nothing(),
    ])
}

fn row(run: &Run, system: &str, group: &GroupScores) -> Vec<TableCell> {
    vec![
        TableCell::text(&run.corpus),
        TableCell::text(system),
        TableCell::text(&group.group),
        TableCell::number(group.n.to_string(), group.n as f64),
        TableCell {
            interval: group.ua_ci,
            ..TableCell::score(group.ua)
        },
        TableCell::score(group.wa),
        TableCell::score(group.macro_f1),
    ]
}

/// Log-loss, Brier score and calibration error, if predictions have probabilities; `None` if none do.
pub fn calibration_table(data: &ReportData) -> Option<Table> {
    let rows: Vec<Vec<TableCell>> = each_run(data)
        .filter_map(|(system, run)| {
            let calibration = data
                .siblings(run)
                .find_map(|sibling| sibling.calibration.as_ref())?;
            Some(calibration_row(run, &system, calibration))
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        caption: "What the probabilities are worth, over all test items".to_owned(),
        columns: [
            Column::left("corpus"),
            Column::left("encoder"),
            Column::right("log-loss"),
            Column::right("Brier score"),
            Column::right("calibration error %"),
        ]
        .to_vec(),
        rows,
        notes: vec![
            "Log-loss in nats; Brier score summed over classes, 0 to 2; expected calibration error over 15 bins of \
             confidence. Less is better in all three."
                .to_owned(),
        ],
        ..Table::default()
    })
}

fn calibration_row(run: &Run, system: &str, calibration: &Calibration) -> Vec<TableCell> {
    let plain = |value: f64| TableCell::number(format!("{value:.3}"), value);
    vec![
        TableCell::text(&run.corpus),
        TableCell::text(system),
        plain(calibration.log_loss),
        plain(calibration.brier),
        TableCell::number(percent(calibration.ece), calibration.ece),
    ]
}

/// Headline runs with the name of their system.
fn each_run(data: &ReportData) -> impl Iterator<Item = (String, &Run)> {
    let grid = Grid::of(data);
    let runs: Vec<(String, &Run)> = grid
        .runs()
        .map(|(_, system, run)| (grid.systems[system].clone(), run))
        .collect();
    runs.into_iter()
}
