//! Tools of `tools/gpu/check.sh` in the shape of tests: encoders of full size with made weights, and how far off a device is on them.

use crate::gpu::options;
use crate::made::{Golden, tensor, waveform, write_json, write_safetensors};
use crate::speech_golden::open;
use emobox_encoder::{
    Encoder, EncoderOptions, EncoderSource, HiddenStates, LayerSelection, Precision, check_dir,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the encoders lie, each in a folder of its name.
fn root() -> PathBuf {
    let root = std::env::var_os("EMOBOX_FULL_SIZE").expect("EMOBOX_FULL_SIZE=DIR");
    PathBuf::from(root)
}

/// The golden whose configuration is taken, and what is larger in the real one.
fn sizes(name: &str) -> (&'static str, Value) {
    let wav2vec = |dim: usize, layers: usize, heads: usize| {
        json!({
            "hidden_size": dim, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * dim,
            "conv_dim": [512, 512, 512, 512, 512, 512, 512], "num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16,
        })
    };
    let large = || wav2vec(1024, 24, 16);
    match name {
        "wav2vec2-base" => ("wav2vec2-base", wav2vec(768, 12, 12)),
        "wavlm-large" => ("wavlm-large", large()),
        // Five convolutions of the positions, each over 19.
        "data2vec-large" => {
            let mut sizes = large();
            sizes["num_conv_pos_embeddings"] = json!(5);
            ("data2vec-audio", sizes)
        }
        "whisper-large-v3" => {
            let sizes = json!({
                "num_mel_bins": 128, "d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
            });
            ("whisper-128", sizes)
        }
        // For a machine without a card.
        "wav2vec2-small" => {
            let mut sizes = wav2vec(128, 2, 2);
            sizes["conv_dim"] = json!([32, 32, 32, 32, 32, 32, 32]);
            ("wav2vec2-base", sizes)
        }
        other => panic!("no sizes of {other}"),
    }
}

/// Writes the folder of an encoder whose weights are made from their names.
fn write(name: &str, folder: &Path) {
    let (golden, sizes) = sizes(name);
    let golden = Golden::read(golden);
    let mut config = golden.description["config"].clone();
    for (key, value) in sizes.as_object().unwrap() {
        config[key] = value.clone();
    }
    std::fs::create_dir_all(folder).unwrap();
    write_json(&folder.join("config.json"), &config);
    let preprocessor = &golden.description["preprocessor"];
    if !preprocessor.is_null() {
        write_json(&folder.join("preprocessor_config.json"), preprocessor);
    }
    let weights = folder.join("model.safetensors");
    // What the configuration asks for is told of a checkpoint that lacks it.
    let nothing = BTreeMap::from([("nothing".to_owned(), (vec![1], vec![0.0]))]);
    write_safetensors(&weights, &nothing);
    let missing = check_dir(folder).unwrap().missing;
    let tensors = missing.iter().map(|line| {
        let (tensor_name, shape) = line.split_once(' ').unwrap();
        let shape: Vec<usize> = serde_json::from_str(shape).unwrap();
        let values = tensor(tensor_name, &shape);
        (tensor_name.to_owned(), (shape, values))
    });
    write_safetensors(&weights, &tensors.collect());
}

/// With `EMOBOX_FULL_SIZE=DIR` and `EMOBOX_NAMES=a,b`.
#[test]
#[ignore = "writes the encoders of tools/gpu/check.sh"]
fn write_full_size() {
    for name in std::env::var("EMOBOX_NAMES")
        .expect("EMOBOX_NAMES")
        .split(',')
    {
        write(name, &root().join(name));
    }
}

/// The largest error of the last hidden state, and the mean one, both over the mean magnitude.
fn error(found: &HiddenStates, expected: &HiddenStates) -> (f64, f64) {
    let count = expected.data.len() as f64;
    let size = expected
        .data
        .iter()
        .map(|x| f64::from(x.abs()))
        .sum::<f64>()
        / count;
    let errors = found
        .data
        .iter()
        .zip(&expected.data)
        .map(|(a, b)| f64::from((a - b).abs()));
    let (largest, sum) = errors.fold((0.0, 0.0), |(most, sum): (f64, f64), e| {
        (most.max(e), sum + e)
    });
    (largest / size, sum / count / size)
}

/// Prints a line of JSON an encoder and precision: how far the last hidden state of a ragged batch is from the CPU's in f32, beside how
/// far the CPU's own bf16 is. The device rounds a few more things: its mean error is at most two and a half times that in bf16, half of
/// this in f16, and a hundredth of the CPU's in f32.
#[test]
#[ignore = "a step of tools/gpu/check.sh"]
fn errors_of_full_size() {
    let mut wrong = Vec::new();
    for name in std::env::var("EMOBOX_NAMES")
        .expect("EMOBOX_NAMES")
        .split(',')
    {
        let folder = root().join(name);
        let waves: Vec<Vec<f32>> = [32_000, 9_000, 57_000]
            .map(|samples| waveform(&format!("full {samples}"), samples))
            .to_vec();
        let waves: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
        let encode = |encoder: &Encoder| -> Vec<HiddenStates> {
            let states = encoder.encode_batch(&waves, &LayerSelection::Last, waves.len());
            states.into_iter().map(Result::unwrap).collect()
        };
        let expected = encode(&open(&folder));
        let worst = |states: &[HiddenStates]| -> (f64, f64) {
            let errors = states
                .iter()
                .zip(&expected)
                .map(|(found, expected)| error(found, expected));
            errors.fold((0.0, 0.0), |a, b| (f64::max(a.0, b.0), f64::max(a.1, b.1)))
        };
        let on_cpu = EncoderOptions {
            precision: Precision::Bf16,
            ..Default::default()
        };
        let source = EncoderSource::Local {
            name: name.to_owned(),
            path: folder.clone(),
        };
        let open_with = |options: EncoderOptions| Encoder::open(&source, &options).unwrap();
        let cpu = worst(&encode(&open_with(on_cpu)));
        for (precision, bound) in [
            (Precision::F32, cpu.1 / 100.0),
            (Precision::Bf16, cpu.1 * 2.5),
            (Precision::F16, cpu.1 * 1.25),
        ] {
            let found = worst(&encode(&open_with(options(precision))));
            let line = json!({
                "encoder": name, "precision": format!("{precision:?}").to_lowercase(),
                "largest": found.0, "mean": found.1, "bound": bound, "cpu_bf16_mean": cpu.1,
            });
            println!("{line}");
            if found.1.is_nan() || found.1 > bound {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
