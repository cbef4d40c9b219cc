/// Holm's step-down correction (1979): adjusted p values that control the family-wise error rate.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut adjusted = vec![0.0; p.len()];
    let mut floor = 0.0_f64;
    for (i, &place) in order.iter().enumerate() {
        floor = floor.max(((p.len() - i) as f64 * p[place]).min(1.0));
        adjusted[place] = floor;
    }
    adjusted
}

/// Benjamini and Hochberg's step-up correction (1995): adjusted p values that control the false discovery rate.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut adjusted = vec![0.0; p.len()];
    let mut ceiling = 1.0_f64;
    for (i, &place) in order.iter().enumerate().rev() {
        ceiling = ceiling.min(p.len() as f64 * p[place] / (i + 1) as f64);
        adjusted[place] = ceiling;
    }
    adjusted
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}
