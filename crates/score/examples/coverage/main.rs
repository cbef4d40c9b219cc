//! Simulates corpora whose true scores are known and counts how often the intervals contain them and how often equally good
//! systems are reported as different. Prints the tables of `docs/statistics.md`:
//!
//!     cargo run --release -p emobox-score --example coverage -- [SIMULATIONS [intervals|comparisons|seeds|concordance [DESIGN [CLASSES]]]]
//!
//! DESIGN, the first word in the column of utterances, and CLASSES, a number, each restrict the run to one.
//!
//! Scores come from the library's own `score_folds` and `compare_seeds`; the percentile bootstrap shown for contrast is
//! implemented here. Seeded: the same call prints the same table.

mod rated;
mod simulate;

use emobox_score::{
    CompareRequest, InferenceOptions, Prediction, RunLabels, ScoreRequest, SeededSystem, compare,
    compare_seeds, score_folds,
};
use simulate::{
    Design, SKILLS, Skill, Table, bootstrap, bootstrap_p, class_names, mcnemar_p, normal, predict,
    stream_of,
};
use std::error::Error;
use std::io::Write;

const SPEAKERS: [usize; 9] = [5, 6, 8, 10, 15, 20, 30, 50, 100];
/// The largest corpora are slow and add little, so they are simulated for intervals with four classes alone.
const FEWER: &[usize] = SPEAKERS.split_at(7).0;
const CLASSES: [usize; 3] = [2, 4, 7];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| arguments.get(i).map_or("", String::as_str);
    let simulations: u64 = arguments.first().map_or(Ok(1000), |n| n.parse())?;
    let cells = Cells {
        simulations,
        design: argument(2),
        classes: arguments.get(3).map(|n| n.parse()).transpose()?,
    };
    let mut out = std::io::stdout().lock();
    let wanted = |part: &str| argument(1).is_empty() || argument(1) == part;
    if wanted("intervals") {
        intervals(&mut out, &cells)?;
    }
    if wanted("comparisons") {
        comparisons(&mut out, &cells)?;
    }
    if wanted("seeds") {
        seeds(&mut out, simulations)?;
    }
    if wanted("concordance") {
        rated::concordance(&mut out, simulations)?;
    }
    Ok(())
}

/// What is simulated, and how often.
struct Cells<'a> {
    simulations: u64,
    design: &'a str,
    classes: Option<usize>,
}

impl Cells<'_> {
    fn has(&self, design: &str, classes: usize) -> bool {
        design.starts_with(self.design) && self.classes.is_none_or(|only| only == classes)
    }
}

fn options() -> InferenceOptions {
    InferenceOptions {
        sampled_flips: 1000,
        ..InferenceOptions::default()
    }
}

/// A table with a column for every number of speakers.
struct Columns {
    rows: Vec<String>,
    head: String,
    speakers: &'static [usize],
}

impl Columns {
    fn new(head: &str, speakers: &'static [usize]) -> Self {
        Self {
            rows: Vec::new(),
            head: head.to_owned(),
            speakers,
        }
    }

    fn row(&mut self, name: &str, cells: &[String]) {
        self.rows
            .push(format!("| {name} | {} |", cells.join(" | ")));
    }

    fn print(&self, out: &mut impl Write, title: &str) -> std::io::Result<()> {
        let names = self.head.matches('|').count() + 1;
        let numbers: Vec<String> = self.speakers.iter().map(usize::to_string).collect();
        let speakers = numbers.join(" | ");
        writeln!(out, "\n{title}\n\n| {} | {speakers} |", self.head)?;
        let lines = "---|".repeat(names) + &"---:|".repeat(self.speakers.len());
        writeln!(out, "|{lines}")?;
        for row in &self.rows {
            writeln!(out, "{row}")?;
        }
        out.flush()
    }
}

fn intervals(out: &mut impl Write, cells: &Cells<'_>) -> Result<(), Box<dyn Error>> {
    let head = "classes | utterances | recall";
    let [mut ua, mut others, mut none] = [0; 3].map(|_| Columns::new(head, &SPEAKERS));
    let mut cell = 0;
    for classes in CLASSES {
        let names = class_names(classes);
        for (design, name) in Design::ALL {
            for skill in SKILLS {
                let [mut of_ua, mut of_others, mut of_none] = [0; 3].map(|_| Vec::new());
                for speakers in SPEAKERS {
                    cell += 1;
                    if !cells.has(name, classes) {
                        continue;
                    }
                    let many = classes != 4 && !FEWER.contains(&speakers);
                    if many || !design.fits(speakers, classes) {
                        for row in [&mut of_ua, &mut of_others, &mut of_none] {
                            row.push(dash());
                        }
                        continue;
                    }
                    let mut held = [0_u64; 4];
                    let (mut made, mut perfect, mut widths) = ([0_u64; 3], 0, Vec::new());
                    for simulation in 0..cells.simulations {
                        let mut stream = stream_of(cell, simulation);
                        let sizes = design.sizes(speakers, classes, &mut stream);
                        let levels = skill.speakers(speakers, classes, &mut stream);
                        let predictions = predict(&sizes, &levels, &mut stream);
                        let truth = skill.truth(&sizes);
                        let inside = |[low, high]: [f64; 2], truth: f64| {
                            u64::from(low - 1e-12 <= truth && truth <= high + 1e-12)
                        };
                        if classes == 4 {
                            let resampled = bootstrap(&predictions, &names, &mut stream);
                            held[3] += inside(resampled, truth[0]);
                        }
                        let runs = score_folds(&ScoreRequest {
                            labels: &RunLabels::default(),
                            classes: &names,
                            predictions: &predictions,
                            oracle: None,
                            inference: options(),
                        })?;
                        let run = &runs[1];
                        if run.ua >= 1.0 {
                            perfect += 1;
                            continue;
                        }
                        let all = [run.ua_ci, run.wa_ci, run.macro_f1_ci];
                        for (i, ci) in all.into_iter().enumerate() {
                            if let Some(ci) = ci {
                                made[i] += 1;
                                held[i] += inside(ci, truth[i]);
                            }
                        }
                        widths.extend(run.ua_ci.map(|[low, high]| high - low));
                    }
                    widths.sort_by(f64::total_cmp);
                    let width = widths
                        .get(widths.len() / 2)
                        .map_or_else(dash, |w| format!("{:.0}", 100.0 * w));
                    let [u, w, f1] = [0, 1, 2].map(|i| share(held[i], made[i]));
                    of_ua.push(format!("{u} ({width})"));
                    let resampled = share(held[3], cells.simulations);
                    of_others.push(format!("{w} / {f1} / {resampled}"));
                    let refused = share(cells.simulations - made[0] - perfect, cells.simulations);
                    of_none.push(format!("{refused} / {}", share(perfect, cells.simulations)));
                }
                let row = format!("{classes} | {name} | {}", skill.name);
                if of_ua.is_empty() {
                    continue;
                }
                ua.row(&row, &of_ua);
                if classes == 4 {
                    others.row(&row, &of_others);
                }
                let nothing = |cell: &String| cell == "0.0 / 0.0" || *cell == dash();
                if !of_none.iter().all(nothing) {
                    none.row(&row, &of_none);
                }
            }
        }
    }
    ua.print(
        out,
        "UA: coverage and, in brackets, the median width in points",
    )?;
    others.print(out, "Coverage of WA / of macro F1 / of UA by the bootstrap")?;
    none.print(out, "Draws without an interval / with everything right")?;
    Ok(())
}

fn dash() -> String {
    "–".to_owned()
}

/// A percentage, or a dash where the denominator is too small.
fn share(hits: u64, of: u64) -> String {
    if of < 20 {
        return dash();
    }
    format!("{:.1}", 100.0 * hits as f64 / of as f64)
}

/// How the second system differs from the first.
#[derive(Clone, Copy, PartialEq)]
enum Second {
    /// Each speaker's level is drawn for each system independently, from the same distribution.
    Alike,
    /// The second system treats all speakers the same, the first does not: as good, but not interchangeable.
    Steadier,
    /// Each speaker has the same level with both systems.
    Same,
    /// The second system makes half as many errors as the first, for the same speakers.
    Better,
}

fn comparisons(out: &mut impl Write, cells: &Cells<'_>) -> Result<(), Box<dyn Error>> {
    let head = "classes | utterances | recall | second system";
    let mut decided = Columns::new(head, FEWER);
    let mut before = Columns::new(head, FEWER);
    let kinds = [
        (Second::Alike, "alike"),
        (Second::Steadier, "steadier"),
        (Second::Same, "same levels"),
        (Second::Better, "half the errors"),
    ];
    let mut cell = 1000;
    for classes in CLASSES {
        let names = class_names(classes);
        for (design, name) in Design::ALL {
            for skill in [SKILLS[0], SKILLS[2], SKILLS[4]] {
                for (kind, what) in kinds {
                    let (mut row, mut contrast) = (Vec::new(), Vec::new());
                    for &speakers in FEWER {
                        cell += 1;
                        let plain = matches!(kind, Second::Alike | Second::Steadier);
                        let left_out = design != Design::Equal && (classes != 4 || !plain);
                        if left_out || !cells.has(name, classes) {
                            continue;
                        }
                        if !design.fits(speakers, classes) {
                            row.push(dash());
                            contrast.push(dash());
                            continue;
                        }
                        let counts = alarms(
                            &Pairs {
                                design,
                                skill,
                                kind,
                                speakers,
                                cell,
                            },
                            cells.simulations,
                            &names,
                        )?;
                        let missed = share(counts.missed, counts.made);
                        let alarms = share(counts.decided, cells.simulations);
                        row.push(match kind {
                            Second::Better => missed,
                            _ => format!("{alarms} ({missed})"),
                        });
                        let [resampled, mcnemar, flips] =
                            counts.others.map(|n| share(n, cells.simulations));
                        contrast.push(format!("{resampled} / {mcnemar} / {flips}"));
                    }
                    let title = format!("{classes} | {name} | {} | {what}", skill.name);
                    if row.is_empty() {
                        continue;
                    }
                    decided.row(&title, &row);
                    if classes == 4 && kind == Second::Steadier {
                        before.row(&title, &contrast);
                    }
                }
            }
        }
    }
    let title = "Alarms at 5 % and, in brackets, intervals that miss the true difference";
    decided.print(out, title)?;
    before.print(
        out,
        "Alarms of the bootstrap / of McNemar / of sign flips alone",
    )?;
    Ok(())
}

/// How pairs of systems are drawn.
struct Pairs {
    design: Design,
    skill: Skill,
    kind: Second,
    speakers: usize,
    cell: usize,
}

#[derive(Default)]
struct Alarms {
    decided: u64,
    made: u64,
    missed: u64,
    others: [u64; 3],
}

fn alarms(pairs: &Pairs, simulations: u64, names: &[String]) -> Result<Alarms, Box<dyn Error>> {
    let classes = names.len();
    let mut counts = Alarms::default();
    for simulation in 0..simulations {
        let mut stream = stream_of(pairs.cell, simulation);
        let sizes = pairs.design.sizes(pairs.speakers, classes, &mut stream);
        let first = pairs.skill.speakers(pairs.speakers, classes, &mut stream);
        let second = match pairs.kind {
            Second::Alike => pairs.skill.speakers(pairs.speakers, classes, &mut stream),
            Second::Steadier => vec![pairs.skill.recalls(classes); pairs.speakers],
            Second::Same => first.clone(),
            Second::Better => {
                let halved = |row: &Vec<f64>| row.iter().map(|x| f64::midpoint(1.0, *x)).collect();
                first.iter().map(halved).collect()
            }
        };
        let truth = match pairs.kind {
            Second::Better => -(1.0 - pairs.skill.truth(&sizes)[0]) / 2.0,
            _ => 0.0,
        };
        let a = predict(&sizes, &first, &mut stream);
        let b = predict(&sizes, &second, &mut stream);
        let comparison = compare(&CompareRequest {
            corpus: "simulated",
            a: ("a", &a),
            b: ("b", &b),
            classes: names,
            inference: options(),
        })?;
        let ua = &comparison.ua;
        counts.decided += u64::from(ua.p < 0.05);
        if let Some([low, high]) = ua.ci {
            counts.made += 1;
            counts.missed += u64::from(truth < low - 1e-12 || high + 1e-12 < truth);
        }
        if pairs.kind == Second::Steadier && classes == 4 {
            let flips = ua.flips.map_or(1.0, |flips| flips.p);
            let others = [
                bootstrap_p(&a, &b, classes, &mut stream),
                mcnemar_p(&a, &b),
                flips,
            ];
            for (count, p) in counts.others.iter_mut().zip(others) {
                *count += u64::from(p < 0.05);
            }
        }
    }
    Ok(counts)
}

/// Systems of the same true score whose scores differ between training seeds by some points, with one seed each and with three.
fn seeds(out: &mut impl Write, simulations: u64) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "\n| SD between seeds | speakers | one seed each: alarms | three seeds each: alarms |\n|---:|---:|---:|---:|"
    )?;
    let (skill, classes) = (SKILLS[0], 4);
    let mut cell = 5000;
    for deviation in [0.011, 0.024] {
        for speakers in [5, 10, 24, 50] {
            cell += 1;
            let mut alarms = [0_u64; 2];
            for simulation in 0..simulations {
                let mut stream = stream_of(cell, simulation);
                let sizes = Design::Equal.sizes(speakers, classes, &mut stream);
                let mut systems: [Vec<Vec<Prediction>>; 2] = [Vec::new(), Vec::new()];
                for system in &mut systems {
                    let levels = skill.speakers(speakers, classes, &mut stream);
                    for _ in 0..3 {
                        let shift = deviation * normal(&mut stream);
                        let shifted = |row: &Vec<f64>| row.iter().map(|x| x + shift).collect();
                        let shifted: Table<f64> = levels.iter().map(shifted).collect();
                        system.push(predict(&sizes, &shifted, &mut stream));
                    }
                }
                for (count, alarms) in [1, 3].into_iter().zip(&mut alarms) {
                    let lists = [0, 1].map(|i| -> Vec<&[Prediction]> {
                        systems[i][..count].iter().map(Vec::as_slice).collect()
                    });
                    let [a, b] = [0, 1].map(|i| SeededSystem {
                        name: ["a", "b"][i],
                        seeds: &lists[i],
                    });
                    let names = class_names(classes);
                    let comparison = compare_seeds("simulated", a, b, &names, &options())?;
                    *alarms += u64::from(comparison.ua.p < 0.05);
                }
            }
            let [one, three] = alarms.map(|n| share(n, simulations));
            writeln!(
                out,
                "| {:.1} | {speakers} | {one} | {three} |",
                100.0 * deviation
            )?;
            out.flush()?;
        }
    }
    Ok(())
}
