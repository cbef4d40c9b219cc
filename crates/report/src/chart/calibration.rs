use super::canvas::{Anchor, Canvas, Scale};
use super::{Drawing, Figure, FigureTable, Section};
use crate::ReportData;
use crate::format::percent;
use crate::tables::Grid;
use emobox_score::{Calibration, Run};

const SIDE: f64 = 190.0;
const LEFT: f64 = 38.0;
const TOP: f64 = 10.0;

/// A reliability diagram for each run with probabilities.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    let grid = Grid::of(data);
    grid.runs()
        .filter_map(|(_, system, run)| {
            let calibration = data
                .siblings(run)
                .find_map(|sibling| sibling.calibration.as_ref())?;
            Some(figure(run, &grid.systems[system], calibration))
        })
        .collect()
}

fn figure(run: &Run, system: &str, calibration: &Calibration) -> Figure {
    let x = Scale {
        values: [0.0, 1.0],
        pixels: [LEFT, LEFT + SIDE],
    };
    let y = Scale {
        values: [0.0, 1.0],
        pixels: [TOP + SIDE, TOP],
    };
    let mut canvas = Canvas::default();
    for tick in [0.0, 0.5, 1.0] {
        let label = format!("{:.0}", 100.0 * tick);
        canvas
            .line([x.at(0.0), y.at(tick)], [x.at(1.0), y.at(tick)], "grid")
            .line([x.at(tick), y.at(0.0)], [x.at(tick), y.at(1.0)], "grid")
            .text([LEFT - 6.0, y.at(tick) + 4.0], Anchor::End, "soft", &label)
            .text(
                [x.at(tick), TOP + SIDE + 15.0],
                Anchor::Middle,
                "soft",
                &label,
            );
    }
    canvas.line([x.at(0.0), y.at(0.0)], [x.at(1.0), y.at(1.0)], "chance");
    let bins = || calibration.bins.iter().filter(|bin| bin.n > 0);
    canvas.path(
        bins().map(|bin| [x.at(bin.confidence), y.at(bin.accuracy)]),
        "l0",
    );
    let most = bins().map(|bin| bin.n).max().unwrap_or(1) as f64;
    for bin in bins() {
        // The area of a dot is proportional to its share of the utterances.
        let radius = 1.5 + 5.5 * (bin.n as f64 / most).sqrt();
        let tip = format!(
            "confidence {} %: {} % right of {}",
            percent(bin.confidence),
            percent(bin.accuracy),
            bin.n
        );
        canvas.circle(
            [x.at(bin.confidence), y.at(bin.accuracy)],
            radius,
            "dot f0",
            &tip,
        );
    }
    canvas.text(
        [x.at(1.0), TOP + SIDE + 31.0],
        Anchor::End,
        "soft",
        "confidence %",
    );
    canvas.turned_text([11.0, y.at(0.5)], -90.0, Anchor::Middle, "soft", "right %");
    Figure::new(Drawing {
        section: Section::Calibration,
        name: format!("calibration {} {} {}", run.corpus, run.encoder, run.config),
        title: format!("{}, {system}", run.corpus),
        description: format!(
            "Share that is right against the probability given to the predicted class, in 15 bins; dashed: as it \
             should be. Log-loss {:.3}, Brier score {:.3}, expected calibration error {} %.",
            calibration.log_loss,
            calibration.brier,
            percent(calibration.ece)
        ),
        size: [LEFT + SIDE + 14.0, TOP + SIDE + 38.0],
        body: canvas.finish(),
        table: table(calibration),
    })
}

fn table(calibration: &Calibration) -> FigureTable {
    let bins = calibration.bins.iter().filter(|bin| bin.n > 0);
    FigureTable {
        columns: ["confidence %", "right %", "n"].map(String::from).to_vec(),
        rows: bins
            .map(|bin| {
                vec![
                    percent(bin.confidence),
                    percent(bin.accuracy),
                    bin.n.to_string(),
                ]
            })
            .collect(),
    }
}
