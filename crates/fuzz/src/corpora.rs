//! Readers of sound and of corpora.

use emobox_audio::LoadOptions;
use emobox_corpus::{AudioHeader, PrepareOptions, Table, prepare_any_with};
use std::path::{Path, PathBuf};

/// What a file of sound or video holds, by our own readers of headers.
pub(crate) fn header(input: &[u8]) {
    assert!(
        std::env::var_os("EMOBOX_FFMPEG").is_some(),
        "set EMOBOX_FFMPEG to a program that is not there: else each input starts a process"
    );
    if let Err(error) = emobox_audio::probe_bytes(input.to_vec(), "input") {
        assert!(!error.to_string().is_empty());
    }
}

/// The waveform of any container.
pub(crate) fn audio(input: &[u8]) {
    // Containers that need ffmpeg start a program; they are not what is tried here.
    let known: [&[u8]; 6] = [b"RIFF", b"FORM", b"fLaC", b"OggS", b"ID3", b"RIFX"];
    let mp4 = input.get(4..8) == Some(b"ftyp");
    if mp4 || known.iter().any(|magic| input.starts_with(magic)) || input.first() == Some(&0xFF) {
        drop(emobox_audio::load_bytes(
            input.to_vec(),
            "input",
            &LoadOptions::default(),
        ));
    }
}

/// YAML as JSON.
pub(crate) fn yaml(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        drop(emobox_files::parse_yaml(text));
    }
}

/// A table with each delimiter.
pub(crate) fn table(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for delimiter in [b',', b'\t', b';'] {
        if let Ok(table) = Table::parse(PathBuf::from("t"), &text, delimiter, &[]) {
            for row in table.rows() {
                assert!(row.line() > 0);
            }
        }
    }
}

/// A table as a corpus, whatever its encoding and delimiter.
pub(crate) fn listing(input: &[u8]) {
    prepare("labels.csv", input, &[]);
}

/// A manifest as a corpus.
pub(crate) fn jsonl(input: &[u8]) {
    prepare("manifest.jsonl", input, &[]);
}

/// Segments of a Kaldi folder.
pub(crate) fn kaldi(input: &[u8]) {
    let beside: [(&str, &[u8]); 3] = [
        ("wav.scp", b"a a.wav\n"),
        ("utt2emo", b"a-1 anger\na-2 sad\n"),
        ("utt2spk", b"a-1 03\na-2 03\n"),
    ];
    prepare("segments", input, &beside);
}

/// Supervisions of Lhotse beside good recordings.
pub(crate) fn lhotse(input: &[u8]) {
    let recordings = b"{\"id\":\"a\",\"sources\":[{\"type\":\"file\",\"channels\":[0],\"source\":\"a.wav\"}],\"sampling_rate\":16000,\"num_samples\":16000,\"duration\":1.0}\n";
    prepare(
        "supervisions.jsonl",
        input,
        &[("recordings.jsonl", recordings)],
    );
}

/// The header of an audformat database beside good tables.
pub(crate) fn audformat(input: &[u8]) {
    let table = b"file,start,end,emotion\na.wav,0 days 00:00:00,,a\n";
    let files = b"file,speaker\na.wav,03\n";
    prepare(
        "db.yaml",
        input,
        &[
            ("db.emotion.train.csv", table),
            ("db.emotion.test.csv", table),
            ("db.files.csv", files),
        ],
    );
}

/// A Parquet table with audio or paths.
pub(crate) fn parquet(input: &[u8]) {
    prepare("all.parquet", input, &[]);
}

/// A tar shard.
pub(crate) fn tar(input: &[u8]) {
    prepare("all.tar", input, &[]);
}

/// Prepares a corpus of one file of this content and what lies beside it.
fn prepare(name: &str, input: &[u8], beside: &[(&str, &[u8])]) {
    let folder = crate::folder();
    let raw = folder.join("raw");
    if !raw.is_dir() {
        std::fs::create_dir_all(&raw).unwrap();
        std::fs::write(raw.join("a.wav"), b"").unwrap();
    }
    let written: Vec<PathBuf> = [(name, input)]
        .iter()
        .chain(beside)
        .map(|(name, content)| {
            let path = raw.join(name);
            std::fs::write(&path, content).unwrap();
            path
        })
        .collect();
    let options = PrepareOptions {
        unpack: Some(folder.join("audio")),
        allow_missing: true,
        threads: Some(1),
        ..PrepareOptions::default()
    };
    let header = |_: &Path| {
        Ok(AudioHeader {
            sample_rate: 16_000,
            channels: 1,
            frames: 16_000,
        })
    };
    if let Err(error) = prepare_any_with("mine", &raw, &options, &header) {
        assert!(!error.to_string().is_empty());
    }
    for path in written {
        std::fs::remove_file(path).unwrap();
    }
}
