//! Dimensions whose true concordance is known.

use crate::simulate::{normal, stream_of};
use crate::{Columns, dash, share};
use emobox_score::{FoldName, InferenceOptions, RatedPrediction, RunLabels, score_dimensions};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

/// Utterances a speaker.
const UTTERANCES: f64 = 20.0;
const SPEAKERS: [usize; 8] = [4, 5, 6, 10, 15, 24, 50, 100];
/// Speakers to a fold where scores are means over folds.
const FOLD: usize = 5;

/// How predictions follow the reference, whose variance is 1 and mean 0: `slope · y + level + noise`, slope and level of each
/// speaker's own.
#[derive(Clone, Copy)]
struct Follow {
    slope: f64,
    slopes_differ: f64,
    level: f64,
    levels_differ: f64,
    noise: f64,
}

impl Follow {
    /// Lin's coefficient of all speakers that there might be.
    fn truth(self) -> f64 {
        let variance = self.slope.powi(2)
            + self.slopes_differ.powi(2)
            + self.levels_differ.powi(2)
            + self.noise.powi(2);
        2.0 * self.slope / (variance + 1.0 + self.level.powi(2))
    }
}

const FOLLOW: [(&str, Follow); 3] = [
    (
        "0.30",
        Follow {
            slope: 0.21,
            slopes_differ: 0.15,
            level: 0.2,
            levels_differ: 0.25,
            noise: 0.48,
        },
    ),
    (
        "0.60",
        Follow {
            slope: 0.49,
            slopes_differ: 0.2,
            level: 0.2,
            levels_differ: 0.3,
            noise: 0.46,
        },
    ),
    (
        "0.85",
        Follow {
            slope: 0.85,
            slopes_differ: 0.1,
            level: 0.1,
            levels_differ: 0.2,
            noise: 0.47,
        },
    ),
];

/// The share of the reference's variance that is between speakers.
const BETWEEN: [f64; 2] = [0.1, 0.4];

/// Who says how much, and how it is scored.
const DESIGNS: [(&str, bool, bool); 3] = [
    ("equal", false, false),
    ("unequal", true, false),
    ("equal, folds of 5", false, true),
];

fn draw(
    follow: Follow,
    between: f64,
    (speakers, unequal, folds): (usize, bool, bool),
    (cell, simulation): (usize, u64),
) -> Vec<RatedPrediction> {
    let mut stream = stream_of(cell, simulation);
    let mut items = Vec::new();
    for speaker in 0..speakers {
        let spread = match unequal {
            true => normal(&mut stream).exp() * (-0.5_f64).exp(),
            false => 1.0,
        };
        let size = (UTTERANCES * spread).round().max(1.0) as usize;
        let own = between.sqrt() * normal(&mut stream);
        let slope = follow.slope + follow.slopes_differ * normal(&mut stream);
        let level = follow.level + follow.levels_differ * normal(&mut stream);
        for item in 0..size {
            let reference = own + (1.0 - between).sqrt() * normal(&mut stream);
            let predicted = slope * reference + level + follow.noise * normal(&mut stream);
            let one = |value| BTreeMap::from([("valence".to_owned(), value)]);
            items.push(RatedPrediction {
                key: format!("{speaker}-{item}"),
                fold: if folds {
                    1 + (speaker / FOLD) as u32
                } else {
                    1
                },
                reference: one(reference),
                predicted: one(predicted),
                speaker: Some(format!("{speaker:03}")),
            });
        }
    }
    items
}

/// Coverage of the pooled coefficient or of the mean over folds, with the median width.
pub(crate) fn concordance(out: &mut impl Write, simulations: u64) -> Result<(), Box<dyn Error>> {
    let mut table = Columns::new("CCC | utterances | between speakers", &SPEAKERS);
    let mut cell = 9000;
    for (name, follow) in FOLLOW {
        for (design, unequal, folds) in DESIGNS {
            for between in BETWEEN {
                let mut row = Vec::new();
                for speakers in SPEAKERS {
                    cell += 1;
                    if folds && (speakers % FOLD != 0 || speakers == FOLD) {
                        row.push(dash());
                        continue;
                    }
                    let (mut held, mut made, mut widths) = (0, 0, Vec::new());
                    for simulation in 0..simulations {
                        let who = (speakers, unequal, folds);
                        let items = draw(follow, between, who, (cell, simulation));
                        let options = InferenceOptions::default();
                        let all = score_dimensions(&RunLabels::default(), &[&items], &options)?;
                        let wanted = match folds {
                            true => FoldName::Mean,
                            false => FoldName::Pooled,
                        };
                        let scored = all.iter().find(|scores| scores.fold == wanted);
                        let ci = scored.and_then(|scores| scores.scores[0].ci);
                        if let Some([low, high]) = ci {
                            made += 1;
                            held += u64::from(low <= follow.truth() && follow.truth() <= high);
                            widths.push(high - low);
                        }
                    }
                    widths.sort_by(f64::total_cmp);
                    let width = widths.get(widths.len() / 2);
                    row.push(width.map_or_else(dash, |width| {
                        format!("{} ({:.0})", share(held, made), 100.0 * width)
                    }));
                }
                table.row(
                    &format!("{name} | {design} | {:.0} %", 100.0 * between),
                    &row,
                );
            }
        }
    }
    let title = "CCC: coverage and, in brackets, the median width in hundredths";
    Ok(table.print(out, title)?)
}
