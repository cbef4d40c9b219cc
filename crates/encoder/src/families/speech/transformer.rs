use super::{NAMES, RelativeShape, RelativeTable};
use crate::EncoderError;
use crate::ops::{Activation, OpResult, Ops, Prepare, Role};
use crate::parts::{
    Block, BlockBias, BlockConfig, Kept, NormOrder, Positional, PositionalConfig, Stack,
};
use crate::weights::Loader;

/// Everything after the projection: convolutional positions, norms and blocks.
pub(in crate::families) struct Transformer<P: Prepare> {
    positional: Positional<P>,
    /// Before the first block, for blocks that normalise after their sums.
    entry_norm: Option<P::Norm>,
    stack: Stack<P>,
    relative: Option<RelativeTable>,
}

impl<P: Prepare> Transformer<P> {
    /// Builds `layers` blocks of one shape; the positions have an activation of their own.
    pub(in crate::families) fn build(
        (block, layers): (&BlockConfig, usize),
        (positional, activation): (PositionalConfig, Activation),
        relative: Option<RelativeShape>,
        loader: &mut Loader<'_>,
        device: &P,
    ) -> OpResult<Self> {
        let positional = Positional::build(positional, block.dim, activation, loader, device)?;
        let role = match block.order {
            NormOrder::Post => Role::Both,
            NormOrder::Pre | NormOrder::PreDoubled => Role::Stream,
        };
        let norm = loader.norm(device, "encoder.layer_norm", block.dim, (block.eps, role))?;
        let (entry_norm, final_norm) = match block.order {
            NormOrder::Post => (Some(norm), None),
            NormOrder::Pre | NormOrder::PreDoubled => (None, Some(norm)),
        };
        let relative = match relative {
            None => None,
            Some(shape) => Some(RelativeTable::build(shape, block.heads, loader)?),
        };
        let blocks = (0..layers)
            .map(|i| {
                let prefix = format!("encoder.layers.{i}");
                Block::build(block, &NAMES, &prefix, loader, device)
            })
            .collect::<OpResult<_>>()?;
        Ok(Self {
            positional,
            entry_norm,
            stack: Stack { blocks, final_norm },
            relative,
        })
    }
}

impl<O: Ops> Transformer<O> {
    /// The requested hidden states of projected frames.
    pub(in crate::families) fn forward(
        &self,
        ops: &O,
        x: O::Tensor,
        layers: &[usize],
    ) -> Result<Vec<Vec<f32>>, EncoderError> {
        let mut x = self.positional.forward(ops, x)?;
        if let Some(norm) = &self.entry_norm {
            x = ops.norm_rows(x, norm, Activation::None)?;
        }
        let frames = &ops.lengths(&x);
        let table = match &self.relative {
            None => None,
            Some(relative) => Some(relative.upload(ops, frames)?),
        };
        let bias = |_| table.as_ref().map_or(BlockBias::None, BlockBias::Relative);
        let kept = Kept {
            layers,
            skip: 0,
            frames,
        };
        self.stack.forward(ops, x, kept, bias)
    }
}
