//! Checkpoints and waveforms generated from names, as in parity/encoder/common.py.

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folder of the goldens: where the tests were built, or below the working folder on a machine that they were copied to.
pub(crate) fn golden_folder() -> PathBuf {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    match built.exists() {
        true => built,
        false => PathBuf::from("crates/encoder/tests/golden"),
    }
}

/// A golden of the reference: hidden states, and all that is needed to generate the model and its input again.
pub(crate) struct Golden {
    bytes: Vec<u8>,
    pub(crate) description: Value,
}

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        let path = golden_folder().join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let text = &metadata.metadata().as_ref().unwrap()["golden"];
        let description = serde_json::from_str(text).unwrap();
        Self { bytes, description }
    }

    /// Utterances by name, with their waveforms.
    pub(crate) fn utterances(&self) -> Vec<(String, Vec<f32>)> {
        let lengths = self.description["utterances"].as_object().unwrap();
        lengths
            .iter()
            .map(|(name, samples)| {
                (
                    name.clone(),
                    waveform(name, samples.as_u64().unwrap() as usize),
                )
            })
            .collect()
    }

    /// A hidden state, `[frame, dim]`.
    pub(crate) fn state(&self, utterance: &str, layer: usize) -> (Vec<usize>, Vec<f32>) {
        let tensors = safetensors::SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(&format!("{utterance}.{layer}")).unwrap();
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        (view.shape().to_vec(), values.collect())
    }

    /// Number of hidden states.
    pub(crate) fn states(&self) -> usize {
        let tensors = safetensors::SafeTensors::deserialize(&self.bytes).unwrap();
        tensors.len() / self.description["utterances"].as_object().unwrap().len()
    }

    /// The tensors of the generated model, with the reference's names.
    pub(crate) fn tensors(&self) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
        let list = self.description["tensors"].as_array().unwrap();
        list.iter()
            .map(|entry| {
                let name = entry[0].as_str().unwrap().to_owned();
                let shape: Vec<usize> = serde_json::from_value(entry[1].clone()).unwrap();
                let values = tensor(&name, &shape);
                (name, (shape, values))
            })
            .collect()
    }

    /// Writes the model as a Hugging Face folder, tensors renamed by `rename`.
    pub(crate) fn write_folder(&self, folder: &Path, rename: impl Fn(&str) -> String) {
        write_json(&folder.join("config.json"), &self.description["config"]);
        let preprocessor = &self.description["preprocessor"];
        if !preprocessor.is_null() {
            write_json(&folder.join("preprocessor_config.json"), preprocessor);
        }
        let tensors = self
            .tensors()
            .into_iter()
            .map(|(name, tensor)| (rename(&name), tensor));
        write_safetensors(&folder.join("model.safetensors"), &tensors.collect());
    }
}

pub(crate) fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
}

/// Tensors by name, each with its shape.
pub(crate) fn write_safetensors(path: &Path, tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>) {
    let bytes: Vec<Vec<u8>> = tensors
        .values()
        .map(|(_, values)| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, (shape, _)), bytes)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
    serialize_to_file(views, None, path).unwrap();
}

fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |state: u64, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        })
}

/// Numbers in [-1, 1): splitmix64 with the name's hash as its seed.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = hash(name);
    (1..=count as u64).map(move |index| {
        let mut z = index.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(seed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

/// A plausible weight: gains around one, small biases, maps that preserve the variance.
pub(crate) fn tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let ends = |tails: &[&str]| tails.iter().any(|tail| name.ends_with(tail));
    let gain = shape.len() == 1 && !ends(&["bias", "mean"]);
    let values = uniform(name, shape.iter().product());
    if gain || ends(&["weight_g", "original0", "gru_rel_pos_const", "alibi_scale"]) {
        values.map(|u| (1.0 + 0.25 * u) as f32).collect()
    } else if shape.len() <= 1 {
        values.map(|u| (0.1 * u) as f32).collect()
    } else {
        let fan_in = shape[1..].iter().product::<usize>() as f64;
        values.map(|u| (u * (3.0 / fan_in).sqrt()) as f32).collect()
    }
}

/// Noise whose level varies four times a second, with an offset that normalisation must remove.
pub(crate) fn waveform(name: &str, samples: usize) -> Vec<f32> {
    uniform(name, samples)
        .enumerate()
        .map(|(i, u)| {
            let ramp = ((i as i64 % 4000 - 2000).abs()) as f64 / 2000.0;
            (u * (0.05 + 0.3 * ramp) + 0.01) as f32
        })
        .collect()
}
