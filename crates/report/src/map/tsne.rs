/// Settings of t-SNE.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TsneOptions {
    /// Perplexity, the effective number of neighbours; lowered to a third of the points if there are few.
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
