/// Rows projected onto their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// One point per row.
    pub points: Vec<[f64; 2]>,
    /// Shares of the variance that the two components explain.
    pub explained: [f64; 2],
}

/// Maximum number of iterations of the orthogonal iteration; pictures need no more.
const PCA_ITERATIONS: usize = 60;

/// Convergence threshold for one minus the cosine between an axis and the previous one: less than a
/// thousandth of a pixel at the edge of a map.
const SETTLED: f64 = 1e-12;

/// The first two principal components of `rows`, `[row, dim]`, by orthogonal iteration; the sign of each makes
/// its largest loading positive.
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
    // Any start works that is not orthogonal to the components; this one never is in practice.
    let start = |k: usize| {
        (0..dim)
            .map(|i| ((i * (k + 2) + 1) as f64).sin())
            .collect::<Vec<f64>>()
    };
    let mut axes = [start(0), start(1)];
    for _ in 0..PCA_ITERATIONS {
        let mut next = [vec![0.0; dim], vec![0.0; dim]];
        for row in centred.chunks_exact(dim) {
            for (axis, next) in axes.iter().zip(&mut next) {
                let along = dot(row, axis);
                let sums = next.iter_mut().zip(row);
                sums.for_each(|(sum, x)| *sum += along * x);
            }
        }
        orthonormalise(&mut next);
        let turned = axes
            .iter()
            .zip(&next)
            .map(|(old, new)| 1.0 - dot(old, new).abs());
        let settled = turned.fold(0.0, f64::max) < SETTLED;
        axes = next;
        if settled {
            break;
        }
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
