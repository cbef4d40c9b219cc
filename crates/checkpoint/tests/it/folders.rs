use crate::builders::{Pickle, archive, floats, goldens, safetensors};
use emobox_checkpoint::{Checkpoint, CheckpointError};
use std::path::Path;

fn weights(name: &str, value: f32) -> Vec<u8> {
    let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    safetensors(&header, &floats(&[value]))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn refusal(folder: &Path) -> CheckpointError {
    Checkpoint::open(folder).err().unwrap()
}

#[test]
fn a_folder_is_searched_in_a_stated_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let value = || Checkpoint::open(folder).unwrap().read("w").unwrap()[0];
    let pickled = archive(
        &Pickle::state("0", 1, 0, &[1], &[1]),
        &[("0", &floats(&[4.0]))],
    );
    // The training arguments beside the weights are not a second candidate.
    write(folder, "training_args.bin", b"\x80\x02}.");
    write(folder, "checkpoint_best.pt", &pickled);
    assert_eq!(value(), 4.0);
    write(folder, "anything.safetensors", &weights("w", 3.0));
    assert_eq!(value(), 3.0);
    write(folder, "shard.bin", &weights("w", 2.0));
    write(
        folder,
        "pytorch_model.bin.index.json",
        br#"{"weight_map": {"w": "shard.bin"}}"#,
    );
    assert_eq!(value(), 2.0);
    write(folder, "model.safetensors", &weights("w", 1.0));
    assert_eq!(value(), 1.0);
}

#[test]
fn several_candidates_are_listed_and_none_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "b.pt", b"x");
    write(folder.path(), "a.pt", b"x");
    let message = refusal(folder.path()).to_string();
    assert!(message.contains("a.pt, b.pt"), "{message}");
}

#[test]
fn an_empty_folder_lists_what_is_there_and_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "tf_model.h5", b"x");
    let message = refusal(folder.path()).to_string();
    assert!(
        message.contains("tf_model.h5") && message.contains("model.safetensors"),
        "{message}"
    );
}

#[test]
fn shards_are_joined_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let index =
        br#"{"metadata": {}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    write(folder, "model.safetensors.index.json", index);
    write(folder, "m-1.safetensors", &weights("a", 1.0));
    let error = refusal(folder);
    assert!(
        matches!(&error, CheckpointError::MissingShard { shard, .. } if shard == "m-2.safetensors")
    );
    write(folder, "m-2.safetensors", &weights("b", 2.0));
    let joined = Checkpoint::open(folder).unwrap();
    assert_eq!(joined.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(joined.read("b").unwrap(), [2.0]);
    assert_eq!(joined.files().count(), 2);
    // The same from the index file itself.
    let index = folder.join("model.safetensors.index.json");
    assert!(Checkpoint::open(&index).unwrap().has("a"));
}

#[test]
fn shards_that_disagree_with_their_index_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let index = br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    write(folder, "model.safetensors.index.json", index);
    write(folder, "m-1.safetensors", &weights("a", 1.0));
    write(folder, "m-2.safetensors", &weights("a", 2.0));
    assert!(refusal(folder).to_string().contains("\"a\" is also in"));
    write(folder, "m-2.safetensors", &weights("c", 2.0));
    let message = refusal(folder).to_string();
    assert!(
        message.contains("\"b\"") && message.contains("m-2.safetensors"),
        "{message}"
    );
}

#[test]
fn an_index_stays_in_its_folder() {
    let outer = tempfile::tempdir().unwrap();
    write(outer.path(), "secret.safetensors", &weights("w", 1.0));
    let folder = outer.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    let absolute = outer.path().join("secret.safetensors");
    for shard in [
        "../secret.safetensors",
        "a/../../secret.safetensors",
        absolute.to_str().unwrap(),
        "",
    ] {
        let index = serde_json::json!({"weight_map": {"w": shard}}).to_string();
        write(&folder, "model.safetensors.index.json", index.as_bytes());
        let message = refusal(&folder).to_string();
        assert!(message.contains("climbs out"), "{message}");
    }
}

#[test]
fn an_index_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for index in [
        "",
        "[]",
        "{}",
        r#"{"weight_map": 3}"#,
        r#"{"weight_map": {"a": 3}}"#,
        r#"{"weight_map": {}}"#,
    ] {
        write(
            folder.path(),
            "model.safetensors.index.json",
            index.as_bytes(),
        );
        let message = refusal(folder.path()).to_string();
        assert!(message.contains("model.safetensors"), "{message}");
    }
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let path = goldens().join("nowhere.pt");
    let message = refusal(&path).to_string();
    assert!(message.contains("nowhere.pt"), "{message}");
}
