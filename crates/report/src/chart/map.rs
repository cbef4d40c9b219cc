use super::canvas::{Anchor, Canvas, Scale, legend};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::{MapPoint, ReportData, UtteranceMap};
use std::collections::BTreeMap;

const SIDE: f64 = 400.0;
const MARGIN: f64 = 8.0;

/// Each map twice: coloured by emotion and, where speakers are known, by speaker.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    let by_label = |point: &MapPoint| Some(point.label.clone());
    let by_speaker = |point: &MapPoint| point.speaker.clone();
    data.maps
        .iter()
        .flat_map(|map| {
            let speakers = map.points.iter().any(|point| point.speaker.is_some());
            let emotions = figure(map, "emotion", by_label);
            let speakers = speakers.then(|| figure(map, "speaker", by_speaker));
            [Some(emotions), speakers].into_iter().flatten()
        })
        .collect()
}

fn figure(map: &UtteranceMap, by: &str, group: impl Fn(&MapPoint) -> Option<String>) -> Figure {
    let mut counts = BTreeMap::<String, usize>::new();
    for name in map.points.iter().filter_map(&group) {
        *counts.entry(name).or_default() += 1;
    }
    let names: Vec<&str> = counts.keys().map(String::as_str).collect();
    let finite = || {
        map.points
            .iter()
            .filter(|p| p.at.iter().all(|v| v.is_finite()))
    };
    let axis = |k: usize, pixels: [f64; 2]| {
        let low = finite().map(|p| p.at[k]).fold(f64::INFINITY, f64::min);
        let high = finite().map(|p| p.at[k]).fold(f64::NEG_INFINITY, f64::max);
        Scale {
            values: [low, high],
            pixels,
        }
    };
    let inside = [MARGIN + 6.0, SIDE - MARGIN - 6.0];
    let (x, y) = (axis(0, inside), axis(1, [inside[1], inside[0]]));
    let mut canvas = Canvas::default();
    canvas.rect(
        [MARGIN, MARGIN, SIDE - 2.0 * MARGIN, SIDE - 2.0 * MARGIN],
        "frame",
    );
    for point in finite() {
        let name = group(point);
        let place = name
            .as_deref()
            .and_then(|name| names.iter().position(|n| *n == name));
        let class = place.map_or("dot f7".to_owned(), |i| format!("dot f{}", i % PALETTE));
        let speaker = point
            .speaker
            .as_deref()
            .map(|s| format!(", {s}"))
            .unwrap_or_default();
        let tip = format!("{}: {}{speaker}", point.key, point.label);
        canvas.circle([x.at(point.at[0]), y.at(point.at[1])], 3.2, &class, &tip);
    }
    let below = [MARGIN, SIDE + 14.0];
    let bottom = if names.len() <= PALETTE {
        legend(&mut canvas, names.iter().copied(), below, SIDE)
    } else {
        let text = format!("{} {by}s; colours repeat", names.len());
        canvas.text(below, Anchor::Start, "soft", &text);
        SIDE + 26.0
    };
    Figure::new(Drawing {
        section: Section::Map,
        name: format!("map {} {} {} {by}", map.corpus, map.encoder, map.method),
        title: format!("{}, {}: {} by {by}", map.corpus, map.encoder, map.method),
        description: format!(
            "{} utterances laid out by {} of their features ({}), coloured by {by}: points that are close sound \
             alike to the encoder.",
            map.points.len(),
            map.method,
            map.note
        ),
        size: [SIDE, bottom],
        body: canvas.finish(),
        table: FigureTable {
            columns: vec![by.to_owned(), "utterances".to_owned()],
            rows: counts
                .iter()
                .map(|(name, n)| vec![name.clone(), n.to_string()])
                .collect(),
        },
    })
}
