use super::canvas::{Anchor, Canvas, Scale, legend, ticks};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::format::{interval, percent};
use crate::{LayerCurve, ReportData};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 38.0;
const TOP: f64 = 10.0;

/// One figure for each corpus: UA over layers, a line for each encoder.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    let mut corpora: Vec<&str> = Vec::new();
    for curve in &data.layers {
        if !corpora.contains(&curve.corpus.as_str()) {
            corpora.push(&curve.corpus);
        }
    }
    corpora
        .into_iter()
        .map(|corpus| {
            let curves = data.layers.iter().filter(|curve| curve.corpus == corpus);
            figure(corpus, &curves.collect::<Vec<_>>())
        })
        .collect()
}

fn figure(corpus: &str, curves: &[&LayerCurve]) -> Figure {
    let deepest = curves
        .iter()
        .flat_map(|c| &c.points)
        .map(|p| p.layer)
        .max()
        .unwrap_or(0);
    let x = Scale {
        values: [0.0, deepest.max(1) as f64],
        pixels: [LEFT, LEFT + WIDTH],
    };
    let y = Scale {
        values: [0.0, 1.0],
        pixels: [TOP + HEIGHT, TOP],
    };
    let mut canvas = Canvas::default();
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        canvas.line([LEFT, y.at(share)], [LEFT + WIDTH, y.at(share)], "grid");
        canvas.text(
            [LEFT - 6.0, y.at(share) + 4.0],
            Anchor::End,
            "soft",
            &(tick * 20).to_string(),
        );
    }
    for tick in ticks(0.0, deepest as f64, 12)
        .into_iter()
        .filter(|t| t.fract() == 0.0)
    {
        let label = format!("{tick:.0}");
        canvas.text(
            [x.at(tick), TOP + HEIGHT + 15.0],
            Anchor::Middle,
            "soft",
            &label,
        );
    }
    canvas.text(
        [LEFT + WIDTH, TOP + HEIGHT + 31.0],
        Anchor::End,
        "soft",
        "layer",
    );
    canvas.turned_text(
        [10.0, TOP + HEIGHT / 2.0],
        -90.0,
        Anchor::Middle,
        "soft",
        "UA %",
    );
    for (i, curve) in curves.iter().enumerate() {
        let colour = i % PALETTE;
        let bounds: Option<Vec<(usize, [f64; 2])>> = curve
            .points
            .iter()
            .map(|p| p.ua_ci.map(|ci| (p.layer, ci)))
            .collect();
        if let Some(bounds) = bounds {
            let edge = |k: usize| {
                bounds
                    .iter()
                    .map(move |(l, ci)| [x.at(*l as f64), y.at(ci[k])])
            };
            canvas.area(edge(0).chain(edge(1).rev()), &format!("band f{colour}"));
        }
        let points = curve
            .points
            .iter()
            .map(|p| [x.at(p.layer as f64), y.at(p.ua)]);
        canvas.path(points, &format!("bold l{colour}"));
        for point in &curve.points {
            let tip = format!(
                "{}, layer {}: UA {} %",
                curve.encoder,
                point.layer,
                percent(point.ua)
            );
            let at = [x.at(point.layer as f64), y.at(point.ua)];
            canvas.circle(at, 3.5, &format!("dot f{colour}"), &tip);
        }
    }
    let names = curves.iter().map(|curve| curve.encoder.as_str());
    let bottom = legend(
        &mut canvas,
        names,
        [LEFT, TOP + HEIGHT + 50.0],
        LEFT + WIDTH,
    );
    Figure::new(Drawing {
        section: Section::Layers,
        name: format!("layers {corpus}"),
        title: corpus.to_owned(),
        description: description(curves),
        size: [LEFT + WIDTH + 14.0, bottom],
        body: canvas.finish(),
        table: table(curves),
    })
}

fn description(curves: &[&LayerCurve]) -> String {
    let best: Vec<String> = curves
        .iter()
        .filter_map(|curve| {
            let best = curve.points.iter().max_by(|a, b| a.ua.total_cmp(&b.ua))?;
            Some(format!(
                "{}: best is layer {} with {} %",
                curve.encoder,
                best.layer,
                percent(best.ua)
            ))
        })
        .collect();
    format!(
        "Unweighted accuracy of a probe on each layer; bands are intervals. {}.",
        best.join("; ")
    )
}

fn table(curves: &[&LayerCurve]) -> FigureTable {
    let rows = curves
        .iter()
        .flat_map(|curve| {
            curve.points.iter().map(|point| {
                let ci = point.ua_ci.map_or("–".to_owned(), interval);
                vec![
                    curve.encoder.clone(),
                    point.layer.to_string(),
                    percent(point.ua),
                    ci,
                ]
            })
        })
        .collect();
    FigureTable {
        columns: ["encoder", "layer", "UA %", "interval"]
            .map(String::from)
            .to_vec(),
        rows,
    }
}
