use crate::WaveformNormalisation;
use crate::zoo::zoo;
use std::fmt::Write;

/// The zoo as shown in `docs/encoders.md`.
pub fn zoo_markdown() -> String {
    let mut out = String::from(
        "# Encoders\n\n\
         <!-- Generated from crates/encoder/src/zoo.rs; EMOBOX_UPDATE=1 cargo test -p emobox-encoder --lib zoo writes it anew. -->\n\n\
         `fbank` (log-mel energies with deltas) is built in and needs no weights. `egemaps` (the 88 functionals of eGeMAPSv02, one\n\
         vector an utterance) comes from your Python package `opensmile` (`pip install opensmile`, whose licence is for research;\n\
         `EMOBOX_PYTHON` names the Python that has it), brought to about mean 0 and deviation 1 by fixed constants; the version of\n\
         openSMILE is part of the store. The checkpoints below are known by\n\
         name: `emobox encoders pull NAME` fetches one from the hub. Any other checkpoint of these architectures opens\n\
         from its folder by its own configuration: `--encoder NAME=DIR`.\n\n\
         All take 16 kHz but MERT, which takes 24: recordings are brought to an encoder's rate at once. Parameters are those of\n\
         the encoder alone; frames are those of a second. Waveforms are normalised as the checkpoint's own configuration says;\n\
         the column tells what that is in the release.\n\n\
         Which hidden states are meant: of SEW-D, whose blocks work on means of two frames, a block's state stands for both and\n\
         the last is of the frames made again; of BEATs, patches of 160 ms and 16 bands follow each other, the lowest bands of a\n\
         moment first; of SenseVoice, the frames without the four learned rows before them, layer 0 being what the first block\n\
         yields; of Dasheng, windows of ten seconds that do not see each other. SenseVoice wants `config.yaml` and `am.mvn` beside\n\
         `model.pt`, as its repository has them.\n\n\
         | name | family | published at | parameters | layers | dims | frames | waveform | licence | row of the paper |\n\
         |---|---|---|---:|---:|---:|---:|---|---|---|\n",
    );
    for entry in zoo() {
        let parameters = entry
            .parameters
            .map_or_else(|| "–".to_owned(), |n| format!("{:.1} M", n as f64 / 1e6));
        let layers = entry
            .layers
            .map_or_else(|| "–".to_owned(), |n| n.to_string());
        let waveform = match (entry.normalisation, entry.family) {
            (
                _,
                "Whisper" | "Qwen2-Audio" | "Qwen2.5-Omni" | "Voxtral" | "w2v-BERT 2.0" | "Dasheng"
                | "BEATs" | "SenseVoice",
            ) => "log-mel",
            (WaveformNormalisation::None, _) => "as it is",
            (WaveformNormalisation::Transformers | WaveformNormalisation::Fairseq, _) => {
                "mean 0, variance 1"
            }
        };
        let frames = f64::from(entry.sample_rate) / entry.hop as f64;
        let frames = (frames * 10.0).round() / 10.0;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {parameters} | {layers} | {} | {frames} | {waveform} | {} | {} |",
            entry.name,
            entry.family,
            entry.place(),
            entry.dim,
            entry.licence,
            entry.paper.unwrap_or(""),
        );
    }
    out.push_str(&crate::heard::markdown());
    out
}
