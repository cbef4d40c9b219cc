use super::grid::{Slot, reason};
use super::{Grid, Metric, as_published, cut_note, heard_notes, marks, not_comparable};
use crate::paper::{PaperSource, paper};
use crate::table::mark_best;
use crate::{Column, ReportData, Table, TableCell};
use emobox_score::{Estimate, Ranking, Run, Separation, rank, separate};

/// With fewer systems or corpora, pairs are compared instead of a ranking.
const RANKABLE: usize = 3;
/// Level of the critical difference.
const ALPHA: f64 = 0.05;
/// The footer's row of averages that are not over the same corpora.
const OWN: &str = "average of its own";
/// Partition schemes for which an average beside the published one is meaningful.
const COMPARABLE: [&str; 2] = ["published", "paper"];

/// Corpora by encoders, as in Table 4 of the paper: a row for each corpus and metric, the best three of a row
/// marked, and below a rule the average and the mean rank over the corpora on which every encoder has a score.
/// A cell without a score says why.
pub fn intra_table(data: &ReportData, metrics: &[Metric]) -> Table {
    let grid = Grid::of(data);
    let several = metrics.len() > 1;
    let layout = Layout::new(&grid, data.beside);
    let mut columns = vec![Column::left("corpus")];
    if several {
        columns.push(Column::left("metric"));
    }
    columns.extend(layout.columns(&grid));
    let mut table = Table {
        caption: caption(metrics, &grid),
        columns,
        ranked: Some(match layout.rivals.len() {
            1 => "of the row",
            _ => "of the row on its partition",
        }),
        keys: if several { 2 } else { 1 },
        ..Table::default()
    };
    for corpus in 0..grid.corpora.len() {
        for metric in metrics {
            let mut row = vec![TableCell::text(grid.corpora[corpus])];
            if several {
                row.push(TableCell::text(metric.name()));
            }
            row.extend(layout.row(&grid, corpus, *metric));
            table.rows.push(row);
        }
    }
    table.notes.extend_from_slice(grid.naming.notes());
    let runs: Vec<&Run> = grid.runs().map(|(.., run)| run).collect();
    table.notes.extend(heard_notes(&runs));
    table.notes.extend(cut_note(&runs));
    for metric in metrics {
        let rows = Footer::new(&grid, &layout, *metric).rows();
        table.footer.extend(rows.into_iter().map(|(text, cells)| {
            let mut row = vec![TableCell::text(text)];
            if several {
                row.push(TableCell::text(metric.name()));
            }
            row.extend(cells);
            row
        }));
        for rivals in &layout.rivals {
            if let Some((_, ranking)) = ranked(&grid, rivals, *metric) {
                table.notes.push(ranking_note(&ranking, *metric));
            }
            if let Some(separation) = separation(&grid, rivals, *metric) {
                table.notes.push(separation_note(&separation, *metric));
            }
        }
    }
    if table.footer.iter().any(|row| row[0].text == OWN) {
        let sentence = "Shared: corpora on which every encoder has a score; its own: all corpora that an encoder \
                        has a score on, their number in brackets.";
        table.notes.push(sentence.to_owned());
    }
    if layout.paper.iter().any(Option::is_some) {
        table.notes.push(paper_note());
        let cells = (0..grid.corpora.len())
            .flat_map(|c| (0..grid.systems.len()).map(move |s| (c, s)))
            .filter(|(_, s)| layout.paper[*s].is_some());
        table
            .notes
            .extend(not_comparable(cells.filter_map(|(c, s)| grid.run(c, s))));
    }
    table
}

pub(super) fn paper_note() -> String {
    "Paper: Table 4 of Ma et al., Interspeech 2024; “–” is cut in its text. These are no single runs on the \
     published lists, so agreement is judged within a few points; partitions other than “published” differ \
     by more than chance."
        .to_owned()
}

/// The encoders ranked over corpora by one metric, without those that have no score at all; `None` with fewer than
/// three encoders or complete corpora, and where they were tested on several partitions.
pub fn ranking(data: &ReportData, metric: Metric) -> Option<Ranking> {
    let grid = Grid::of(data);
    match &*grid.rivals() {
        [rivals] => Some(ranked(&grid, rivals, metric)?.1),
        _ => None,
    }
}

/// The ranking of those of some systems that have a score somewhere, with their positions in the grid.
fn ranked(grid: &Grid<'_>, rivals: &[usize], metric: Metric) -> Option<(Vec<usize>, Ranking)> {
    let mut scored = scored(grid);
    scored.retain(|system| rivals.contains(system));
    let names: Vec<String> = scored.iter().map(|&s| grid.systems[s].clone()).collect();
    let values: Vec<Vec<Option<f64>>> = (0..grid.corpora.len())
        .map(|c| scored.iter().map(|&s| value(grid, c, s, metric)).collect())
        .collect();
    let ranking = rank(&names, &values, ALPHA).ok()?;
    (names.len() >= RANKABLE && ranking.corpora >= RANKABLE).then_some((scored, ranking))
}

/// The systems that have a score somewhere.
fn scored(grid: &Grid<'_>) -> Vec<usize> {
    let corpora = 0..grid.corpora.len();
    (0..grid.systems.len())
        .filter(|&s| corpora.clone().any(|c| grid.run(c, s).is_some()))
        .collect()
}

fn value(grid: &Grid<'_>, corpus: usize, system: usize, metric: Metric) -> Option<f64> {
    let score = metric.of(grid.run(corpus, system)?);
    score.is_finite().then_some(score)
}

fn caption(metrics: &[Metric], grid: &Grid<'_>) -> String {
    let names: Vec<&str> = metrics.iter().map(|m| m.name()).collect();
    let caption = format!("{} in per cent, within corpora", names.join(", "));
    match grid.naming.shared().as_str() {
        "" => caption,
        shared => format!("{caption}: {shared}"),
    }
}

/// Which systems have a column of published figures, and which are ranked against each other.
struct Layout {
    rivals: Vec<Vec<usize>>,
    beside: Option<PaperSource>,
    paper: Vec<Option<&'static str>>,
}

impl Layout {
    fn new(grid: &Grid<'_>, beside: Option<PaperSource>) -> Self {
        let known = |s| beside.and_then(|_| paper().model(grid.encoder(s)));
        Self {
            rivals: grid.rivals(),
            beside,
            paper: (0..grid.systems.len()).map(known).collect(),
        }
    }

    fn columns(&self, grid: &Grid<'_>) -> Vec<Column> {
        let mut columns = Vec::new();
        for (system, paper) in grid.systems.iter().zip(&self.paper) {
            columns.push(Column::right(system));
            if paper.is_some() {
                columns.extend(["paper", "difference"].map(Column::joined));
            }
        }
        columns
    }

    /// Marks the best of each group of comparable systems.
    fn mark_rivals(&self, cells: &mut [TableCell]) {
        for rivals in &self.rivals {
            let of_group = cells.iter_mut().enumerate();
            let of_group = of_group.filter(|(system, _)| rivals.contains(system));
            mark_best(&mut of_group.map(|(_, cell)| cell).collect::<Vec<_>>());
        }
    }

    /// The published figure of a cell.
    fn published(
        &self,
        grid: &Grid<'_>,
        corpus: usize,
        system: usize,
        metric: Metric,
    ) -> Option<f64> {
        let model = (*self.paper.get(system)?)?;
        metric.of_paper(&paper().score(model, grid.corpora[corpus], self.beside?))
    }

    fn row(&self, grid: &Grid<'_>, corpus: usize, metric: Metric) -> Vec<TableCell> {
        let systems = 0..grid.systems.len();
        let mut cells: Vec<TableCell> = systems
            .clone()
            .map(|s| match grid.slot(corpus, s) {
                Slot::Run(run) => TableCell::score(metric.of(run)).marked(marks(run)),
                Slot::Absent(absent) => TableCell::absent(reason(absent)),
                Slot::Nothing => TableCell::missing(),
            })
            .collect();
        self.mark_rivals(&mut cells);
        // Only the score as published is compared with the published figure.
        let comparable = |s| as_published(grid.run(corpus, s)?, metric).ok();
        let pairs = systems.map(|s| (comparable(s), self.published(grid, corpus, s, metric)));
        self.spread(cells, pairs)
    }

    /// Own cells, each followed by the published figure and the difference if it has a column for them.
    fn spread(
        &self,
        cells: Vec<TableCell>,
        pairs: impl Iterator<Item = (Option<f64>, Option<f64>)>,
    ) -> Vec<TableCell> {
        let mut row = Vec::new();
        for ((cell, (own, published)), model) in cells.into_iter().zip(pairs).zip(&self.paper) {
            row.push(cell);
            if model.is_some() {
                row.push(TableCell::optional_score(published));
                let difference = own
                    .zip(published)
                    .map(|(a, b)| TableCell::difference(a - b));
                row.push(difference.unwrap_or_else(TableCell::missing));
            }
        }
        row
    }

    /// A row with own cells only.
    fn own_row(&self, cells: Vec<TableCell>) -> Vec<TableCell> {
        let mut row = Vec::new();
        for (cell, model) in cells.into_iter().zip(&self.paper) {
            row.push(cell);
            if model.is_some() {
                row.extend([TableCell::text(""), TableCell::text("")]);
            }
        }
        row
    }
}

/// The rows below the rule for one metric.
struct Footer<'a, 'b> {
    grid: &'b Grid<'a>,
    layout: &'b Layout,
    metric: Metric,
    /// Corpora on which every scored system has a score.
    complete: Vec<usize>,
}

impl<'a, 'b> Footer<'a, 'b> {
    fn new(grid: &'b Grid<'a>, layout: &'b Layout, metric: Metric) -> Self {
        let scored = scored(grid);
        let whole = |&c: &usize| scored.iter().all(|&s| value(grid, c, s, metric).is_some());
        let complete = (0..grid.corpora.len())
            .filter(|c| !scored.is_empty() && whole(c))
            .collect();
        Self {
            grid,
            layout,
            metric,
            complete,
        }
    }

    fn rows(&self) -> Vec<(String, Vec<TableCell>)> {
        let corpora = self.complete.len();
        let gaps = corpora < self.grid.corpora.len();
        let mut rows = Vec::new();
        if corpora >= 2 {
            let what = if gaps { "shared" } else { "corpora" };
            rows.push((format!("average of {corpora} {what}"), self.average()));
        }
        if gaps && self.grid.corpora.len() >= 2 {
            let cells = (0..self.grid.systems.len()).map(|s| self.own_average(s));
            rows.push((OWN.to_owned(), self.layout.own_row(cells.collect())));
        }
        let mut ranks = vec![TableCell::missing(); self.grid.systems.len()];
        for rivals in &self.layout.rivals {
            if let Some((systems, ranking)) = ranked(self.grid, rivals, self.metric) {
                for (system, &rank) in systems.into_iter().zip(&ranking.mean_ranks) {
                    ranks[system] = TableCell::number(format!("{rank:.2}"), rank);
                }
            }
        }
        if ranks.iter().any(|rank| rank.value.is_some()) {
            rows.push(("mean rank".to_owned(), self.layout.own_row(ranks)));
        }
        rows
    }

    /// The averages over the complete corpora, with the published ones over the same corpora.
    fn average(&self) -> Vec<TableCell> {
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let own: Vec<Option<f64>> = (0..self.grid.systems.len())
            .map(|s| {
                let values = self.complete.iter().map(|&c| self.value(c, s));
                values.collect::<Option<Vec<f64>>>().map(mean)
            })
            .collect();
        let published = |s: usize| {
            let values = self.complete.iter().map(|&c| {
                let run = self.grid.run(c, s)?;
                let comparable = COMPARABLE.contains(&run.partition.as_str());
                let figure = self.layout.published(self.grid, c, s, self.metric);
                figure.filter(|_| comparable)
            });
            values.collect::<Option<Vec<f64>>>().map(mean)
        };
        let mut cells: Vec<TableCell> = own.iter().map(|v| TableCell::optional_score(*v)).collect();
        self.layout.mark_rivals(&mut cells);
        let pairs = own.iter().enumerate().map(|(s, own)| (*own, published(s)));
        self.layout.spread(cells, pairs)
    }

    /// The average over all corpora that a system has, with their number.
    fn own_average(&self, system: usize) -> TableCell {
        let corpora = 0..self.grid.corpora.len();
        let values: Vec<f64> = corpora.filter_map(|c| self.value(c, system)).collect();
        if values.is_empty() {
            return TableCell::missing();
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let text = format!("{} ({})", crate::format::percent(mean), values.len());
        TableCell::number(text, mean)
    }

    fn value(&self, corpus: usize, system: usize) -> Option<f64> {
        value(self.grid, corpus, system, self.metric)
    }
}

fn ranking_note(ranking: &Ranking, metric: Metric) -> String {
    format!(
        "Ranks by {} over {} corpora: Friedman χ² = {:.2}, {}; mean ranks closer than {:.2} (Nemenyi, α = {}) \
         cannot be told apart.",
        metric.name(),
        ranking.corpora,
        ranking.friedman_chi_square,
        crate::format::p_equals(ranking.friedman_p),
        ranking.critical_difference,
        ranking.alpha
    )
}

/// The ranks compatible with the scores' own noise; `None` with one system or without standard errors.
fn separation(grid: &Grid<'_>, rivals: &[usize], metric: Metric) -> Option<Separation> {
    let estimate = |c, s| {
        grid.run(c, s).map(|run| {
            let errors = run.errors;
            Estimate {
                score: metric.of(run),
                error: errors.map(|errors| match metric {
                    Metric::Ua => errors.ua,
                    Metric::Wa => errors.wa,
                    Metric::MacroF1 => errors.macro_f1,
                }),
            }
        })
    };
    let rows: Vec<Vec<Option<Estimate>>> = (0..grid.corpora.len())
        .map(|c| rivals.iter().map(|&s| estimate(c, s)).collect())
        .collect();
    let systems: Vec<String> = rivals.iter().map(|&s| grid.systems[s].clone()).collect();
    separate(&systems, &rows, ALPHA).ok()
}

fn separation_note(separation: &Separation, metric: Metric) -> String {
    let ranks: Vec<String> = separation
        .systems
        .iter()
        .zip(&separation.ranks)
        .map(|(system, [low, high])| {
            if low == high {
                format!("{system} {low}")
            } else {
                format!("{system} {low} to {high}")
            }
        })
        .collect();
    let pairs = separation.systems.len() * (separation.systems.len() - 1) / 2;
    let left_out = match separation.without_error {
        0 => String::new(),
        n => format!(" ({n} more have too few speakers)"),
    };
    format!(
        "Ranks by average {} that the scores' own noise over speakers and seeds allows, on {}{left_out}: {}. Of {pairs} {} {} \
         cannot be told apart (Holm, α = {}).",
        metric.name(),
        match separation.corpora {
            1 => "1 corpus".to_owned(),
            n => format!("{n} corpora"),
        },
        ranks.join(", "),
        if pairs == 1 { "pair" } else { "pairs" },
        separation.unseparated().len(),
        separation.alpha
    )
}
