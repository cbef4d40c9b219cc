use super::grid::{Slot, reason};
use super::intra::paper_note;
use super::{Grid, Metric, as_published, cut_note, heard_notes, marks, not_comparable};
use crate::format::coordinate;
use crate::paper::{PaperScore, PaperSource, paper};
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{
    Absent, FEW_CLUSTERS, FoldName, IntervalMethod, IntervalUnit, Leak, NoInterval, Oracle, Run,
    leaks,
};

/// Above this many rows a wide table is printed on a terminal in groups of columns.
const MANY: usize = 24;

/// One row for each corpus and encoder: UA, WA and macro F1 in per cent with their intervals, the
/// test-selected UA in a labelled column, and the audit's verdict. A row without scores says why.
pub fn scores_table(data: &ReportData) -> Table {
    let grid = Grid::of(data);
    let runs: Vec<&Run> = grid.runs().map(|(.., run)| run).collect();
    let words = |run: &Run| grid.naming.words(run);
    let cut = |absent: &Absent| match grid.naming.names_partitions() {
        true => absent.partition.clone(),
        false => String::new(),
    };
    let extras = Extras {
        words: runs.iter().any(|run| !words(run).is_empty()),
        paper: runs.iter().any(|run| published(run, data.beside).is_some()),
        oracle: runs.iter().any(|run| run.oracle.is_some()),
        seeds: runs.iter().any(|run| run.seeds.is_some()),
        as_published: runs.iter().any(|run| run.as_published.is_some()),
        nuisance: runs.iter().any(|run| run.nuisance_ua.is_some()),
        leaks: leaks(&data.scores.runs),
        audit: runs.iter().any(|run| run.audit.is_some()),
    };
    let mut rows: Vec<Vec<TableCell>> = grid
        .slots()
        .filter_map(|(.., slot)| match slot {
            Slot::Run(run) => Some(extras.row(run, words(run), data.beside)),
            Slot::Absent(absent) => Some(extras.absent_row(absent, cut(absent))),
            Slot::Nothing => None,
        })
        .collect();
    // A cell that is open under one partition and done under another has its scores in the grid.
    let shown = |absent: &Absent| {
        let mut slots = grid.slots();
        slots.any(|(.., slot)| matches!(slot, Slot::Absent(known) if known == absent))
    };
    let hidden = data.empty_cells().filter(|absent| !shown(absent));
    rows.extend(hidden.map(|absent| extras.absent_row(absent, cut(absent))));
    let mut notes = notes(&runs);
    notes.extend_from_slice(grid.naming.notes());
    notes.extend(column_notes(&runs, &extras));
    notes.extend(soft_note(&runs));
    if extras.paper {
        notes.push(paper_note());
        let with_figure = runs.iter().copied();
        notes.extend(not_comparable(
            with_figure.filter(|run| published(run, data.beside).is_some()),
        ));
    }
    let caption = match grid.naming.shared().as_str() {
        _ if runs.is_empty() => "Scores".to_owned(),
        "" => over_folds(&runs).to_owned(),
        shared => format!("{}, {shared}", over_folds(&runs)),
    };
    Table {
        caption,
        columns: extras.columns(),
        keys: if rows.len() > MANY { extras.keys() } else { 0 },
        rows,
        notes,
        ..Table::default()
    }
}

/// The columns that a report has only if it has something for them.
struct Extras {
    words: bool,
    paper: bool,
    oracle: bool,
    seeds: bool,
    as_published: bool,
    nuisance: bool,
    leaks: Vec<Leak>,
    audit: bool,
}

impl Extras {
    /// How many columns identify a row.
    fn keys(&self) -> usize {
        if self.words { 3 } else { 2 }
    }

    fn row(&self, run: &Run, words: String, source: Option<PaperSource>) -> Vec<TableCell> {
        let mut row = vec![TableCell::text(&run.corpus), TableCell::text(marked(run))];
        if self.words {
            row.push(TableCell::text(words));
        }
        row.push(match run.n {
            0 => TableCell::missing(),
            n => TableCell::number(n.to_string(), n as f64),
        });
        let intervals = [run.ua_ci, run.wa_ci, run.macro_f1_ci];
        for (metric, interval) in Metric::ALL.into_iter().zip(intervals) {
            row.push(TableCell::score(metric.of(run)).with_interval(interval));
            if self.seeds {
                row.push(deviation(run, metric));
            }
            if self.paper {
                row.extend(beside(run, metric, source));
            }
        }
        if self.oracle {
            row.push(TableCell::optional_score(run.oracle.as_ref().map(|o| o.ua)));
        }
        if self.as_published {
            let ua = run.as_published.as_ref().map(|p| p.ua);
            row.push(TableCell::optional_score(ua));
        }
        if self.nuisance {
            row.push(TableCell::optional_score(run.nuisance_ua));
        }
        if !self.leaks.is_empty() {
            let of_it = |leak: &&Leak| {
                (&leak.corpus, &leak.encoder, &leak.partition)
                    == (&run.corpus, &run.encoder, &run.partition)
            };
            let leak = self.leaks.iter().find(of_it);
            row.push(leak.map_or_else(TableCell::missing, |leak| {
                TableCell::difference(leak.ua.difference).with_interval(leak.ua.ci)
            }));
        }
        if self.audit {
            row.push(
                run.audit
                    .as_ref()
                    .map_or_else(TableCell::missing, TableCell::text),
            );
        }
        row
    }

    /// A row in which every number is missing for one reason.
    fn absent_row(&self, absent: &Absent, words: String) -> Vec<TableCell> {
        let mut row = vec![
            TableCell::text(&absent.corpus),
            TableCell::text(&absent.encoder),
        ];
        let empty = TableCell::absent(reason(absent));
        row.resize(self.columns().len(), empty);
        if self.words {
            row[2] = TableCell::text(words);
        }
        row
    }

    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::left("corpus"), Column::left("encoder")];
        if self.words {
            columns.push(Column::left("setting"));
        }
        columns.push(Column::right("n"));
        for metric in Metric::ALL {
            columns.push(Column::right(format!("{} %", metric.name())));
            if self.seeds {
                columns.push(Column::right("± seeds"));
            }
            if self.paper {
                columns.extend(["paper", "difference"].map(Column::joined));
            }
        }
        if self.oracle {
            columns.push(Column::right(format!("UA % {}", Oracle::SELECTION)));
        }
        if self.as_published {
            columns.push(Column::right("UA % as published, not a result"));
        }
        if self.nuisance {
            columns.push(Column::right("UA % without hearing emotion"));
        }
        if !self.leaks.is_empty() {
            columns.push(Column::right("UA less speaker's"));
        }
        if self.audit {
            columns.push(Column::left("audit of the partition"));
        }
        columns
    }
}

/// The encoder with its marks.
fn marked(run: &Run) -> String {
    match marks(run) {
        "" => run.encoder.clone(),
        marks => format!("{} {marks}", run.encoder),
    }
}

/// What is known of encoders trained on the test corpora, and the meaning of the columns beside the scores.
fn column_notes(runs: &[&Run], extras: &Extras) -> Vec<String> {
    let mut notes = heard_notes(runs);
    if extras.nuisance {
        notes.push(
            "Without hearing emotion: what duration, level, noise floor, rate and channels of the recordings alone give on \
             the same partition, by nearest neighbours. Level and duration are partly emotion (anger is loud, sadness slow), the \
             others are not: the column says how far a score can be had without hearing how something is said."
                .to_owned(),
        );
    }
    if !extras.leaks.is_empty() {
        notes.push(
            "UA less speaker's: what speakers on both sides are worth, the score less that of the same encoder on partition \
             speaker; its interval takes the two as independent, which makes it too wide rather than too narrow."
                .to_owned(),
        );
    }
    notes
}

/// The standard deviation between training seeds.
fn deviation(run: &Run, metric: Metric) -> TableCell {
    let deviation = run.seeds.map(|seeds| match metric {
        Metric::Ua => seeds.deviation.ua,
        Metric::Wa => seeds.deviation.wa,
        Metric::MacroF1 => seeds.deviation.macro_f1,
    });
    TableCell::optional_score(deviation)
}

fn published(run: &Run, source: Option<PaperSource>) -> Option<PaperScore> {
    let model = paper().model(&run.encoder)?;
    let score = paper().score(model, &run.corpus, source?);
    (score != PaperScore::default()).then_some(score)
}

/// The published figure and the difference to it.
fn beside(run: &Run, metric: Metric, source: Option<PaperSource>) -> [TableCell; 2] {
    let figure = published(run, source).and_then(|score| metric.of_paper(&score));
    let own = as_published(run, metric).ok();
    let difference = own
        .zip(figure)
        .map(|(own, figure)| TableCell::difference(own - figure));
    [
        TableCell::optional_score(figure),
        difference.unwrap_or_else(TableCell::missing),
    ]
}

/// How the scores of folds are combined into one.
fn over_folds(runs: &[&Run]) -> &'static str {
    let pooled = |run: &&&Run| run.headline && run.fold == FoldName::Pooled;
    match runs.iter().filter(pooled).count() {
        0 => "Scores: mean over folds",
        n if n == runs.len() => "Scores: pooled over folds",
        _ => "Scores: mean over folds, or pooled where the notes say so",
    }
}

/// What a reader of the numbers must know: how the intervals were computed, and what was left out.
fn notes(runs: &[&Run]) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(interval_notes(runs));
    notes.extend(headline_note(runs));
    if let Some(seeds) = runs.iter().find_map(|run| run.seeds) {
        notes.push(format!(
            "Means over {} training seeds, with the standard deviation between them (±).",
            seeds.count
        ));
    }
    notes.extend(left_out(runs));
    notes.extend(cut_note(runs));
    notes
}

/// What was left out: a sentence per reason, a corpus once if all its encoders lost the same.
fn left_out(runs: &[&Run]) -> Vec<String> {
    let reasons = runs
        .iter()
        .flat_map(|run| &run.skipped)
        .map(|s| s.reason.as_str());
    let reasons = each_once(reasons);
    let sentence = |reason: &str| {
        let lost = |run: &Run| -> u64 {
            let of_it = run.skipped.iter().filter(|s| s.reason == reason);
            of_it.map(|s| s.count).sum()
        };
        let corpora = each_once(
            runs.iter()
                .filter(|r| lost(r) > 0)
                .map(|r| r.corpus.as_str()),
        );
        let parts = corpora.into_iter().map(|corpus| {
            let of_corpus: Vec<&&Run> = runs.iter().filter(|r| r.corpus == corpus).collect();
            let counts = each_once(of_corpus.iter().map(|run| lost(run)));
            if let [count] = counts[..] {
                return format!("{corpus} {count}");
            }
            let of_run = |run: &&&Run| format!("{} {}", run.encoder, lost(run));
            let each = each_once(of_corpus.iter().filter(|r| lost(r) > 0).map(of_run));
            format!("{corpus} ({})", each.join(", "))
        });
        let parts: Vec<String> = parts.collect();
        format!("Utterances left out, {reason}: {}.", parts.join(", "))
    };
    reasons.into_iter().map(sentence).collect()
}

/// Every item once, in order of appearance.
fn each_once<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for item in items {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

/// How the intervals were computed, which are missing, and which are based on few speakers.
fn interval_notes(runs: &[&Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let intervals: Vec<_> = runs.iter().filter_map(|run| run.interval).collect();
    if let Some(first) = intervals.iter().find(|how| how.refused.is_none()) {
        let utterances = intervals
            .iter()
            .filter(|how| how.unit == IntervalUnit::Utterance)
            .count();
        let what = match utterances {
            0 => "speakers",
            n if n == intervals.len() => "utterances, as no two speakers are known",
            _ => "speakers, or utterances where no two speakers are known",
        };
        let how = match first.method {
            IntervalMethod::ClusterT => format!("Student's t on the standard error over {what}"),
            IntervalMethod::Jackknife => format!("Student's t on a jackknife over {what}"),
            IntervalMethod::PercentileBootstrap => format!("percentile bootstrap over {what}"),
        };
        notes.push(format!(
            "In brackets: {} % intervals, {how}.",
            coordinate(100.0 * first.level)
        ));
    }
    let named = |keep: &dyn Fn(&Run, &emobox_score::Interval) -> bool| {
        let how = runs.iter().filter_map(|run| Some((run, run.interval?)));
        let named = how.filter(|(run, how)| keep(run, how));
        each_once(named.map(|(run, how)| format!("{} ({})", run.corpus, how.units)))
    };
    let few = named(&|_, how| how.unit == IntervalUnit::Speaker && how.is_marked());
    if !few.is_empty() {
        notes.push(format!(
            "Fewer than {FEW_CLUSTERS} speakers, so the interval rests on an assumption of how much speakers differ at least \
             (docs/statistics.md): {}.",
            few.join(", ")
        ));
    }
    let perfect = named(&|run, _| run.ua >= 1.0 && run.ua_ci.is_some());
    if !perfect.is_empty() {
        notes.push(format!(
            "Everything is right, so [100, 100] says only that no error was seen, nothing of other speakers: {}.",
            perfect.join(", ")
        ));
    }
    for reason in [
        NoInterval::FewClusters,
        NoInterval::FewDegrees,
        NoInterval::NoSpread,
    ] {
        let refused = named(&|_, how| how.refused == Some(reason));
        if !refused.is_empty() {
            notes.push(format!("No interval, {reason}: {}.", refused.join(", ")));
        }
    }
    notes
}

/// How close probabilities are to annotators' votes, if probes learnt from these.
fn soft_note(runs: &[&Run]) -> Option<String> {
    let cell = |run: &&Run| {
        let soft = run.soft?;
        Some(format!(
            "{} with {} {:.4} (utterances: {})",
            run.corpus, run.encoder, soft.jensen_shannon, soft.n
        ))
    };
    let cells: Vec<String> = runs.iter().filter_map(cell).collect();
    (!cells.is_empty()).then(|| {
        format!(
            "Trained on annotators' votes; UA, WA and F1 are of the corpus's own class all the same. Mean Jensen–Shannon divergence \
             between votes and probabilities in bits, 0 where they are the same, 1 at most: {}.",
            cells.join(", ")
        )
    })
}

/// Which rows are pooled scores, and why.
fn headline_note(runs: &[&Run]) -> Option<String> {
    let mut pooled: Vec<&str> = runs
        .iter()
        .filter(|run| run.headline && run.fold == FoldName::Pooled)
        .map(|run| run.corpus.as_str())
        .collect();
    pooled.dedup();
    (!pooled.is_empty()).then(|| {
        format!(
            "Pooled over folds, since a fold lacks a class there: {}. The mean over folds would weigh a class by how \
             the speakers are grouped; it is in scores.json.",
            pooled.join(", ")
        )
    })
}
