//! Utterances in the plane: principal components, and t-SNE initialised with them on request.
//!
//! Both are exact and single-threaded, without random numbers: the same features give the same picture. The
//! available t-SNE crates start from the system's random numbers or sum in parallel, so they would not.

mod pca;
mod stored;
mod tsne;

use std::collections::BTreeSet;

pub use pca::{Pca, pca};
pub use stored::{Colouring, MAP_GRID, MapMethod, MapPoint, UtteranceMap};
pub(crate) use stored::{keys_are_kept, write_maps};
pub use tsne::{TsneOptions, tsne};

/// Maximum number of utterances on a map; above it, only every n-th is used.
pub const MAP_LIMIT: usize = 1500;

/// An utterance to be placed.
#[derive(Debug, Clone, Copy)]
pub struct MapItem<'a> {
    /// Key of the utterance.
    pub key: &'a str,
    /// Its emotion.
    pub label: &'a str,
    /// The speaker, if known.
    pub speaker: Option<&'a str>,
    /// Its features averaged over frames, `[dim]`.
    pub features: &'a [f32],
}

/// The requested maps of one corpus, in the order of `methods`. Items with features of another length
/// than the first, or not finite, are left out and counted in the note.
///
/// The time for [`MapMethod::Pca`] grows with the number of utterances, that for [`MapMethod::Tsne`] with its square.
pub fn utterance_maps(
    corpus: &str,
    encoder: &str,
    items: &[MapItem<'_>],
    methods: &[MapMethod],
) -> Vec<UtteranceMap> {
    let dim = items.first().map_or(0, |item| item.features.len());
    let usable = |item: &&MapItem<'_>| {
        item.features.len() == dim && item.features.iter().all(|x| x.is_finite())
    };
    let good: Vec<&MapItem<'_>> = items.iter().filter(usable).collect();
    if dim == 0 || good.len() < 3 || methods.is_empty() {
        return Vec::new();
    }
    let step = good.len().div_ceil(MAP_LIMIT);
    let shown: Vec<&MapItem<'_>> = good.iter().copied().step_by(step).collect();
    let rows: Vec<f32> = shown
        .iter()
        .flat_map(|item| item.features.iter().copied())
        .collect();
    let mut left_out = Vec::new();
    if step > 1 {
        left_out.push(format!("{} of {} utterances", shown.len(), items.len()));
    }
    if good.len() < items.len() {
        left_out.push(format!(
            "{} without usable features",
            items.len() - good.len()
        ));
    }
    let pca = pca(&rows, dim);
    let map = |&method: &MapMethod| {
        let (places, how) = match method {
            MapMethod::Pca => {
                let [first, second] = pca.explained.map(|share| format!("{:.0}", 100.0 * share));
                let how = format!("{first} % and {second} % of the variance");
                (pca.points.clone(), how)
            }
            MapMethod::Tsne => (
                tsne(&rows, dim, &pca.points, &TsneOptions::default()),
                "perplexity 30, started from PCA".to_owned(),
            ),
        };
        let note: Vec<String> = [how].into_iter().chain(left_out.iter().cloned()).collect();
        let named = UtteranceMap {
            corpus: corpus.to_owned(),
            encoder: encoder.to_owned(),
            method: method.name().to_owned(),
            note: note.join("; "),
            ..UtteranceMap::default()
        };
        placed(named, &shown, &places)
    };
    methods.iter().map(map).collect()
}

/// `map` with its points.
fn placed(mut map: UtteranceMap, items: &[&MapItem<'_>], places: &[[f64; 2]]) -> UtteranceMap {
    let labels: BTreeSet<&str> = items.iter().map(|item| item.label).collect();
    let speakers: BTreeSet<&str> = items.iter().filter_map(|item| item.speaker).collect();
    map.labels = labels.into_iter().map(str::to_owned).collect();
    map.speakers = speakers.into_iter().map(str::to_owned).collect();
    let index = |names: &[String], name: &str| {
        let place = names.binary_search_by(|known| known.as_str().cmp(name));
        place.ok().and_then(|i| u16::try_from(i).ok())
    };
    let points = items
        .iter()
        .zip(stored::on_grid(places))
        .map(|(item, [x, y])| MapPoint {
            x,
            y,
            label: index(&map.labels, item.label).unwrap_or(u16::MAX),
            speaker: item.speaker.and_then(|name| index(&map.speakers, name)),
        });
    map.points = points.collect();
    map.keys = items.iter().map(|item| item.key.to_owned()).collect();
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clouds of `each` rows in 20 dimensions.
    fn clouds(each: usize) -> Vec<f32> {
        let noise = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5;
        let row =
            |i: usize| (0..20).map(move |k| noise(i * 20 + k) + if k == i % 3 { 6.0 } else { 0.0 });
        (0..3 * each).flat_map(row).collect()
    }

    fn squared(a: [f64; 2], b: [f64; 2]) -> f64 {
        (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
    }

    #[test]
    fn the_nearest_neighbour_on_either_map_is_of_the_same_cloud() {
        let rows = clouds(40);
        let pca = pca(&rows, 20);
        let tsne = tsne(&rows, 20, &pca.points, &TsneOptions::default());
        for points in [&pca.points, &tsne] {
            assert_eq!(points.len(), 120);
            for (i, own) in points.iter().enumerate() {
                let others = (0..120).filter(|&j| j != i);
                let nearest = others
                    .min_by(|&a, &b| squared(*own, points[a]).total_cmp(&squared(*own, points[b])));
                assert_eq!(nearest.unwrap() % 3, i % 3);
            }
        }
        assert!(pca.explained[0] >= pca.explained[1] && pca.explained[1] > 0.2);
    }

    #[test]
    fn principal_components_of_a_line_are_the_line() {
        let rows: Vec<f32> = (0..10)
            .flat_map(|i| [3.0 * i as f32, 4.0 * i as f32])
            .collect();
        let pca = pca(&rows, 2);
        assert!((pca.explained[0] - 1.0).abs() < 1e-12 && pca.explained[1] < 1e-12);
        assert!(
            (pca.points[9][0] - 22.5).abs() < 1e-9,
            "{:?}",
            pca.points[9]
        );
    }

    #[test]
    fn odd_input_gives_a_map_or_none_and_never_a_panic() {
        let item = |features: &'static [f32]| MapItem {
            key: "k",
            label: "l",
            speaker: None,
            features,
        };
        let maps = |items: &[MapItem<'_>]| utterance_maps("c", "e", items, &MapMethod::ALL);
        assert!(maps(&[]).is_empty());
        assert!(maps(&[item(&[1.0])]).is_empty());
        let same = vec![item(&[1.0, 2.0]); 8];
        assert!(utterance_maps("c", "e", &same, &[]).is_empty());
        for map in maps(&same) {
            assert_eq!(map.points.len(), 8);
            assert!(
                map.points
                    .iter()
                    .all(|p| p.x <= MAP_GRID && p.y <= MAP_GRID)
            );
        }
        let mut mixed = vec![
            item(&[1.0, 2.0]),
            item(&[2.0, 2.0]),
            item(&[0.0, 5.0]),
            item(&[3.0, 1.0]),
        ];
        mixed.extend([item(&[f32::NAN, 0.0]), item(&[1.0])]);
        let maps = maps(&mixed);
        assert_eq!(maps.len(), 2);
        assert_eq!(
            (maps[0].method.as_str(), maps[1].method.as_str()),
            ("PCA", "t-SNE")
        );
        assert_eq!(maps[0].points.len(), 4);
        assert!(maps[0].note.contains("2 without usable features"));
    }
}
