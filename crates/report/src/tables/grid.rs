use super::naming::Naming;
use crate::ReportData;
use emobox_score::{Absent, AbsentState, Run};
use std::collections::BTreeMap;

/// Headline runs arranged as corpora by systems.
pub(crate) struct Grid<'a> {
    /// Corpora: those in the report's order first, then by appearance among the runs, then among the absent cells.
    pub(crate) corpora: Vec<&'a str>,
    /// Systems in the same order: an encoder, with what else distinguishes it if the report has several.
    pub(crate) systems: Vec<String>,
    /// How configurations were distinguished.
    pub(crate) naming: Naming,
    encoders: Vec<&'a str>,
    cells: Vec<Slot<'a>>,
}

/// The contents of a cell: a corpus with a system.
#[derive(Clone, Copy)]
pub(crate) enum Slot<'a> {
    /// Nothing: it is not part of the experiment.
    Nothing,
    /// Its scores.
    Run(&'a Run),
    /// Why there are none.
    Absent(&'a Absent),
}

impl<'a> Grid<'a> {
    pub(crate) fn of(data: &'a ReportData) -> Self {
        let headline = data.headline();
        let naming = Naming::of(&headline);
        let absent = || data.empty_cells();
        let mut corpora: Vec<&str> = Vec::new();
        let mut systems: Vec<(&str, String)> = Vec::new();
        let mut placed = Vec::new();
        for run in headline {
            let corpus = place(&mut corpora, run.corpus.as_str());
            let mut system = place(&mut systems, (run.encoder.as_str(), naming.words(run)));
            if placed.iter().any(|(c, s, _)| (*c, *s) == (corpus, system)) {
                // The same clauses in another order: the whole text distinguishes them.
                system = place(&mut systems, (run.encoder.as_str(), run.config.clone()));
            }
            placed.push((corpus, system, run));
        }
        for cell in absent() {
            place(&mut corpora, cell.corpus.as_str());
            if !systems.iter().any(|(encoder, _)| *encoder == cell.encoder) {
                systems.push((&cell.encoder, String::new()));
            }
        }
        let corpus_order = order(&data.corpora, &corpora);
        let encoders: Vec<&str> = systems.iter().map(|(encoder, _)| *encoder).collect();
        let system_order = order(&data.encoders, &encoders);
        let width = systems.len();
        let mut cells = vec![Slot::Nothing; corpora.len() * width];
        let at = |corpus: usize, system: usize| {
            let row = corpus_order.iter().position(|c| *c == corpus);
            let column = system_order.iter().position(|s| *s == system);
            row.zip(column).map(|(row, column)| row * width + column)
        };
        // If partitions are part of the names, an empty cell belongs to its own partition.
        let of_partition = |system: usize, cell: &Absent| {
            let mut runs = placed.iter().filter(|(_, of, _)| *of == system);
            let run = runs.next().filter(|_| naming.names_partitions());
            run.is_none_or(|(.., run)| run.partition == cell.partition)
        };
        for &(corpus, system, run) in &placed {
            if let Some(at) = at(corpus, system) {
                cells[at] = Slot::Run(run);
            }
        }
        for cell in absent() {
            let Some(corpus) = corpora.iter().position(|c| *c == cell.corpus) else {
                continue;
            };
            for (system, encoder) in encoders.iter().enumerate() {
                if let Some(at) = at(corpus, system).filter(|_| *encoder == cell.encoder)
                    && of_partition(system, cell)
                    && matches!(cells[at], Slot::Nothing)
                {
                    cells[at] = Slot::Absent(cell);
                }
            }
        }
        let name = |&i: &usize| match &systems[i] {
            (encoder, words) if words.is_empty() => (*encoder).to_owned(),
            (encoder, words) => format!("{encoder} ({words})"),
        };
        Self {
            corpora: corpus_order.iter().map(|&i| corpora[i]).collect(),
            systems: system_order.iter().map(name).collect(),
            naming,
            encoders: system_order.iter().map(|&i| encoders[i]).collect(),
            cells,
        }
    }

    /// The contents of a cell.
    pub(crate) fn slot(&self, corpus: usize, system: usize) -> Slot<'a> {
        let at = corpus * self.systems.len() + system;
        self.cells.get(at).copied().unwrap_or(Slot::Nothing)
    }

    /// The run in a cell.
    pub(crate) fn run(&self, corpus: usize, system: usize) -> Option<&'a Run> {
        match self.slot(corpus, system) {
            Slot::Run(run) => Some(run),
            _ => None,
        }
    }

    /// Every cell that holds something, row by row.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (usize, usize, Slot<'a>)> {
        let width = self.systems.len().max(1);
        let slots = self.cells.iter().enumerate();
        slots
            .map(move |(i, slot)| (i / width, i % width, *slot))
            .filter(|(.., slot)| !matches!(slot, Slot::Nothing))
    }

    /// Every run with the position of its corpus and its system, row by row.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize, &'a Run)> {
        self.slots()
            .filter_map(|(corpus, system, slot)| match slot {
                Slot::Run(run) => Some((corpus, system, run)),
                _ => None,
            })
    }

    /// The systems that may be ranked against each other: those tested on the same partition.
    pub(crate) fn rivals(&self) -> Vec<Vec<usize>> {
        let systems = 0..self.systems.len();
        if !self.naming.names_partitions() {
            return vec![systems.collect()];
        }
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for system in systems {
            let mut runs = (0..self.corpora.len()).filter_map(|corpus| self.run(corpus, system));
            let partition = runs.next().map_or("", |run| &run.partition);
            groups.entry(partition).or_default().push(system);
        }
        groups.into_values().collect()
    }

    /// The encoder of a system's column.
    pub(crate) fn encoder(&self, system: usize) -> &'a str {
        self.encoders.get(system).copied().unwrap_or_default()
    }
}

/// Why a cell is empty, for people: `failed in train: no training utterances`.
pub(crate) fn reason(absent: &Absent) -> String {
    let state = state_name(absent.state);
    let stage = match absent.stage.as_str() {
        "" => String::new(),
        stage => format!(" in {stage}"),
    };
    match absent.reason.as_str() {
        "" => format!("{state}{stage}"),
        reason => format!("{state}{stage}: {reason}"),
    }
}

/// `failed`, `open`, `skipped`.
pub(crate) fn state_name(state: AbsentState) -> &'static str {
    match state {
        AbsentState::Failed => "failed",
        AbsentState::Open => "open",
        AbsentState::Skipped => "skipped",
    }
}

/// The positions of `names`: first those in `wanted`, in its order, then the others in their order.
fn order(wanted: &[String], names: &[&str]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..names.len()).collect();
    let key = |i: &usize| {
        wanted
            .iter()
            .position(|w| w == names[*i])
            .unwrap_or(wanted.len())
    };
    places.sort_by_key(key);
    places
}

/// The position of `item`, which is added if it is new.
fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter()
        .position(|known| *known == item)
        .unwrap_or_else(|| {
            list.push(item);
            list.len() - 1
        })
}
