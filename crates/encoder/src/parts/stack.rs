use super::{Block, BlockBias};
use crate::ops::{Activation, OpResult, Ops, Prepare};

/// The blocks of a transformer and the norm after the last.
pub(crate) struct Stack<P: Prepare> {
    pub(crate) blocks: Vec<Block<P>>,
    /// Applied to the last hidden state only.
    pub(crate) final_norm: Option<P::Norm>,
}

/// Which part of every hidden state is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept<'a> {
    /// Hidden states, ascending; 0 is the stack's input.
    pub(crate) layers: &'a [usize],
    /// Leading rows that are not frames (extra tokens).
    pub(crate) skip: usize,
    /// Number of frames after those, for every utterance.
    pub(crate) frames: &'a [usize],
}

impl<O: Ops> Stack<O> {
    /// The hidden states kept, `[layer, frame, dim]` for every utterance. Blocks after the last one kept are not run, and the
    /// last one run computes only the rows that are kept.
    pub(crate) fn forward<'t>(
        &self,
        ops: &O,
        mut x: O::Tensor,
        kept: Kept<'_>,
        bias: impl Fn(usize) -> BlockBias<'t, O::Tensor>,
    ) -> OpResult<Vec<Vec<f32>>>
    where
        O::Tensor: 't,
    {
        let Kept {
            layers,
            skip,
            frames,
        } = kept;
        let needed: Vec<usize> = frames.iter().map(|frames| skip + frames).collect();
        let fewer = (ops.lengths(&x) != needed).then_some(&*needed);
        let last = layers.last().copied().unwrap_or(0);
        let mut states = vec![Vec::new(); frames.len()];
        for layer in 0..=last {
            if layer > 0 {
                let queries = fewer.filter(|_| layer == last);
                x = self.blocks[layer - 1].forward(ops, x, &bias(layer - 1), queries)?;
            }
            if layer == self.blocks.len()
                && let Some(norm) = &self.final_norm
            {
                x = ops.norm_rows(x, norm, Activation::None)?;
            }
            if layers.contains(&layer) {
                let values = ops.download(&x, skip, frames)?;
                for (states, values) in states.iter_mut().zip(values) {
                    states.extend(values);
                }
            }
        }
        Ok(states)
    }
}
