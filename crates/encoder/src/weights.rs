//! From a checkpoint's tensors to a device's weights: finds names, checks shapes, and records every tensor requested.

use crate::EncoderError;
use crate::ops::{LinearWeights, NormWeights, OpResult, Prepare, Role};
use emobox_checkpoint::Checkpoint;
use std::collections::{BTreeMap, HashSet};

/// How the tensors of a checkpoint are named: a prefix, then a mapping of the model's own names.
#[derive(Clone)]
pub(crate) struct Naming {
    pub(crate) prefix: String,
    /// Whether no known program writes this prefix.
    pub(crate) unusual: bool,
    /// Maps a name in the model code to the name in the checkpoint.
    pub(crate) spell: fn(&str) -> String,
}

impl Naming {
    /// The first of `prefixes` with which `anchor` is in the checkpoint; otherwise the only prefix of any kind with which it is
    /// (`module.`, from data-parallel training), or the first of all.
    pub(crate) fn find(
        checkpoint: &Checkpoint,
        prefixes: &[&str],
        anchor: &str,
        spell: fn(&str) -> String,
    ) -> Self {
        let spelt = spell(anchor);
        let holds = |prefix: &&&str| checkpoint.has(&format!("{prefix}{spelt}"));
        let known = prefixes.iter().find(holds).map(|known| (*known).to_owned());
        let only = || {
            let mut found = checkpoint
                .names()
                .filter_map(|name| name.strip_suffix(&spelt))
                .filter(|prefix| prefix.ends_with('.'));
            let first = found.next()?.to_owned();
            found.next().is_none().then_some(first)
        };
        let unusual = known.is_none();
        let prefix = known.or_else(only);
        Self {
            unusual: unusual && prefix.is_some(),
            prefix: prefix.unwrap_or_else(|| prefixes[0].to_owned()),
            spell,
        }
    }

    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{}", self.prefix, (self.spell)(name))
    }
}

/// Names unchanged.
pub(crate) fn verbatim(name: &str) -> String {
    name.to_owned()
}

/// A tensor that a model requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) tensor: String,
    pub(crate) shape: Vec<usize>,
    /// The shape in the checkpoint, `None` if it is missing.
    pub(crate) found: Option<Vec<usize>>,
}

impl Need {
    pub(crate) fn fits(&self) -> bool {
        self.found.as_ref() == Some(&self.shape)
    }
}

/// Provides the tensors of a checkpoint under the names of the model code.
pub(crate) struct Loader<'a> {
    checkpoint: &'a Checkpoint,
    naming: Naming,
    /// If false, every tensor is returned empty, and mismatches are only recorded.
    reads: bool,
    pub(crate) needs: Vec<Need>,
}

impl<'a> Loader<'a> {
    /// Records what a model needs, without reading.
    pub(crate) fn census(checkpoint: &'a Checkpoint, naming: Naming) -> Self {
        Self {
            checkpoint,
            naming,
            reads: false,
            needs: Vec::new(),
        }
    }

    /// Reads the tensors.
    pub(crate) fn reading(checkpoint: &'a Checkpoint, naming: Naming) -> Self {
        Self {
            checkpoint,
            naming,
            reads: true,
            needs: Vec::new(),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.checkpoint.has(&self.naming.name(name))
    }

    /// The shape in the checkpoint, for tensors that may have several.
    pub(crate) fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.checkpoint.shape(&self.naming.name(name))
    }

    /// The values of a tensor, which must have this shape.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize]) -> OpResult<Vec<f32>> {
        let tensor = self.naming.name(name);
        let found = self.checkpoint.shape(&tensor).map(<[usize]>::to_vec);
        let need = Need {
            tensor,
            shape: shape.to_vec(),
            found,
        };
        if let Some(dtype) = self.checkpoint.dtype(&need.tensor)
            && dtype.is_integer()
        {
            let dtype = dtype.to_string();
            return Err(EncoderError::QuantisedTensor {
                tensor: need.tensor,
                dtype,
            });
        }
        if !self.reads {
            self.needs.push(need);
            return Ok(Vec::new());
        }
        require(std::slice::from_ref(&need))?;
        let values = self.checkpoint.read(&need.tensor)?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let value = values[index];
            return Err(EncoderError::NonFiniteTensor {
                tensor: need.tensor,
                index,
                value,
            });
        }
        self.needs.push(need);
        Ok(values)
    }

    /// `{name}.weight` `[out, inp]` and, if `bias`, `{name}.bias`.
    pub(crate) fn linear<P: Prepare>(
        &mut self,
        device: &P,
        name: &str,
        (out, inp): (usize, usize),
        bias: bool,
        role: Role,
    ) -> OpResult<P::Linear> {
        self.scaled_linear(device, name, (out, inp), bias, (role, 1.0))
    }

    /// [`Loader::linear`] times a factor.
    pub(crate) fn scaled_linear<P: Prepare>(
        &mut self,
        device: &P,
        name: &str,
        (out, inp): (usize, usize),
        bias: bool,
        (role, factor): (Role, f64),
    ) -> OpResult<P::Linear> {
        let mut scaled = |part: &str, shape: &[usize]| -> OpResult<Vec<f32>> {
            let values = self.tensor(&format!("{name}.{part}"), shape)?;
            let scaled = values.iter().map(|&v| (f64::from(v) * factor) as f32);
            Ok(scaled.collect())
        };
        let weight = scaled("weight", &[out, inp])?;
        let bias = if bias {
            Some(scaled("bias", &[out])?)
        } else {
            None
        };
        device.linear_weights(LinearWeights {
            role,
            out,
            inp,
            weight,
            bias,
        })
    }

    /// `{name}.weight` and `{name}.bias`.
    pub(crate) fn norm<P: Prepare>(
        &mut self,
        device: &P,
        name: &str,
        dim: usize,
        (eps, role): (f64, Role),
    ) -> OpResult<P::Norm> {
        let weight = self.tensor(&format!("{name}.weight"), &[dim])?;
        let bias = self.tensor(&format!("{name}.bias"), &[dim])?;
        device.norm_weights(NormWeights {
            role,
            affine: Some((weight, bias)),
            eps: eps as f32,
        })
    }
}

/// The first mismatch, as an error that counts the others.
pub(crate) fn require(needs: &[Need]) -> Result<(), EncoderError> {
    let mut unfit = needs.iter().filter(|need| !need.fits());
    let Some(first) = unfit.next() else {
        return Ok(());
    };
    let others = unfit.count();
    let (tensor, shape) = (first.tensor.clone(), first.shape.clone());
    Err(match &first.found {
        None => EncoderError::MissingTensor {
            tensor,
            shape,
            others,
        },
        Some(found) => EncoderError::MisshapedTensor {
            tensor,
            expected: shape,
            found: found.clone(),
            others,
        },
    })
}

/// Buffers that training programs keep in layers and inference does not read.
const BUFFERS: [&str; 2] = [".num_batches_tracked", ".inv_freq"];

/// A tensor that the layers after the first share with it: BEATs' files hold a copy for each.
const SHARED: &str = ".self_attn.relative_attention_bias.weight";

/// Tensors that the model does not use although it uses others of the same list of layers: `encoder.layers.3.*` beside
/// `encoder.layers.0` to `2`, or a bias of relative positions in layer 0. The configuration is not that of the weights.
pub(crate) fn left_over(checkpoint: &Checkpoint, model: &[Need], all: &[Need]) -> Vec<String> {
    let lists: HashSet<&str> = model
        .iter()
        .flat_map(|need| layer_lists(&need.tensor))
        .collect();
    let used: HashSet<&str> = all.iter().map(|need| need.tensor.as_str()).collect();
    let is_shared = model.iter().any(|need| need.tensor.ends_with(SHARED));
    let is_left = |name: &&str| {
        let is_known = used.contains(name)
            || is_shared && name.ends_with(SHARED)
            || BUFFERS.iter().any(|buffer| name.ends_with(buffer));
        !is_known && layer_lists(name).any(|list| lists.contains(list))
    };
    checkpoint
        .names()
        .filter(is_left)
        .map(str::to_owned)
        .collect()
}

/// What comes before each number in a tensor's name: `encoder.layers` of `encoder.layers.3.attention.q_proj.weight`.
fn layer_lists(name: &str) -> impl Iterator<Item = &str> {
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| {
        let next = name[at + 1..].split('.').next()?;
        let is_number = !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(&name[..at])
    })
}

/// Refuses a checkpoint with tensors as in [`left_over`].
pub(crate) fn refuse_left_over(left_over: &[String]) -> Result<(), EncoderError> {
    match left_over {
        [] => Ok(()),
        [first, others @ ..] => Err(EncoderError::UnusedTensor {
            tensor: first.clone(),
            others: others.len(),
        }),
    }
}

/// The tensors that no need names and that are not in `left_over`, gathered by their leading parts:
/// `lm_head.bias`, `model.decoder.* (98 tensors)`.
pub(crate) fn unused(checkpoint: &Checkpoint, needs: &[Need], left_over: &[String]) -> Vec<String> {
    let named = needs.iter().map(|need| need.tensor.as_str());
    let used: HashSet<&str> = named.chain(left_over.iter().map(String::as_str)).collect();
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in checkpoint.names().filter(|name| !used.contains(name)) {
        let mut parts: Vec<&str> = name.split('.').collect();
        parts.pop();
        parts.truncate(2);
        groups.entry(parts.join(".")).or_default().push(name);
    }
    let describe = |(group, names): (String, Vec<&str>)| match names.as_slice() {
        [name] => (*name).to_owned(),
        names if group.is_empty() => names.join(", "),
        names => format!("{group}.* ({} tensors)", names.len()),
    };
    groups.into_iter().map(describe).collect()
}
