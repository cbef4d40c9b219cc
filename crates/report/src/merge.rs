//! Merges several runs into one report.

use crate::{ErrorList, Fact, ReportData};
use emobox_score::{Absent, Run, ScoresFile};
use std::collections::BTreeSet;

/// One report of several runs, in their order.
///
/// * Scores of one configuration that are equal in two runs appear once. If they differ, those of the later
///   run are kept apart: `run 2` (its position among the runs, from 1) is added to their `config`, and a note says so.
/// * A cell without scores is left out if another run has its scores under the same partition; for a cell that no
///   run finished, the last run's reason is kept.
/// * Curves, layers, maps and errors of a cell are those of the first run that has them.
/// * Inputs and protocols of the runs are joined; if they contradict each other, both values
///   are kept and a note names them.
///
/// Without runs the report is empty.
pub fn merge(runs: Vec<ReportData>) -> ReportData {
    let mut merged = ReportData::new(title(&runs), ScoresFile::default());
    let mut conflicts = Conflicts::default();
    merged.protocol = protocol(&runs, &mut conflicts);
    for (i, run) in runs.into_iter().enumerate() {
        let name = format!("run {}", i + 1);
        add_provenance(&mut merged.scores, &run.scores, &mut conflicts);
        add_scores(&mut merged.scores, run.scores, &name, &mut conflicts);
        add_new(&mut merged.notes, run.notes, |a, b| a == b);
        add_new(&mut merged.training, run.training, |a, b| {
            (&a.corpus, &a.encoder, a.fold) == (&b.corpus, &b.encoder, b.fold)
        });
        add_new(&mut merged.layers, run.layers, |a, b| {
            (&a.corpus, &a.encoder) == (&b.corpus, &b.encoder)
        });
        add_new(&mut merged.maps, run.maps, |a, b| {
            (&a.corpus, &a.encoder, &a.method) == (&b.corpus, &b.encoder, &b.method)
        });
        add_new(&mut merged.errors, run.errors, |a, b| {
            let cell = |list: &ErrorList| {
                [
                    &list.corpus,
                    &list.encoder,
                    &list.partition,
                    &list.protocol,
                    &list.config,
                ]
                .map(String::clone)
            };
            cell(a) == cell(b)
        });
        add_new(&mut merged.embedded, run.embedded, |a, b| {
            (&a.corpus, &a.key) == (&b.corpus, &b.key)
        });
        add_new(&mut merged.audits, run.audits, |a, b| a == b);
        add_new(&mut merged.probes, run.probes, |a, b| a == b);
        add_new(&mut merged.corpora, run.corpora, |a, b| a == b);
        add_new(&mut merged.encoders, run.encoders, |a, b| a == b);
        merged.beside = merged.beside.or(run.beside);
    }
    let scores = &mut merged.scores;
    let (runs, matrices, rated) = (&scores.runs, &scores.cross, &scores.dimensions);
    scores.absent.retain(|absent| match &absent.tested_on {
        None => {
            let is_rated = rated.iter().any(|scores| {
                (&scores.corpus, &scores.encoder, &scores.partition)
                    == (&absent.corpus, &absent.encoder, &absent.partition)
            });
            !runs.iter().any(|run| fills(run, absent)) && !is_rated
        }
        Some(on) => !matrices.iter().any(|matrix| {
            matrix.encoder == absent.encoder && matrix.cell(&absent.corpus, on).is_some()
        }),
    });
    merged.notes.extend(conflicts.notes());
    merged
}

/// Contradictions between runs.
#[derive(Default)]
struct Conflicts {
    cells: BTreeSet<String>,
    digests: BTreeSet<String>,
    facts: Vec<String>,
}

impl Conflicts {
    fn notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        if !self.cells.is_empty() {
            notes.push(format!(
                "Runs have different scores of the same cells, which are kept apart as “run 2” and so on, in the \
                 order the runs were given: {}.",
                list(self.cells)
            ));
        }
        if !self.digests.is_empty() {
            notes.push(format!(
                "Runs were made from different versions of: {}.",
                list(self.digests)
            ));
        }
        if !self.facts.is_empty() {
            let facts = self.facts.join("; ");
            notes.push(format!("The protocols of the runs differ: {facts}."));
        }
        notes
    }
}

fn title(runs: &[ReportData]) -> String {
    let mut titles: Vec<&str> = Vec::new();
    for run in runs {
        if !titles.contains(&run.title.as_str()) {
            titles.push(&run.title);
        }
    }
    match titles.len() {
        0..=2 => titles.join(" + "),
        n => format!("{n} runs"),
    }
}

/// Appends the new items.
fn add_new<T>(to: &mut Vec<T>, from: Vec<T>, same: fn(&T, &T) -> bool) {
    // Compared with earlier runs: within a run nothing is a repetition.
    let earlier = to.len();
    for item in from {
        if !to[..earlier].iter().any(|known| same(known, &item)) {
            to.push(item);
        }
    }
}

fn same_cell(a: &Run, b: &Run) -> bool {
    (&a.corpus, &a.encoder, &a.protocol, &a.partition, &a.config)
        == (&b.corpus, &b.encoder, &b.protocol, &b.partition, &b.config)
}

/// Whether a run has the scores that a cell lacks.
fn fills(run: &Run, absent: &Absent) -> bool {
    let same = (&run.corpus, &run.encoder) == (&absent.corpus, &absent.encoder);
    same && (absent.partition.is_empty() || run.partition == absent.partition)
}

fn add_scores(to: &mut ScoresFile, from: ScoresFile, name: &str, conflicts: &mut Conflicts) {
    let earlier = to.runs.len();
    let of = |runs: &[Run], cell: &Run| -> Vec<Run> {
        let runs = runs.iter().filter(|run| same_cell(run, cell));
        runs.cloned().collect()
    };
    for run in &from.runs {
        let known = of(&to.runs[..earlier], run);
        if known.is_empty() {
            to.runs.push(run.clone());
        } else if known != of(&from.runs, run) {
            conflicts
                .cells
                .insert(format!("{} with {}", run.corpus, run.encoder));
            let mut apart = run.clone();
            apart.config = match apart.config.as_str() {
                "" => name.to_owned(),
                config => format!("{config}, {name}"),
            };
            to.runs.push(apart);
        }
    }
    for mut matrix in from.cross {
        let mut known = to.cross.iter_mut();
        if known.any(|known| known.take_up(&matrix)) {
            continue;
        }
        if to.cross.iter().any(|known| known.encoder == matrix.encoder) {
            conflicts
                .cells
                .insert(format!("across corpora with {}", matrix.encoder));
            matrix.encoder = format!("{} ({name})", matrix.encoder);
        }
        to.cross.push(matrix);
    }
    let mut dimensions = from.dimensions;
    for scores in &mut dimensions {
        let known = to.dimensions.iter().find(|known| {
            (
                &known.corpus,
                &known.encoder,
                &known.protocol,
                &known.partition,
            ) == (
                &scores.corpus,
                &scores.encoder,
                &scores.protocol,
                &scores.partition,
            ) && (&known.config, known.fold) == (&scores.config, scores.fold)
        });
        if known.is_some_and(|known| known != scores) {
            let cell = format!("{} with {}", scores.corpus, scores.encoder);
            conflicts.cells.insert(cell);
            scores.config = format!("{}, {name}", scores.config);
        }
    }
    add_new(&mut to.dimensions, dimensions, |a, b| a == b);
    add_new(&mut to.comparisons, from.comparisons, |a, b| a == b);
    add_new(&mut to.perturbed, from.perturbed, |a, b| a == b);
    for absent in from.absent {
        let place = |known: &&mut Absent| {
            (
                &known.corpus,
                &known.encoder,
                &known.partition,
                &known.tested_on,
            ) == (
                &absent.corpus,
                &absent.encoder,
                &absent.partition,
                &absent.tested_on,
            )
        };
        match to.absent.iter_mut().find(place) {
            Some(known) => *known = absent,
            None => to.absent.push(absent),
        }
    }
}

fn add_provenance(to: &mut ScoresFile, from: &ScoresFile, conflicts: &mut Conflicts) {
    let (to, from) = (&mut to.provenance, &from.provenance);
    for (program, version) in &from.versions {
        match to.versions.get_mut(program) {
            None => {
                to.versions.insert(program.clone(), version.clone());
            }
            Some(known) if known.split(", ").any(|one| one == version) => {}
            Some(known) => *known = format!("{known}, {version}"),
        }
    }
    for source in &from.sources {
        if to.sources.contains(source) {
            continue;
        }
        let other = |known: &&emobox_score::Source| {
            (&known.kind, &known.name) == (&source.kind, &source.name)
        };
        if to.sources.iter().any(|known| other(&known)) {
            conflicts
                .digests
                .insert(format!("{} {}", source.kind, source.name));
        }
        to.sources.push(source.clone());
    }
    if let Some(command) = &from.command {
        match &mut to.command {
            None => to.command = Some(command.clone()),
            Some(known) if known.lines().any(|line| line == command) => {}
            Some(known) => *known = format!("{known}\n{command}"),
        }
    }
}

/// The protocol's facts by name; for a fact that differs, all values with their runs.
fn protocol(runs: &[ReportData], conflicts: &mut Conflicts) -> Vec<Fact> {
    // Each fact with its values, each of these with the runs that have it.
    type Values<'a> = Vec<(&'a str, Vec<usize>)>;
    let mut facts: Vec<(&str, Values<'_>)> = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        for fact in &run.protocol {
            let at = facts.iter().position(|(name, _)| *name == fact.name);
            let at = at.unwrap_or_else(|| {
                facts.push((&fact.name, Vec::new()));
                facts.len() - 1
            });
            let values = &mut facts[at].1;
            match values.iter_mut().find(|(value, _)| *value == fact.value) {
                Some((_, of)) => of.push(i + 1),
                None => values.push((&fact.value, vec![i + 1])),
            }
        }
    }
    let joined = facts.into_iter().map(|(name, values)| {
        let value = match &values[..] {
            [(value, _)] => (*value).to_owned(),
            several => {
                let each = several.iter().map(|(value, of)| {
                    let of: Vec<String> = of.iter().map(usize::to_string).collect();
                    let plural = if of.len() == 1 { "run" } else { "runs" };
                    format!("{value} ({plural} {})", of.join(", "))
                });
                let text = each.collect::<Vec<_>>().join(", ");
                conflicts.facts.push(format!("{name} {text}"));
                text
            }
        };
        let first = runs.iter().flat_map(|run| &run.protocol);
        let same = first.clone().find(|fact| fact.name == name);
        Fact {
            value,
            ..same.cloned().unwrap_or_else(|| Fact::new(name, ""))
        }
    });
    joined.collect()
}
