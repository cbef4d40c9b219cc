use super::{Grid, Metric, as_published, not_comparable};
use crate::paper::{PaperSource, paper};
use crate::table::mark_best;
use crate::{Cell, Column, ReportData, Table};
use emobox_score::{Estimate, Ranking, Separation, rank, separate};

/// Fewer systems or corpora are compared in pairs, not ranked.
const RANKABLE: usize = 3;
/// Level of the critical difference.
const ALPHA: f64 = 0.05;

/// Corpora by encoders, as Table 4 of the paper: a row for each corpus and metric, the best three of a row
/// marked, and below a rule the average and the mean rank over the corpora that every encoder has a score on.
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
        caption: caption(metrics),
        columns,
        ranked: Some("of the row"),
        ..Table::default()
    };
    for corpus in 0..grid.corpora.len() {
        for metric in metrics {
            let mut row = vec![Cell::text(grid.corpora[corpus])];
            if several {
                row.push(Cell::text(metric.name()));
            }
            row.extend(layout.row(&grid, corpus, *metric));
            table.rows.push(row);
        }
    }
    for metric in metrics {
        table
            .footer
            .extend(footer(&grid, &layout, *metric, several));
        if let Some(ranking) = ranked(&grid, *metric) {
            table.notes.push(ranking_note(&ranking, *metric));
        }
        if let Some(separation) = separation(&grid, *metric) {
            table.notes.push(separation_note(&separation, *metric));
        }
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

/// The encoders ranked over corpora by one metric; `None` with fewer than three encoders or complete corpora.
pub fn ranking(data: &ReportData, metric: Metric) -> Option<Ranking> {
    let grid = Grid::of(data);
    ranked(&grid, metric)
}

fn ranked(grid: &Grid<'_>, metric: Metric) -> Option<Ranking> {
    let ranking = rank(&grid.systems, &values(grid, metric), ALPHA).ok()?;
    (grid.systems.len() >= RANKABLE && ranking.corpora >= RANKABLE).then_some(ranking)
}

/// `[corpus][system]`.
fn values(grid: &Grid<'_>, metric: Metric) -> Vec<Vec<Option<f64>>> {
    let value = |c, s| {
        grid.run(c, s)
            .map(|run| metric.of(run))
            .filter(|v| v.is_finite())
    };
    (0..grid.corpora.len())
        .map(|c| (0..grid.systems.len()).map(|s| value(c, s)).collect())
        .collect()
}

fn caption(metrics: &[Metric]) -> String {
    let names: Vec<&str> = metrics.iter().map(|m| m.name()).collect();
    format!("{} in per cent, within corpora", names.join(", "))
}

/// Which systems have a column of published figures.
struct Layout {
    beside: Option<PaperSource>,
    paper: Vec<Option<&'static str>>,
}

impl Layout {
    fn new(grid: &Grid<'_>, beside: Option<PaperSource>) -> Self {
        let known = |s| beside.and_then(|_| paper().model(grid.encoder(s)));
        Self {
            beside,
            paper: (0..grid.systems.len()).map(known).collect(),
        }
    }

    fn columns(&self, grid: &Grid<'_>) -> Vec<Column> {
        let mut columns = Vec::new();
        for (system, paper) in grid.systems.iter().zip(&self.paper) {
            columns.push(Column::right(system));
            if paper.is_some() {
                columns.extend(["paper", "difference"].map(Column::right));
            }
        }
        columns
    }

    fn row(&self, grid: &Grid<'_>, corpus: usize, metric: Metric) -> Vec<Cell> {
        let own: Vec<Option<f64>> = (0..self.paper.len())
            .map(|s| grid.run(corpus, s).map(|run| metric.of(run)))
            .collect();
        let published = self.paper.iter().map(|model| {
            let source = self.beside?;
            metric.of_paper(&paper().score((*model)?, grid.corpora[corpus], source))
        });
        let mut cells: Vec<Cell> = own.iter().map(|v| Cell::optional_score(*v)).collect();
        mark_best(&mut cells.iter_mut().collect::<Vec<_>>());
        let comparable: Vec<Option<f64>> = (0..self.paper.len())
            .map(|s| as_published(grid.run(corpus, s)?, metric).ok())
            .collect();
        self.spread(cells, &comparable, published)
    }

    /// Own cells with the published figure and the difference behind each that has a column for them.
    fn spread(
        &self,
        cells: Vec<Cell>,
        own: &[Option<f64>],
        published: impl Iterator<Item = Option<f64>>,
    ) -> Vec<Cell> {
        let mut row = Vec::new();
        for (((cell, own), published), model) in
            cells.into_iter().zip(own).zip(published).zip(&self.paper)
        {
            row.push(cell);
            if model.is_some() {
                row.push(Cell::optional_score(published));
                let difference = own.zip(published).map(|(a, b)| Cell::difference(a - b));
                row.push(difference.unwrap_or_else(Cell::missing));
            }
        }
        row
    }

    /// A row of own cells alone.
    fn own_row(&self, cells: Vec<Cell>) -> Vec<Cell> {
        let mut row = Vec::new();
        for (cell, model) in cells.into_iter().zip(&self.paper) {
            row.push(cell);
            if model.is_some() {
                row.extend([Cell::text(""), Cell::text("")]);
            }
        }
        row
    }
}

/// Average and mean rank over the complete corpora.
fn footer(grid: &Grid<'_>, layout: &Layout, metric: Metric, several: bool) -> Vec<Vec<Cell>> {
    let complete: Vec<Vec<f64>> = values(grid, metric)
        .into_iter()
        .filter_map(|row| row.into_iter().collect())
        .collect();
    if complete.len() < 2 {
        return Vec::new();
    }
    let head = |text: String| {
        let mut row = vec![Cell::text(text)];
        if several {
            row.push(Cell::text(metric.name()));
        }
        row
    };
    let mean = |s: usize| complete.iter().map(|row| row[s]).sum::<f64>() / complete.len() as f64;
    let mut cells: Vec<Cell> = (0..grid.systems.len())
        .map(|s| Cell::score(mean(s)))
        .collect();
    mark_best(&mut cells.iter_mut().collect::<Vec<_>>());
    let corpora = complete.len();
    let mut average = head(format!("average of {corpora} corpora"));
    average.extend(layout.own_row(cells));
    let mut rows = vec![average];
    if let Some(ranking) = ranked(grid, metric) {
        let mut ranks = head("mean rank".to_owned());
        let cells = ranking
            .mean_ranks
            .iter()
            .map(|r| Cell::number(format!("{r:.2}"), *r))
            .collect();
        ranks.extend(layout.own_row(cells));
        rows.push(ranks);
    }
    rows
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

/// What the scores' own noise leaves apart; `None` with one system or without standard errors.
fn separation(grid: &Grid<'_>, metric: Metric) -> Option<Separation> {
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
        .map(|c| (0..grid.systems.len()).map(|s| estimate(c, s)).collect())
        .collect();
    separate(&grid.systems, &rows, ALPHA).ok()
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
