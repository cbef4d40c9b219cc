/// Turns logits into log-probabilities in place.
pub(crate) fn log_softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
    let level = largest + sum.ln();
    row.iter_mut().for_each(|x| *x -= level);
}
