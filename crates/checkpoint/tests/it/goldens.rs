use crate::builders::{Pickle, Zip, archive, floats, golden, goldens, open};
use emobox_checkpoint::{Checkpoint, Dtype};
use serde_json::{Value, json};

/// Every golden file holds exactly the tensors that PyTorch reads from it, and nothing is rounded.
#[test]
fn every_tensor_is_what_pytorch_reads() {
    let expected: Value = serde_json::from_slice(&golden("expected.json")).unwrap();
    let mut files = 0;
    for (file, tensors) in expected.as_object().unwrap() {
        if file == "versions" {
            continue;
        }
        let checkpoint = Checkpoint::open(goldens().join(file)).unwrap();
        let tensors = tensors.as_object().unwrap();
        let mut names: Vec<_> = tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), names, "{file}");
        for (name, tensor) in tensors {
            let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
            let values: Vec<f32> = serde_json::from_value(tensor["values"].clone()).unwrap();
            assert_eq!(checkpoint.shape(name), Some(&shape[..]), "{file}: {name}");
            assert_eq!(checkpoint.read(name).unwrap(), values, "{file}: {name}");
            let dtype = checkpoint.dtype(name).unwrap().to_string();
            let spelled = tensor["dtype"].as_str().unwrap();
            let short = spelled
                .replace("bfloat", "bf")
                .replace("float", "f")
                .replace("uint", "u")
                .replace("int", "i");
            assert_eq!(dtype, short, "{file}: {name}");
        }
        files += 1;
    }
    assert!(files >= 10);
}

#[test]
fn configurations_come_out_as_json() {
    for file in ["fairseq.pt", "fairseq_legacy.pt", "fairseq_protocol_4.pt"] {
        let config = Checkpoint::open(goldens().join(file))
            .unwrap()
            .config()
            .unwrap();
        assert_eq!(
            config["cfg"],
            json!({
                "_name": null,
                "common": {"seed": 1337, "fp16": true, "log_format": "json"},
                "model": {
                    "_name": "data2vec_multi",
                    "depth": 12,
                    "embed_dim": 768,
                    "norm_eps": 1e-6,
                    "layers": [[512, 10, 5], [512, 3, 2]],
                    "supported_modality": 1,
                    "missing": "???",
                    "seed": 1337,
                },
                "task": {"width": 768, "labels": ["km"], "normalize": true, "data": "/data/${common.log_format}"},
            }),
            "{file}"
        );
        assert_eq!(
            config["args"],
            json!({"arch": "data2vec", "layers": 2, "names": ["a", "b"], "lr": 0.5, "device": "cpu"}),
            "{file}"
        );
    }
    let whisper = Checkpoint::open(goldens().join("whisper.pt")).unwrap();
    assert_eq!(whisper.config().unwrap()["dims"]["n_audio_ctx"], 1500);
    let plain = Checkpoint::open(goldens().join("types.pt")).unwrap();
    assert_eq!(plain.config(), None);
}

#[test]
fn tensors_of_types_that_are_not_read_are_named_and_the_others_read() {
    let checkpoint = open(&golden("unreadable.pt")).unwrap();
    assert_eq!(checkpoint.read("plain").unwrap().len(), 2);
    for (name, reason) in [
        ("complex", "complex"),
        ("sparse", "torch._utils._rebuild_sparse_tensor"),
        ("quantised", "torch._utils._rebuild_qtensor"),
    ] {
        assert!(checkpoint.has(name));
        let message = checkpoint
            .read(name)
            .unwrap_err()
            .to_string()
            .to_lowercase();
        assert!(
            message.contains(name) && message.contains(reason),
            "{message}"
        );
    }
}

#[test]
fn a_missing_tensor_is_named_with_those_that_resemble_it() {
    let checkpoint = open(&golden("fairseq.pt")).unwrap();
    let message = checkpoint.read("proj.weight").unwrap_err().to_string();
    assert!(message.contains("\"proj.weight\""), "{message}");
    assert!(message.contains("encoder.proj.weight"), "{message}");
}

/// PyTorch writes `byteorder`; no machine available here writes `big`.
#[test]
fn storages_of_big_endian_machines_are_turned_round() {
    let bytes: Vec<u8> = [1.5f32, -2.0]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    let file = Zip::new()
        .entry("x/data.pkl", &Pickle::state("0", 2, 0, &[2], &[1]))
        .entry("x/byteorder", b"big")
        .entry("x/data/0", &bytes)
        .finish();
    assert_eq!(open(&file).unwrap().read("w").unwrap(), [1.5, -2.0]);
}

#[test]
fn half_precision_values_survive_in_their_extremes() {
    // The largest, the smallest subnormal, minus zero and infinity.
    let half: Vec<u8> = [0x7bffu16, 0x0001, 0x8000, 0x7c00]
        .iter()
        .flat_map(|h| h.to_le_bytes())
        .collect();
    let header = r#"{"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}"#;
    let values = open(&crate::builders::safetensors(header, &half))
        .unwrap()
        .read("h")
        .unwrap();
    assert_eq!(values, [65504.0, 2f32.powi(-24), -0.0, f32::INFINITY]);
    assert!(values[2].is_sign_negative());
}

#[test]
fn the_digest_is_that_of_the_file_and_of_the_lines_of_its_shards() {
    let path = goldens().join("types.pt");
    let digest = Checkpoint::open(&path).unwrap().digest().unwrap();
    assert_eq!(digest, emobox_files::sha256_file(&path).unwrap());

    let folder = goldens().join("sharded");
    let sharded = Checkpoint::open(&folder).unwrap();
    let mut lines = String::new();
    for file in sharded.files() {
        let name = file.file_name().unwrap().to_str().unwrap();
        lines += &format!("{}  {name}\n", emobox_files::sha256_file(file).unwrap());
    }
    assert_eq!(lines.lines().count(), 2);
    assert_eq!(
        sharded.digest().unwrap(),
        emobox_files::sha256_bytes(lines.as_bytes())
    );
}

#[test]
fn safetensors_written_by_the_reference_crate_read_back() {
    use safetensors::tensor::{Dtype as Type, TensorView, serialize};
    let data = floats(&[0.5, -1.0, 2.0, 4.0, 8.0, 16.0]);
    let view = |shape: &[usize], range: std::ops::Range<usize>| {
        TensorView::new(Type::F32, shape.to_vec(), &data[range]).unwrap()
    };
    let file = serialize(
        [("a", view(&[2, 2], 0..16)), ("b", view(&[2], 16..24))],
        None,
    )
    .unwrap();
    let checkpoint = open(&file).unwrap();
    assert_eq!(checkpoint.shape("a"), Some(&[2, 2][..]));
    assert_eq!(checkpoint.read("a").unwrap(), [0.5, -1.0, 2.0, 4.0]);
    assert_eq!(checkpoint.read("b").unwrap(), [8.0, 16.0]);
    assert_eq!(checkpoint.dtype("b"), Some(&Dtype::F32));
}

/// Programs wrap their state dict in different ways and put other things beside it.
#[test]
fn the_state_dict_is_found_in_its_wrapping() {
    let tensor = |pickle: Pickle| pickle.tensor("0", 1, 0, &[1], &[1]);
    let open_dict = |pickle: Pickle, key: &str| pickle.text(key).op(b"}");
    let start = || Pickle::new().op(b"}");
    let names = |pickle: Pickle| {
        let checkpoint = open(&archive(&pickle.finish(), &[("0", &floats(&[1.0]))])).unwrap();
        checkpoint.names().map(str::to_owned).collect::<Vec<_>>()
    };
    // {"state_dict": {"model.w": …}}: a prefix in a name is not a wrapper.
    let lightning = tensor(open_dict(start(), "state_dict").text("model.w")).op(b"ss");
    assert_eq!(names(lightning), ["model.w"]);
    // {"best_loss": tensor, "model": {"w": …, "ema": {"w": …}}}.
    let counted = tensor(start().text("best_loss")).op(b"s");
    let counted = tensor(open_dict(counted, "model").text("w")).op(b"s");
    let counted = tensor(open_dict(counted, "ema").text("w")).op(b"sss");
    assert_eq!(names(counted), ["ema.w", "w"]);
    // {"model": {"size": 1}, "model_state_dict": {"w": …}}: a configuration under the first key.
    let config_first = open_dict(start(), "model").text("size").op(b"K\x01ss");
    let config_first = tensor(open_dict(config_first, "model_state_dict").text("w")).op(b"ss");
    assert_eq!(names(config_first), ["w"]);
    // {"model": {"encoder": {"w": …}}} and {"encoder": {"w": …}}: nested, without a wrapper's name.
    let nested = tensor(open_dict(open_dict(start(), "model"), "encoder").text("w")).op(b"sss");
    assert_eq!(names(nested), ["encoder.w"]);
    let bare = tensor(open_dict(start(), "encoder").text("w")).op(b"ss");
    assert_eq!(names(bare), ["encoder.w"]);
}

/// `_rebuild_tensor_v3` on an untyped storage, which newer PyTorch writes for unsigned types.
#[test]
fn an_untyped_storage_takes_the_type_of_its_tensor() {
    let pickle = Pickle::new()
        .op(b"}")
        .text("w")
        .class("torch._utils", "_rebuild_tensor_v3")
        .op(b"((")
        .text("storage")
        .class("torch.storage", "UntypedStorage")
        .text("0")
        .text("cpu")
        .int(12)
        .op(b"tQ")
        .int(1)
        .ints(&[2])
        .ints(&[1])
        .op(b"\x89}")
        .class("torch", "float32")
        .op(b"tRs")
        .finish();
    let file = archive(&pickle, &[("0", &floats(&[9.0, 1.0, 2.0]))]);
    assert_eq!(open(&file).unwrap().read("w").unwrap(), [1.0, 2.0]);
}

/// Whisper's weights as published, opened in the same way.
#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn real_weights_open() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/weights/whisper-tiny.en");
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let shape = checkpoint.shape("model.encoder.conv1.weight").unwrap();
    assert_eq!(shape, [384, 80, 3]);
    let values = checkpoint.read("model.encoder.conv1.weight").unwrap();
    assert_eq!(values.len(), 384 * 80 * 3);
    assert!(values.iter().all(|value| value.is_finite()));
}
