/// Slopes over time of `[frame, dim]` features by the regression formula of the HTK Book (3.4,
/// section 5.9, equation 5.16) with a window of two frames on either side; the first and last frame are repeated
/// beyond the edges.
///
/// `d[t] = Σ n (c[t+n] − c[t−n]) / (2 Σ n²)`, n = 1, 2.
pub fn deltas(features: &[f32], dim: usize) -> Vec<f32> {
    const WINDOW: usize = 2;
    const DENOMINATOR: f32 = 2.0 * (1.0 + 4.0);
    if dim == 0 || features.is_empty() {
        return Vec::new();
    }
    let last = features.len() / dim - 1;
    let row = |frame: usize| &features[frame * dim..(frame + 1) * dim];
    let mut out = vec![0.0; features.len()];
    for (frame, out) in out.chunks_exact_mut(dim).enumerate() {
        for n in 1..=WINDOW {
            let after = row((frame + n).min(last));
            let before = row(frame.saturating_sub(n));
            for ((out, after), before) in out.iter_mut().zip(after).zip(before) {
                *out += n as f32 * (after - before);
            }
        }
        for out in out {
            *out /= DENOMINATOR;
        }
    }
    out
}
