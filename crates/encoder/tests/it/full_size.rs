//! Tools for `tools/gpu/check.sh` as tests: full-size encoders with generated weights, and a device's error on them.

use crate::gpu::options;
use crate::made::{Golden, tensor, waveform, write_json, write_safetensors};
use crate::speech_golden::open;
use emobox_encoder::{
    BATCHES_AT_ONCE, Encoder, EncoderOptions, EncoderSource, LayerSelection, Precision, Prepared,
    check_dir,
};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Folder of the encoders, each in a subfolder with its name.
fn root() -> PathBuf {
    let root = std::env::var_os("EMOBOX_FULL_SIZE").expect("EMOBOX_FULL_SIZE=DIR");
    PathBuf::from(root)
}

/// The golden whose configuration is used, and the values that are larger in the real one.
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
        // Five positional convolutions, each over 19 frames.
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

/// Writes the folder of an encoder with weights generated from their names.
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
    // The tensors that the configuration needs are listed in the report of a checkpoint that lacks them.
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

fn names() -> Vec<String> {
    let names = std::env::var("EMOBOX_NAMES").expect("EMOBOX_NAMES=a,b");
    names.split(',').map(str::to_owned).collect()
}

fn open_with(name: &str, options: &EncoderOptions) -> Encoder {
    let source = EncoderSource::Local {
        name: name.to_owned(),
        path: root().join(name),
    };
    Encoder::open(&source, options).unwrap()
}

/// Number of samples of the utterances on which errors are measured.
const UTTERANCES: [usize; 3] = [32_000, 9_000, 57_000];

fn utterances() -> [Vec<f32>; 3] {
    UTTERANCES.map(|samples| waveform(&format!("full {samples}"), samples))
}

fn read_f32(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let values = bytes.chunks_exact(4);
    values
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect()
}

/// With `EMOBOX_FULL_SIZE=DIR` and `EMOBOX_NAMES=a,b`; `utterance-0.f32` … are for the reference.
#[test]
#[ignore = "writes the encoders of tools/gpu/check.sh"]
fn write_full_size() {
    for (at, wave) in utterances().iter().enumerate() {
        let bytes: Vec<u8> = wave.iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(root().join(format!("utterance-{at}.f32")), bytes).unwrap();
    }
    for name in names() {
        write(&name, &root().join(name.as_str()));
    }
}

/// The largest and the mean error of the last hidden state, both divided by the mean magnitude.
fn error(found: &[f32], expected: &[f32]) -> (f64, f64) {
    assert_eq!(found.len(), expected.len());
    let count = expected.len() as f64;
    let size = expected.iter().map(|x| f64::from(x.abs())).sum::<f64>() / count;
    let errors = found.iter().zip(expected);
    let errors = errors.map(|(a, b)| f64::from((a - b).abs()));
    let (largest, sum) = errors.fold((0.0, 0.0), |(most, sum): (f64, f64), e| {
        (most.max(e), sum + e)
    });
    (largest / size, sum / count / size)
}

/// Prints a line of JSON per encoder and precision: the error of the last hidden state of a ragged batch against f32, that of
/// the CPU's bf16, and PyTorch's on the card. The f32 reference is PyTorch's if `tools/gpu/torch_peer.py` has run, otherwise
/// the CPU's. In bf16 the mean error is at most one and a half times PyTorch's; if that is unknown, at most two and a half
/// times the CPU's, since the device rounds a few more values. In f16 it is at most half of this, and in f32 a hundredth of the
/// CPU's bf16.
#[test]
#[ignore = "a step of tools/gpu/check.sh"]
fn errors_of_full_size() {
    let mut wrong = Vec::new();
    for name in names() {
        let folder = root().join(&name);
        let waves = utterances();
        let waves: Vec<&[f32]> = waves.iter().map(Vec::as_slice).collect();
        let encode = |encoder: &Encoder| -> Vec<Vec<f32>> {
            let states = encoder.encode_batch(&waves, &LayerSelection::Last, waves.len());
            states.into_iter().map(|one| one.unwrap().data).collect()
        };
        let torch = std::fs::read(folder.join("torch.json")).ok();
        let torch: Option<Value> = torch.map(|text| serde_json::from_slice(&text).unwrap());
        let torch = torch.map(|found| found["bf16"].as_f64().unwrap());
        let expected = match torch {
            Some(_) => (0..waves.len())
                .map(|at| read_f32(&folder.join(format!("torch-{at}.f32"))))
                .collect(),
            None => encode(&open(&folder)),
        };
        let worst = |states: &[Vec<f32>]| -> (f64, f64) {
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
        let cpu = worst(&encode(&open_with(&name, &on_cpu))).1;
        for (precision, bound) in [
            (Precision::F32, cpu / 100.0),
            (
                Precision::Bf16,
                torch.map_or(cpu * 2.5, |torch| torch * 1.5),
            ),
            (Precision::F16, cpu * 1.25),
        ] {
            let found = worst(&encode(&open_with(&name, &options(precision))));
            let line = json!({
                "encoder": name, "precision": format!("{precision:?}").to_lowercase(), "largest": found.0, "mean": found.1,
                "bound": bound, "cpu_bf16_mean": cpu, "torch_bf16_mean": torch,
            });
            println!("{line}");
            if found.1.is_nan() || found.1 > bound {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Prints a line of JSON per encoder: seconds for utterances of the lengths in `EMOBOX_LENGTHS` (samples, one per line), for
/// each round. Preparation on the CPU is done before the clock starts, as in `tools/gpu/torch_peer.py`.
#[test]
#[ignore = "a step of tools/gpu/check.sh"]
fn speed_of_ragged() {
    let lengths = std::fs::read_to_string(std::env::var("EMOBOX_LENGTHS").unwrap()).unwrap();
    let lengths: Vec<usize> = lengths.lines().map(|line| line.parse().unwrap()).collect();
    let precision = match std::env::var("EMOBOX_PRECISION").as_deref() {
        Ok("f32") => Precision::F32,
        _ => Precision::Bf16,
    };
    let noise = waveform("ragged", *lengths.iter().max().unwrap());
    for name in names() {
        let encoder = open_with(&name, &options(precision));
        // Whisper computes 30 s for each.
        let most = if name.starts_with("whisper") {
            256
        } else {
            lengths.len()
        };
        let mut lengths = lengths[..most].to_vec();
        lengths.sort_unstable_by_key(|&samples| Reverse(samples));
        let seconds = lengths.iter().sum::<usize>() as f64 / 16_000.0;
        let prepare = |samples: &usize| encoder.prepare(&noise[..*samples]).unwrap();
        let prepared: Vec<Prepared> = lengths.iter().map(prepare).collect();
        let full = encoder.batch_frames().unwrap();
        let mut batches: Vec<&[Prepared]> = Vec::new();
        let mut begin = 0;
        while begin < prepared.len() {
            let mut frames = 0;
            let fits = lengths[begin..].iter().take_while(|&&samples| {
                frames += encoder.computed_frames(samples);
                frames <= full
            });
            let end = begin + fits.count().max(1);
            batches.push(&prepared[begin..end]);
            begin = end;
        }
        let round = || {
            let begun = Instant::now();
            let next = AtomicUsize::new(0);
            let work = || {
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for one in encoder.encode_prepared(batch, &LayerSelection::Last) {
                        one.unwrap();
                    }
                }
            };
            std::thread::scope(|scope| {
                for _ in 0..BATCHES_AT_ONCE {
                    scope.spawn(work);
                }
            });
            begun.elapsed().as_secs_f64()
        };
        // The first is the warm-up.
        let rounds: Vec<f64> = (0..4).map(|_| round()).skip(1).collect();
        println!(
            "{}",
            json!({"encoder": name, "utterances": most, "audio_seconds": seconds, "batches": batches.len(), "rounds": rounds})
        );
    }
}
