//! What a reader should know about each partition before its scores.

use crate::format::{count, escape, percent};
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{FEW_CLUSTERS, FEWEST_CLUSTERS, IntervalUnit, Run};

/// Above this many partitions the table is collapsed behind a summary sentence.
const SHOWN: usize = 8;

/// A corpus under a partition.
struct Cut<'a> {
    corpus: &'a str,
    partition: &'a str,
    /// The audit's verdict, and whether it is clean.
    verdict: &'a str,
    clean: bool,
    /// Whether much of the score can be reached without hearing emotion.
    recording: bool,
    nuisance: Option<f64>,
    best: f64,
    /// Number of speakers behind the intervals; none if utterances are the sampling unit.
    speakers: Option<usize>,
}

fn cuts(data: &ReportData) -> Vec<Cut<'_>> {
    let mut cuts: Vec<Cut<'_>> = Vec::new();
    for run in data.headline() {
        let of_this =
            |cut: &&mut Cut<'_>| (cut.corpus, cut.partition) == (&run.corpus, &run.partition);
        match cuts.iter_mut().find(of_this) {
            Some(cut) => {
                cut.best = cut.best.max(run.ua);
                cut.nuisance = cut.nuisance.or(run.nuisance_ua);
                cut.speakers = cut.speakers.max(speakers(run));
            }
            None => {
                let mut audits = data.audits.iter();
                let Some(audit) = audits.find(|audit| {
                    (&audit.corpus, &audit.partition) == (&run.corpus, &run.partition)
                }) else {
                    continue;
                };
                cuts.push(Cut {
                    corpus: &run.corpus,
                    partition: &run.partition,
                    verdict: &audit.verdict,
                    clean: audit.clean,
                    recording: audit.warning.is_some(),
                    nuisance: run.nuisance_ua,
                    best: run.ua,
                    speakers: speakers(run),
                });
            }
        }
    }
    cuts
}

fn speakers(run: &Run) -> Option<usize> {
    let interval = run.interval.as_ref()?;
    (interval.unit == IntervalUnit::Speaker).then_some(interval.units)
}

impl Cut<'_> {
    fn reservations(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.clean {
            said.push(
                "part of a score may be speakers or recordings that were heard in training"
                    .to_owned(),
            );
        }
        if self.recording {
            said.push("part of a score is one of how the utterances were recorded".to_owned());
        }
        match self.speakers {
            None => said.push(
                "intervals count utterances as if no two were of one speaker: too short".to_owned(),
            ),
            Some(n) if n < FEWEST_CLUSTERS => {
                said.push(format!("too few speakers for an interval ({n})"));
            }
            Some(n) if n < FEW_CLUSTERS => {
                said.push(format!(
                    "intervals of {n} speakers rest on an assumption of how much speakers differ"
                ));
            }
            Some(_) => {}
        }
        said
    }

    fn row(&self) -> Vec<TableCell> {
        let speakers = match self.speakers {
            Some(n) => TableCell::number(n.to_string(), n as f64),
            None => TableCell::text("–"),
        };
        let share = |share: f64| TableCell::number(percent(share), share);
        let reservations = self.reservations();
        vec![
            TableCell::text(self.corpus),
            TableCell::text(self.partition),
            TableCell::text(self.verdict),
            speakers,
            share(self.best),
            self.nuisance.map_or_else(|| TableCell::text("–"), share),
            TableCell::text(match reservations.is_empty() {
                true => "nothing was found against it".to_owned(),
                false => reservations.join("; "),
            }),
        ]
    }
}

/// The box at the top of a page.
pub(super) fn believe(data: &ReportData) -> String {
    let cuts = cuts(data);
    if cuts.is_empty() {
        return String::new();
    }
    let counted = |found: fn(&Cut<'_>) -> bool| cuts.iter().filter(|cut| found(cut)).count();
    let sum = format!(
        "Of {}: {} not clean of what was heard in training, {} where the recording alone is far above chance, {} with fewer than \
         {FEW_CLUSTERS} speakers.",
        count(cuts.len(), "partition"),
        counted(|cut| !cut.clean),
        counted(|cut| cut.recording),
        counted(|cut| cut.speakers.is_some_and(|n| n < FEW_CLUSTERS)),
    );
    let table = Table {
        caption: "What speaks against believing a score, by partition".to_owned(),
        columns: vec![
            Column::left("corpus"),
            Column::left("partition"),
            Column::left("audit"),
            Column::right("speakers tested"),
            Column::right("best UA %"),
            Column::right("without hearing emotion %"),
            Column::left("to know"),
        ],
        rows: cuts.iter().map(Cut::row).collect(),
        notes: vec![
            "Without hearing emotion: what duration, level, noise floor, rate and channels give on the same partition.".to_owned(),
        ],
        ..Table::default()
    };
    let table = match cuts.len() > SHOWN {
        true => format!(
            "<details class=\"more\"><summary>All of them</summary>{}</details>",
            table.html()
        ),
        false => table.html(),
    };
    format!(
        "<section class=\"believe\" aria-label=\"What to believe\"><h2>What to believe</h2>\n<p>{}</p>{table}</section>\n",
        escape(&sum)
    )
}
