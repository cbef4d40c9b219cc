use crate::ops::{OpResult, Ops};
use crate::{EncoderError, Prepared};
use std::sync::Arc;

/// The hidden states of prepared rows of `columns` values, in windows of at most `rows` rows: `[layer, row, dim]` for each
/// input, with its windows concatenated. `forward` computes `[layer, row, dim]` for every window in a tensor.
pub(super) fn in_windows<O: Ops>(
    ops: &O,
    inputs: &[Prepared],
    (rows, columns): (usize, usize),
    layers: usize,
    forward: impl Fn(O::Tensor) -> OpResult<Vec<Vec<f32>>>,
) -> Result<Vec<Vec<f32>>, EncoderError> {
    let mut windows = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let parts = input.values.chunks(rows * columns);
        windows.extend(parts.map(|part| (index, part)));
    }
    let at_once = match ops.batch_frames() {
        Some(_) => windows.len(),
        None => 1,
    };
    let mut parts: Vec<Vec<Vec<f32>>> = vec![Vec::new(); inputs.len()];
    for windows in windows.chunks(at_once.max(1)) {
        let values = windows.iter().map(|(_, part)| Arc::new(part.to_vec()));
        let x = ops.stack(&values.collect::<Vec<_>>(), columns)?;
        for ((index, _), states) in windows.iter().zip(forward(x)?) {
            parts[*index].push(states);
        }
    }
    let join = |parts: Vec<Vec<f32>>| -> Vec<f32> {
        let layer = |index: usize| {
            let parts = parts.iter();
            parts.flat_map(move |part| {
                let size = part.len() / layers;
                part[index * size..(index + 1) * size].iter().copied()
            })
        };
        (0..layers).flat_map(layer).collect()
    };
    Ok(parts.into_iter().map(join).collect())
}
