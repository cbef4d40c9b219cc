//! Utterances in the plane: principal components, and t-SNE started from them.
//!
//! Both are exact and single-threaded, without a random number: the same features give the same picture. The
//! t-SNE crates at hand draw their start from the system's random numbers or sum in parallel, which would not.

use crate::{MapPoint, UtteranceMap};

/// Most utterances on a map; above it, every n-th is taken. Exact t-SNE takes time with the square.
pub const MAP_LIMIT: usize = 1500;

/// An utterance to be placed.
#[derive(Debug, Clone, Copy)]
pub struct MapItem<'a> {
    /// Key of the utterance.
    pub key: &'a str,
    /// Its emotion.
    pub label: &'a str,
    /// Who speaks, where known.
    pub speaker: Option<&'a str>,
    /// Its features averaged over frames, `[dim]`.
    pub features: &'a [f32],
}

/// A PCA and a t-SNE map of one corpus. Items with features of another length than the first, or not finite,
/// are left out and counted in the note.
pub fn utterance_maps(corpus: &str, encoder: &str, items: &[MapItem<'_>]) -> Vec<UtteranceMap> {
    let dim = items.first().map_or(0, |item| item.features.len());
    let usable = |item: &&MapItem<'_>| {
        item.features.len() == dim && item.features.iter().all(|x| x.is_finite())
    };
    let good: Vec<&MapItem<'_>> = items.iter().filter(usable).collect();
    if dim == 0 || good.len() < 3 {
        return Vec::new();
    }
    let step = good.len().div_ceil(MAP_LIMIT);
    let shown: Vec<&MapItem<'_>> = good.iter().copied().step_by(step).collect();
    let rows: Vec<f32> = shown
        .iter()
        .flat_map(|item| item.features.iter().copied())
        .collect();
    let pca = pca(&rows, dim);
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
    let [first, second] = pca.explained.map(|share| format!("{:.0}", 100.0 * share));
    let explained = format!("{first} % and {second} % of the variance");
    let tsne = tsne(&rows, dim, &pca.points, &TsneOptions::default());
    [
        ("PCA", &pca.points, explained),
        ("t-SNE", &tsne, "perplexity 30, started from PCA".to_owned()),
    ]
    .into_iter()
    .map(|(method, points, note)| UtteranceMap {
        corpus: corpus.to_owned(),
        encoder: encoder.to_owned(),
        method: method.to_owned(),
        note: [note]
            .into_iter()
            .chain(left_out.iter().cloned())
            .collect::<Vec<_>>()
            .join("; "),
        points: shown
            .iter()
            .zip(points)
            .map(|(item, at)| MapPoint {
                key: item.key.to_owned(),
                at: *at,
                label: item.label.to_owned(),
                speaker: item.speaker.map(str::to_owned),
            })
            .collect(),
    })
    .collect()
}

/// Rows on their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// One point a row.
    pub points: Vec<[f64; 2]>,
    /// Shares of the variance that the two components explain.
    pub explained: [f64; 2],
}

/// Iterations of the orthogonal iteration; pictures need no more.
const PCA_ITERATIONS: usize = 60;

/// The first two principal components of `rows`, `[row, dim]`, by orthogonal iteration; each is turned so that
/// its largest loading is positive.
pub fn pca(rows: &[f32], dim: usize) -> Pca {
    let n = rows.len().checked_div(dim).unwrap_or(0);
    if n == 0 {
        return Pca {
            points: Vec::new(),
            explained: [0.0; 2],
        };
    }
    let mut centred: Vec<f64> = rows[..n * dim].iter().map(|&x| f64::from(x)).collect();
    for column in 0..dim {
        let mean = (0..n).map(|row| centred[row * dim + column]).sum::<f64>() / n as f64;
        (0..n).for_each(|row| centred[row * dim + column] -= mean);
    }
    let total: f64 = centred.iter().map(|x| x * x).sum();
    // Any start does that is not orthogonal to the components; this one never is in practice.
    let start = |k: usize| {
        (0..dim)
            .map(|i| ((i * (k + 2) + 1) as f64).sin())
            .collect::<Vec<f64>>()
    };
    let mut axes = [start(0), start(1)];
    for _ in 0..PCA_ITERATIONS {
        for axis in &mut axes {
            let mut next = vec![0.0; dim];
            for row in centred.chunks_exact(dim) {
                let along = dot(row, axis);
                next.iter_mut()
                    .zip(row)
                    .for_each(|(sum, x)| *sum += along * x);
            }
            *axis = next;
        }
        orthonormalise(&mut axes);
    }
    for axis in &mut axes {
        let largest = axis
            .iter()
            .copied()
            .fold(0.0, |a: f64, b: f64| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            axis.iter_mut().for_each(|x| *x = -*x);
        }
    }
    let points: Vec<[f64; 2]> = centred
        .chunks_exact(dim)
        .map(|row| [dot(row, &axes[0]), dot(row, &axes[1])])
        .collect();
    let explained = [0, 1].map(|k| {
        let squares: f64 = points.iter().map(|p| p[k] * p[k]).sum();
        if total > 0.0 { squares / total } else { 0.0 }
    });
    Pca { points, explained }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn orthonormalise(axes: &mut [Vec<f64>; 2]) {
    let [first, second] = axes;
    normalise(first);
    let along = dot(first, second);
    second
        .iter_mut()
        .zip(&*first)
        .for_each(|(x, y)| *x -= along * y);
    normalise(second);
}

fn normalise(axis: &mut [f64]) {
    let length = dot(axis, axis).sqrt();
    if length > 0.0 {
        axis.iter_mut().for_each(|x| *x /= length);
    }
}

/// Settings of t-SNE.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TsneOptions {
    /// Effective number of neighbours; lowered to a third of the points where there are few.
    pub perplexity: f64,
    /// Gradient steps, the first third of them with exaggerated attraction.
    pub iterations: usize,
}

impl Default for TsneOptions {
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            iterations: 600,
        }
    }
}

/// Exact t-SNE (van der Maaten & Hinton 2008) of `rows`, `[row, dim]`, started from `start` (the PCA) scaled to a
/// standard deviation of 1e-4, with early exaggeration 12 and the learning rate n / 12 of Kobak & Berens 2019.
pub fn tsne(rows: &[f32], dim: usize, start: &[[f64; 2]], options: &TsneOptions) -> Vec<[f64; 2]> {
    const EXAGGERATION: f64 = 12.0;
    let n = start.len();
    let spread = (start.iter().map(|p| p[0] * p[0]).sum::<f64>() / n.max(1) as f64).sqrt();
    if n < 4 || dim == 0 || rows.len() < n * dim || spread == 0.0 {
        return start.to_vec();
    }
    let affinities = affinities(rows, dim, n, options.perplexity.min((n - 1) as f64 / 3.0));
    let mut points: Vec<[f64; 2]> = start.iter().map(|p| p.map(|x| x / spread * 1e-4)).collect();
    let (mut velocity, mut gains) = (vec![[0.0; 2]; n], vec![[1.0; 2]; n]);
    let rate = (n as f64 / EXAGGERATION).max(50.0);
    for iteration in 0..options.iterations {
        let early = iteration < options.iterations / 3;
        let (pull, momentum) = if early {
            (EXAGGERATION, 0.5)
        } else {
            (1.0, 0.8)
        };
        let gradient = gradient(&affinities, &points, pull);
        for i in 0..n {
            for k in 0..2 {
                let same_way = (gradient[i][k] > 0.0) == (velocity[i][k] > 0.0);
                let gain: f64 = gains[i][k];
                gains[i][k] = if same_way {
                    (gain * 0.8).max(0.01)
                } else {
                    gain + 0.2
                };
                velocity[i][k] = momentum * velocity[i][k] - rate * gains[i][k] * gradient[i][k];
                points[i][k] += velocity[i][k];
            }
        }
    }
    points
}

/// Symmetric neighbour probabilities, upper triangle row by row.
fn affinities(rows: &[f32], dim: usize, n: usize, perplexity: f64) -> Vec<f64> {
    let mut squared = vec![0.0; n * n];
    for i in 0..n {
        for j in i + 1..n {
            let (a, b) = (&rows[i * dim..][..dim], &rows[j * dim..][..dim]);
            let distance: f32 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
            squared[i * n + j] = f64::from(distance);
            squared[j * n + i] = f64::from(distance);
        }
    }
    let mut conditional = vec![0.0; n * n];
    for i in 0..n {
        let (distances, out) = (&squared[i * n..][..n], &mut conditional[i * n..][..n]);
        neighbours(distances, i, perplexity.ln(), out);
    }
    let mut upper = Vec::with_capacity(n * (n - 1) / 2);
    for i in 0..n {
        for j in i + 1..n {
            let both = conditional[i * n + j] + conditional[j * n + i];
            upper.push((both / (2.0 * n as f64)).max(1e-12));
        }
    }
    upper
}

/// Finds the width of the Gaussian about one point whose entropy is `wanted`.
fn neighbours(distances: &[f64], own: usize, wanted: f64, out: &mut [f64]) {
    let nearest = (0..distances.len())
        .filter(|&j| j != own)
        .map(|j| distances[j])
        .fold(f64::INFINITY, f64::min);
    let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..80 {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (j, (slot, distance)) in out.iter_mut().zip(distances).enumerate() {
            // Relative to the nearest, so that the sum never vanishes.
            let beyond = distance - nearest;
            *slot = if j == own {
                0.0
            } else {
                (-precision * beyond).exp()
            };
            sum += *slot;
            weighted += *slot * beyond;
        }
        out.iter_mut().for_each(|p| *p /= sum);
        let entropy = sum.ln() + precision * weighted / sum;
        if (entropy - wanted).abs() < 1e-6 {
            break;
        }
        if entropy > wanted {
            low = precision;
            precision = if high.is_finite() {
                f64::midpoint(low, high)
            } else {
                precision * 2.0
            };
        } else {
            high = precision;
            precision = f64::midpoint(low, high);
        }
    }
}

fn gradient(affinities: &[f64], points: &[[f64; 2]], pull: f64) -> Vec<[f64; 2]> {
    let n = points.len();
    let kernel = |i: usize, j: usize| {
        let [dx, dy] = [points[i][0] - points[j][0], points[i][1] - points[j][1]];
        (1.0 / (1.0 + dx * dx + dy * dy), dx, dy)
    };
    let mut sum = 0.0;
    for i in 0..n {
        for j in i + 1..n {
            sum += 2.0 * kernel(i, j).0;
        }
    }
    let mut gradient = vec![[0.0; 2]; n];
    let mut pairs = affinities.iter();
    for i in 0..n {
        for j in i + 1..n {
            let affinity = pairs.next().copied().unwrap_or(0.0);
            let (near, dx, dy) = kernel(i, j);
            let force = 4.0 * (pull * affinity - near / sum) * near;
            gradient[i][0] += force * dx;
            gradient[i][1] += force * dy;
            gradient[j][0] -= force * dx;
            gradient[j][1] -= force * dy;
        }
    }
    gradient
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
        assert!(utterance_maps("c", "e", &[]).is_empty());
        assert!(utterance_maps("c", "e", &[item(&[1.0])]).is_empty());
        let same = vec![item(&[1.0, 2.0]); 8];
        for map in utterance_maps("c", "e", &same) {
            assert!(
                map.points
                    .iter()
                    .all(|p| p.at.iter().all(|x| x.is_finite()))
            );
        }
        let mut mixed = vec![
            item(&[1.0, 2.0]),
            item(&[2.0, 2.0]),
            item(&[0.0, 5.0]),
            item(&[3.0, 1.0]),
        ];
        mixed.extend([item(&[f32::NAN, 0.0]), item(&[1.0])]);
        let maps = utterance_maps("c", "e", &mixed);
        assert_eq!(maps.len(), 2);
        assert_eq!(maps[0].points.len(), 4);
        assert!(maps[0].note.contains("2 without usable features"));
    }
}
