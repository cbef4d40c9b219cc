//! One configured family for wav2vec 2.0 (Baevski et al. 2020), HuBERT (Hsu et al. 2021), WavLM (Chen et al. 2022), data2vec
//! (Baevski et al. 2022) and models with the same arithmetic.

mod config;
mod fairseq;
mod relative;
mod transformer;

pub(crate) use config::{ACTIVATIONS, Kind, SpeechConfig, front_end};
pub(in crate::families) use config::{KERNELS, STRIDES};
pub(crate) use fairseq::{Translated, spell_fairseq, spell_fairseq_layer_norm, translate_config};

use super::Network;
use crate::normalise::WaveformNormalisation;
use crate::ops::{Activation, OpResult, Ops, Prepare, Role};
use crate::parts::{BlockConfig, BlockNames, FrontEnd, GateOf};
use crate::weights::Loader;
use crate::{EncoderError, Prepared};
pub(super) use relative::{RelativeShape, RelativeTable};
pub(super) use transformer::Transformer;

const NAMES: BlockNames = BlockNames {
    query: "attention.q_proj",
    key: "attention.k_proj",
    value: "attention.v_proj",
    out: "attention.out_proj",
    attention_norm: "layer_norm",
    inner: "feed_forward.intermediate_dense",
    outer: "feed_forward.output_dense",
    mlp_norm: "final_layer_norm",
};

/// A model of the family on a device.
pub(crate) struct Speech<P: Prepare> {
    device: P,
    normalisation: WaveformNormalisation,
    front_end: FrontEnd<P>,
    projection_norm: Option<P::Norm>,
    projection: P::Linear,
    transformer: Transformer<P>,
}

impl<P: Prepare> Speech<P> {
    pub(crate) fn build(
        config: &SpeechConfig,
        normalisation: WaveformNormalisation,
        loader: &mut Loader<'_>,
        device: P,
    ) -> OpResult<Self> {
        let &SpeechConfig { dim, eps, .. } = config;
        let front_end = FrontEnd::build(&config.front_end, loader, &device)?;
        let features = config.front_end.dim();
        let projection_norm = match config.projection_norm {
            true => Some(loader.norm(
                &device,
                "feature_projection.layer_norm",
                features,
                (eps, Role::Operand),
            )?),
            false => None,
        };
        let name = "feature_projection.projection";
        let projection = loader.linear(&device, name, (dim, features), true, Role::Stream)?;
        let shape = (dim, config.heads, config.inner);
        let block = BlockConfig {
            gated: config.relative.map(|_| GateOf::Input),
            adapter: config.adapter,
            residual: config.residual,
            ..BlockConfig::new(shape, eps, config.order, config.activation)
        };
        let transformer = Transformer::build(
            (&block, config.layers),
            (config.positional, config.front_end.activation),
            config.relative,
            loader,
            &device,
        )?;
        Ok(Self {
            normalisation,
            front_end,
            projection_norm,
            projection,
            transformer,
            device,
        })
    }
}

impl<O: Ops> Network for Speech<O> {
    fn prepare(&self, samples: &[f32]) -> Vec<f32> {
        self.normalisation.apply(samples)
    }

    fn encode(&self, inputs: &[Prepared], layers: &[usize]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ops = &self.device;
        let mut x = self.front_end.forward(ops, super::inputs(inputs))?;
        if let Some(norm) = &self.projection_norm {
            x = ops.norm_rows(x, norm, Activation::None)?;
        }
        let x = ops.linear(&x, &self.projection, Activation::None, None)?;
        self.transformer.forward(ops, x, layers)
    }

    fn batch_frames(&self) -> Option<usize> {
        self.device.batch_frames()
    }
}
