use super::canvas::{Anchor, Canvas, Scale, legend};
use super::{Drawing, Figure, FigureTable, PALETTE, Section};
use crate::{MAP_GRID, MapPoint, ReportData, UtteranceMap};
use std::collections::BTreeMap;

const SIDE: f64 = 400.0;
const MARGIN: f64 = 8.0;

/// The property of a point that its colour shows.
type Group = for<'a> fn(&'a UtteranceMap, &MapPoint) -> Option<&'a str>;

/// Each map twice: coloured by emotion and, if speakers are known, by speaker. The page draws maps itself; these
/// are the files.
pub(super) fn figures(data: &ReportData) -> Vec<Figure> {
    data.maps
        .iter()
        .flat_map(|map| {
            let speakers = map.points.iter().any(|point| point.speaker.is_some());
            let emotions = figure(map, "emotion", UtteranceMap::label);
            let speakers = speakers.then(|| figure(map, "speaker", UtteranceMap::speaker));
            [Some(emotions), speakers].into_iter().flatten()
        })
        .collect()
}

fn figure(map: &UtteranceMap, by: &str, group: Group) -> Figure {
    let mut counts = BTreeMap::<&str, usize>::new();
    for name in map.points.iter().filter_map(|point| group(map, point)) {
        *counts.entry(name).or_default() += 1;
    }
    let names: Vec<&str> = counts.keys().copied().collect();
    let inside = [MARGIN + 6.0, SIDE - MARGIN - 6.0];
    let axis = |pixels: [f64; 2]| Scale {
        values: [0.0, f64::from(MAP_GRID)],
        pixels,
    };
    let (x, y) = (axis(inside), axis([inside[1], inside[0]]));
    let mut canvas = Canvas::default();
    canvas.rect(
        [MARGIN, MARGIN, SIDE - 2.0 * MARGIN, SIDE - 2.0 * MARGIN],
        "frame",
    );
    for (i, point) in map.points.iter().enumerate() {
        let place = group(map, point).and_then(|name| names.binary_search(&name).ok());
        let class = place.map_or("dot f7".to_owned(), |i| format!("dot f{}", i % PALETTE));
        let key = map.keys.get(i).map(String::as_str);
        let words = [key, map.label(point), map.speaker(point)];
        let tip: Vec<&str> = words.into_iter().flatten().collect();
        let at = [x.at(f64::from(point.x)), y.at(f64::from(point.y))];
        canvas.circle(at, 3.2, &class, &tip.join(", "));
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
                .map(|(name, n)| vec![(*name).to_owned(), n.to_string()])
                .collect(),
        },
    })
}
