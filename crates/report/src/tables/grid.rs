use crate::ReportData;
use emobox_score::Run;

/// Headline runs laid out as corpora by systems.
pub(crate) struct Grid<'a> {
    /// Corpora in the file's order.
    pub(crate) corpora: Vec<&'a str>,
    /// Systems in the file's order: an encoder, with what else tells it apart where the report has several.
    pub(crate) systems: Vec<String>,
    runs: Vec<(usize, usize, &'a Run)>,
}

/// Which parts of a configuration differ within a report.
#[derive(Clone, Copy)]
pub(crate) struct Differing {
    pub(crate) partition: bool,
    pub(crate) protocol: bool,
    pub(crate) config: bool,
}

impl Differing {
    pub(crate) fn of(runs: &[&Run]) -> Self {
        let differs = |pick: fn(&Run) -> &String| runs.iter().any(|run| pick(run) != pick(runs[0]));
        Self {
            partition: differs(|run| &run.partition),
            protocol: differs(|run| &run.protocol),
            config: differs(|run| &run.config),
        }
    }

    /// The parts of `run` that differ, in words; empty where nothing does.
    pub(crate) fn words(self, run: &Run) -> String {
        let parts = [
            (self.partition, &run.partition),
            (self.protocol, &run.protocol),
            (self.config, &run.config),
        ];
        let named: Vec<&str> = parts
            .into_iter()
            .filter(|(differs, part)| *differs && !part.is_empty())
            .map(|(_, part)| part.as_str())
            .collect();
        named.join(", ")
    }
}

impl<'a> Grid<'a> {
    pub(crate) fn of(data: &'a ReportData) -> Self {
        let headline = data.headline();
        let differing = Differing::of(&headline);
        let mut grid = Self {
            corpora: Vec::new(),
            systems: Vec::new(),
            runs: Vec::new(),
        };
        for run in headline {
            let words = differing.words(run);
            let system = if words.is_empty() {
                run.encoder.clone()
            } else {
                format!("{} ({words})", run.encoder)
            };
            let c = place(&mut grid.corpora, run.corpus.as_str());
            let s = place(&mut grid.systems, system);
            grid.runs.push((c, s, run));
        }
        grid
    }

    /// The run in a cell.
    pub(crate) fn run(&self, corpus: usize, system: usize) -> Option<&'a Run> {
        let is_it = |(c, s, _): &&(usize, usize, &'a Run)| (*c, *s) == (corpus, system);
        self.runs.iter().find(is_it).map(|(_, _, run)| *run)
    }

    /// The encoder of a system's column.
    pub(crate) fn encoder(&self, system: usize) -> &'a str {
        let is_it = |(_, s, _): &&(usize, usize, &'a Run)| *s == system;
        self.runs
            .iter()
            .find(is_it)
            .map_or("", |(_, _, run)| run.encoder.as_str())
    }
}

/// The place of `item`, which is added where it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter()
        .position(|known| *known == item)
        .unwrap_or_else(|| {
            list.push(item);
            list.len() - 1
        })
}
