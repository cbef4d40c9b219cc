//! Weights are read only to encode.

use emobox_bench::{
    Context, CorpusChoice, EncoderChoice, Experiment, Home, Scheme, Silent, bench, read_run,
};
use emobox_encoder::Encoder;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Three emotions of six short tones each, as a table with speakers.
fn tones(folder: &Path) {
    let mut table = String::from("path,label,speaker\n");
    for (class, label) in ["angry", "happy", "sad"].iter().enumerate() {
        for at in 0..6 {
            let samples = (0..4000).map(|i| {
                let t = i as f32 / 16_000.0;
                let pitch = 150.0 + 90.0 * class as f32 + 5.0 * at as f32;
                ((t * pitch * std::f32::consts::TAU).sin() * 9000.0) as i16
            });
            let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
            let mut wav = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data".to_vec();
            wav.extend((data.len() as u32).to_le_bytes());
            wav.extend(data);
            std::fs::write(folder.join(format!("{label}{at}.wav")), wav).unwrap();
            table += &format!("{label}{at}.wav,{label},s{}\n", at % 5);
        }
    }
    std::fs::write(folder.join("labels.csv"), table).unwrap();
}

#[test]
fn weights_are_read_to_encode_and_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("tones");
    std::fs::create_dir(&raw).unwrap();
    tones(&raw);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/golden");
    let encoder = |name: &str, file: &str| EncoderChoice {
        name: name.to_owned(),
        path: Some(golden.join(file)),
    };
    let mut experiment = Experiment {
        corpora: vec![CorpusChoice {
            name: "tones".to_owned(),
            raw: Some(raw),
            ..CorpusChoice::default()
        }],
        encoders: vec![
            encoder("one", "whisper-80.pt"),
            encoder("two", "data2vec2-base.pt"),
        ],
        head: Some("mean-linear".to_owned()),
        ..Experiment::default()
    };
    let home = Home::new(folder.path().join("home"));
    let stop = AtomicBool::new(false);
    let context = Context {
        progress: &Silent,
        stop: &stop,
    };
    let out = folder.path().join("out");
    let run = |experiment: &Experiment| bench(&home, experiment, &out, context).unwrap();
    run(&experiment);
    assert_eq!(Encoder::opened(), 2, "each encoder once");
    // Again, another partition on the same features, and the report.
    run(&experiment);
    experiment.schemes = Scheme::Speaker.into();
    let last = run(&experiment);
    read_run(&out).unwrap();
    assert_eq!(Encoder::opened(), 2);
    assert!(last.scores().absent.is_empty());
}
