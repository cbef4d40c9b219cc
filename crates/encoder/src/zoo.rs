//! The checkpoints known by name, one row each. Any other checkpoint of the same architectures opens by its own configuration.

use crate::WaveformNormalisation;
use serde::Serialize;

/// Where a checkpoint is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// A repository of the Hugging Face hub.
    Hub {
        /// `organisation/name`.
        repository: &'static str,
        /// The weights file if the repository has several; otherwise the one that the folder rules choose.
        file: Option<&'static str>,
    },
    /// A file to download by hand.
    Address {
        /// Its address.
        url: &'static str,
    },
}

/// A checkpoint known by name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ZooEntry {
    /// The name for `--encoder`.
    pub name: &'static str,
    /// The family, as in [`crate::EncoderInfo::family`].
    pub family: &'static str,
    /// Where it is published.
    pub published: Published,
    /// Number of parameters of the encoder (without heads and decoders); `None` if the release does not say and no file was
    /// available to count.
    pub parameters: Option<u64>,
    /// Blocks; there is one more hidden state.
    pub layers: Option<usize>,
    /// Width of a frame.
    pub dim: usize,
    /// Sampling rate of the input in samples per second.
    pub sample_rate: u32,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The release's normalisation of the waveform. The checkpoint's own configuration takes precedence.
    pub normalisation: WaveformNormalisation,
    /// The licence of the weights, by its SPDX name if it has one.
    pub licence: &'static str,
    /// The row of the paper's tables that it belongs to.
    pub paper: Option<&'static str>,
}

/// The shape that rows of one architecture share.
#[derive(Clone, Copy)]
struct Shape {
    family: &'static str,
    parameters: Option<u64>,
    layers: Option<usize>,
    dim: usize,
    sample_rate: u32,
    hop: usize,
    normalisation: WaveformNormalisation,
    licence: &'static str,
}

const fn row(
    name: &'static str,
    published: Published,
    shape: Shape,
    paper: Option<&'static str>,
) -> ZooEntry {
    let Shape {
        family,
        parameters,
        layers,
        dim,
        sample_rate,
        hop,
        normalisation,
        licence,
    } = shape;
    ZooEntry {
        name,
        family,
        published,
        parameters,
        layers,
        dim,
        sample_rate,
        hop,
        normalisation,
        licence,
        paper,
    }
}

const fn hub(repository: &'static str) -> Published {
    Published::Hub {
        repository,
        file: None,
    }
}

const fn file(repository: &'static str, file: &'static str) -> Published {
    Published::Hub {
        repository,
        file: Some(file),
    }
}

const fn base(family: &'static str, parameters: u64) -> Shape {
    Shape {
        family,
        parameters: Some(parameters),
        layers: Some(12),
        dim: 768,
        sample_rate: 16_000,
        hop: 320,
        normalisation: WaveformNormalisation::Transformers,
        licence: "Apache-2.0",
    }
}

const fn large(family: &'static str, parameters: u64) -> Shape {
    Shape {
        layers: Some(24),
        dim: 1024,
        ..base(family, parameters)
    }
}

const fn licensed(shape: Shape, licence: &'static str) -> Shape {
    Shape { licence, ..shape }
}

const fn raw(shape: Shape) -> Shape {
    Shape {
        normalisation: WaveformNormalisation::None,
        ..shape
    }
}

const fn fairseq(shape: Shape) -> Shape {
    Shape {
        normalisation: WaveformNormalisation::Fairseq,
        licence: "MIT",
        ..shape
    }
}

const fn deep(parameters: u64, dim: usize, licence: &'static str) -> Shape {
    Shape {
        layers: Some(48),
        dim,
        ..licensed(base("wav2vec 2.0", parameters), licence)
    }
}

const fn whisper(layers: usize, dim: usize, parameters: u64) -> Shape {
    Shape {
        layers: Some(layers),
        dim,
        ..raw(base("Whisper", parameters))
    }
}

const fn emotion2vec(parameters: Option<u64>, layers: Option<usize>, dim: usize) -> Shape {
    Shape {
        parameters,
        layers,
        dim,
        ..licensed(fairseq(base("emotion2vec", 0)), "FunASR model licence")
    }
}

const fn tower(family: &'static str, parameters: u64) -> Shape {
    Shape {
        layers: Some(32),
        dim: 1280,
        ..raw(base(family, parameters))
    }
}

const fn dasheng(layers: usize, dim: usize, parameters: u64) -> Shape {
    Shape {
        layers: Some(layers),
        dim,
        hop: 640,
        ..raw(base("Dasheng", parameters))
    }
}

const fn mert(shape: Shape) -> Shape {
    Shape {
        sample_rate: 24_000,
        ..licensed(shape, "CC-BY-NC-4.0")
    }
}

const fn sew_d(dim: usize) -> Shape {
    Shape {
        parameters: None,
        layers: Some(24),
        dim,
        ..base("SEW-D", 0)
    }
}

const fn conformer() -> Shape {
    Shape {
        parameters: None,
        ..large("wav2vec 2.0 conformer", 0)
    }
}

const fn wav2vec2_large(licence: &'static str) -> Shape {
    licensed(large("wav2vec 2.0", 315_437_696), licence)
}
const fn wavlm_base() -> Shape {
    raw(licensed(base("WavLM", 94_381_168), "MIT"))
}
const fn unispeech_sat_base() -> Shape {
    raw(licensed(base("UniSpeech-SAT", 94_370_944), "CC-BY-SA-3.0"))
}

/// The zoo, the paper's ten first.
const ZOO: &[ZooEntry] = &[
    row(
        "wav2vec2-base",
        hub("facebook/wav2vec2-base"),
        base("wav2vec 2.0", 94_370_944),
        Some("wav2vec 2.0 base"),
    ),
    row(
        "hubert-base",
        hub("facebook/hubert-base-ls960"),
        base("HuBERT", 94_370_944),
        Some("HuBERT base"),
    ),
    row(
        "hubert-large",
        hub("facebook/hubert-large-ll60k"),
        large("HuBERT", 315_437_696),
        Some("HuBERT large"),
    ),
    row(
        "wavlm-base",
        hub("microsoft/wavlm-base"),
        wavlm_base(),
        Some("WavLM base"),
    ),
    row(
        "wavlm-large",
        hub("microsoft/wavlm-large"),
        licensed(large("WavLM", 315_452_096), "MIT"),
        Some("WavLM large"),
    ),
    row(
        "data2vec-base",
        hub("facebook/data2vec-audio-base"),
        base("data2vec-audio", 93_163_520),
        Some("data2vec base"),
    ),
    row(
        "data2vec-large",
        hub("facebook/data2vec-audio-large"),
        large("data2vec-audio", 313_275_392),
        Some("data2vec large"),
    ),
    row(
        "data2vec2-base",
        Published::Address {
            url: "https://dl.fbaipublicfiles.com/fairseq/data2vec2/base_libri.pt",
        },
        fairseq(base("data2vec 2.0", 93_163_532)),
        Some("data2vec 2.0 base"),
    ),
    row(
        "data2vec2-large",
        Published::Address {
            url: "https://dl.fbaipublicfiles.com/fairseq/data2vec2/large_vox.pt",
        },
        fairseq(large("data2vec 2.0", 313_275_408)),
        Some("data2vec 2.0 large"),
    ),
    row(
        "whisper-large-v3",
        hub("openai/whisper-large-v3"),
        whisper(32, 1280, 636_968_960),
        Some("Whisper large v3"),
    ),
    row(
        "emotion2vec-base",
        file("emotion2vec/emotion2vec_base", "emotion2vec_base.pt"),
        emotion2vec(Some(93_171_212), Some(12), 768),
        None,
    ),
    row(
        "emotion2vec-plus-seed",
        file("emotion2vec/emotion2vec_plus_seed", "model.pt"),
        emotion2vec(Some(93_171_212), Some(12), 768),
        None,
    ),
    row(
        "emotion2vec-plus-base",
        file("emotion2vec/emotion2vec_plus_base", "model.pt"),
        emotion2vec(Some(93_171_212), Some(12), 768),
        None,
    ),
    row(
        "emotion2vec-plus-large",
        file("emotion2vec/emotion2vec_plus_large", "model.pt"),
        emotion2vec(None, None, 1024),
        None,
    ),
    row(
        "whisper-tiny",
        hub("openai/whisper-tiny"),
        whisper(4, 384, 8_208_384),
        None,
    ),
    row(
        "whisper-tiny.en",
        hub("openai/whisper-tiny.en"),
        whisper(4, 384, 8_208_384),
        None,
    ),
    row(
        "whisper-base",
        hub("openai/whisper-base"),
        whisper(6, 512, 20_590_592),
        None,
    ),
    row(
        "whisper-base.en",
        hub("openai/whisper-base.en"),
        whisper(6, 512, 20_590_592),
        None,
    ),
    row(
        "whisper-small",
        hub("openai/whisper-small"),
        whisper(12, 768, 88_154_112),
        None,
    ),
    row(
        "whisper-small.en",
        hub("openai/whisper-small.en"),
        whisper(12, 768, 88_154_112),
        None,
    ),
    row(
        "whisper-medium",
        hub("openai/whisper-medium"),
        whisper(24, 1024, 307_216_384),
        None,
    ),
    row(
        "whisper-medium.en",
        hub("openai/whisper-medium.en"),
        whisper(24, 1024, 307_216_384),
        None,
    ),
    row(
        "whisper-large",
        hub("openai/whisper-large"),
        whisper(32, 1280, 636_784_640),
        None,
    ),
    row(
        "whisper-large-v2",
        hub("openai/whisper-large-v2"),
        whisper(32, 1280, 636_784_640),
        None,
    ),
    row(
        "whisper-large-v3-turbo",
        hub("openai/whisper-large-v3-turbo"),
        licensed(whisper(32, 1280, 636_968_960), "MIT"),
        None,
    ),
    row(
        "wav2vec2-large-lv60",
        hub("facebook/wav2vec2-large-lv60"),
        wav2vec2_large("Apache-2.0"),
        None,
    ),
    row(
        "wav2vec2-large-robust",
        hub("facebook/wav2vec2-large-robust"),
        wav2vec2_large("Apache-2.0"),
        None,
    ),
    row(
        "wav2vec2-large-xlsr-53",
        hub("facebook/wav2vec2-large-xlsr-53"),
        wav2vec2_large("Apache-2.0"),
        None,
    ),
    row(
        "xls-r-300m",
        hub("facebook/wav2vec2-xls-r-300m"),
        wav2vec2_large("Apache-2.0"),
        None,
    ),
    row(
        "xls-r-1b",
        hub("facebook/wav2vec2-xls-r-1b"),
        deep(962_496_128, 1280, "Apache-2.0"),
        None,
    ),
    row(
        "xls-r-2b",
        hub("facebook/wav2vec2-xls-r-2b"),
        deep(2_159_257_728, 1920, "Apache-2.0"),
        None,
    ),
    row(
        "mms-300m",
        hub("facebook/mms-300m"),
        wav2vec2_large("CC-BY-NC-4.0"),
        None,
    ),
    row(
        "mms-1b",
        hub("facebook/mms-1b"),
        deep(962_496_128, 1280, "CC-BY-NC-4.0"),
        None,
    ),
    row(
        "mhubert-147",
        hub("utter-project/mHuBERT-147"),
        licensed(base("HuBERT", 94_373_888), "CC-BY-NC-SA-4.0"),
        None,
    ),
    row(
        "wavlm-base-plus",
        hub("microsoft/wavlm-base-plus"),
        wavlm_base(),
        None,
    ),
    row(
        "unispeech-sat-base",
        hub("microsoft/unispeech-sat-base"),
        unispeech_sat_base(),
        None,
    ),
    row(
        "unispeech-sat-base-plus",
        hub("microsoft/unispeech-sat-base-plus"),
        unispeech_sat_base(),
        None,
    ),
    row(
        "unispeech-sat-large",
        hub("microsoft/unispeech-sat-large"),
        licensed(large("UniSpeech-SAT", 315_434_112), "CC-BY-SA-3.0"),
        None,
    ),
    row(
        "w2v-bert-2.0",
        hub("facebook/w2v-bert-2.0"),
        raw(licensed(large("w2v-BERT 2.0", 580_492_096), "MIT")),
        None,
    ),
    row(
        "wav2vec2-conformer-rel-pos-large",
        hub("facebook/wav2vec2-conformer-rel-pos-large"),
        conformer(),
        None,
    ),
    row(
        "wav2vec2-conformer-rope-large",
        hub("facebook/wav2vec2-conformer-rope-large"),
        conformer(),
        None,
    ),
    row(
        "audeering-msp-dim",
        hub("audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim"),
        Shape {
            layers: Some(12),
            ..licensed(large("wav2vec 2.0", 164_283_008), "CC-BY-NC-SA-4.0")
        },
        None,
    ),
    row(
        "superb-er-hubert-large",
        hub("superb/hubert-large-superb-er"),
        large("HuBERT", 315_437_696),
        None,
    ),
    row(
        "qwen2-audio-7b",
        hub("Qwen/Qwen2-Audio-7B"),
        tower("Qwen2-Audio", 636_968_960),
        None,
    ),
    row(
        "qwen2.5-omni-7b",
        hub("Qwen/Qwen2.5-Omni-7B"),
        tower("Qwen2.5-Omni", 635_048_960),
        None,
    ),
    row(
        "voxtral-mini-3b",
        hub("mistralai/Voxtral-Mini-3B-2507"),
        tower("Voxtral", 636_968_960),
        None,
    ),
    row(
        "dasheng-base",
        hub("mispeech/dasheng-base"),
        dasheng(12, 768, 85_447_936),
        None,
    ),
    row(
        "dasheng-0.6b",
        hub("mispeech/dasheng-0.6B"),
        dasheng(32, 1280, 630_333_696),
        None,
    ),
    row(
        "dasheng-1.2b",
        hub("mispeech/dasheng-1.2B"),
        dasheng(40, 1536, 1_134_047_488),
        None,
    ),
    row(
        "beats-iter3",
        Published::Address {
            url: "https://github.com/microsoft/unilm/tree/master/beats",
        },
        raw(licensed(base("BEATs", 90_311_792), "MIT")),
        None,
    ),
    row(
        "mert-v1-95m",
        hub("m-a-p/MERT-v1-95M"),
        mert(base("MERT", 94_370_944)),
        None,
    ),
    row(
        "mert-v1-330m",
        hub("m-a-p/MERT-v1-330M"),
        mert(large("MERT", 315_434_112)),
        None,
    ),
    row("sew-d-mid", hub("asapp/sew-d-mid-400k"), sew_d(512), None),
    row(
        "sew-d-base-plus",
        hub("asapp/sew-d-base-plus-400k"),
        sew_d(768),
        None,
    ),
    row(
        "sensevoice-small",
        file("FunAudioLLM/SenseVoiceSmall", "model.pt"),
        Shape {
            layers: Some(69),
            dim: 512,
            hop: 960,
            ..raw(licensed(
                base("SenseVoice", 221_145_952),
                "FunASR model licence",
            ))
        },
        None,
    ),
];

/// Every checkpoint known by name, the paper's ten first.
pub fn zoo() -> &'static [ZooEntry] {
    ZOO
}

/// The checkpoint of this name.
pub fn zoo_entry(name: &str) -> Option<&'static ZooEntry> {
    ZOO.iter().find(|entry| entry.name == name)
}

impl ZooEntry {
    /// The request for `pull`; `None` for a file that is not on the hub.
    pub fn hub_request(&self) -> Option<crate::hub::HubRequest> {
        match self.published {
            Published::Address { .. } => None,
            Published::Hub { repository, file } => {
                let mut request = crate::hub::HubRequest::new(repository);
                request.weights = file.map(str::to_owned);
                Some(request)
            }
        }
    }

    /// Where it is published, as text.
    pub fn place(&self) -> &'static str {
        match self.published {
            Published::Hub { repository, .. } => repository,
            Published::Address { url } => url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn names_are_unique_and_the_papers_ten_are_there() {
        let names: BTreeSet<_> = ZOO.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), ZOO.len());
        assert!(!names.contains(crate::FBANK));
        let rows: BTreeSet<_> = ZOO.iter().filter_map(|entry| entry.paper).collect();
        let table = [
            "HuBERT base",
            "HuBERT large",
            "WavLM base",
            "WavLM large",
            "Whisper large v3",
            "data2vec 2.0 base",
            "data2vec 2.0 large",
            "data2vec base",
            "data2vec large",
            "wav2vec 2.0 base",
        ];
        assert_eq!(rows, BTreeSet::from(table));
    }

    #[test]
    fn the_documentation_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/encoders.md");
        if std::env::var_os("EMOBOX_UPDATE").is_some() {
            emobox_files::write_atomic(&path, crate::zoo_markdown().as_bytes()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == crate::zoo_markdown(),
            "{} is stale: run the test with EMOBOX_UPDATE=1",
            path.display()
        );
    }
}
