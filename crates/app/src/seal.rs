//! Test sets without labels: recordings under numbers, and the key file that the organiser keeps.

use emobox_audio::{SampleRate, write_wav_16};
use emobox_bench::{
    BenchError, BenchRun, CallError, Context, Corpus, Home, SplitRequest, Stage, load_utterance,
    scores_file, split,
};
use emobox_corpus::{Role, Utterance};
use emobox_files::{FileError, read_json, write_json};
use emobox_report::ReportData;
use emobox_score::{
    InferenceOptions, Provenance, ReferenceItem, RunLabels, ScoreRequest, SealKey, SealedAnswer,
    SealedSet, score_folds, seal,
};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The file in which a sealed set names its numbers and classes.
const SET: &str = "set.json";

/// The part of a corpus to seal, and the destination.
#[derive(Debug, Clone)]
pub struct SealRequest<'a> {
    /// Name of the set.
    pub name: &'a str,
    /// The partition and the fold whose test part is sealed; none seals the whole corpus.
    pub part: Option<(SplitRequest<'a>, Option<u32>)>,
    /// The folder that is released.
    pub out: &'a Path,
    /// The file that the organiser keeps.
    pub key: &'a Path,
}

/// Writes the recordings of a test set as `out/audio/NUMBER.wav` with `out/set.json`, and the key file.
///
/// Every recording is rewritten as the encoder receives it: one channel of 16 bit at 16 kHz, only the utterance. Names,
/// order, comments in file headers, sampling rates and modification times reveal nothing of the originals. Only the key
/// says how many recordings each class has.
///
/// # Errors
/// A folder that is not empty, a key file that exists or is inside the folder; a partition of several folds with none
/// given; a recording that cannot be read.
pub fn seal_corpus(
    home: &Home,
    corpus: &Corpus,
    request: &SealRequest<'_>,
    context: Context<'_>,
) -> Result<SealedSet, BenchError> {
    places(request)?;
    let tested = tested(home, corpus, request, context)?;
    let items: Vec<ReferenceItem> = tested.iter().map(|(u, fold)| item(u, *fold)).collect();
    let classes = corpus.manifest.classes();
    let (set, key) = seal(request.name, &classes, &items, &salt()?)?;
    let existed = request.out.exists();
    let audio = request.out.join("audio");
    context.progress.begin(&Stage {
        label: format!("sealing {}", request.name),
        total: key.items.len() as u64,
        unit: "recordings",
        already: 0,
    });
    let utterances: HashMap<&str, &Utterance> =
        tested.iter().map(|(u, _)| (u.key.as_str(), *u)).collect();
    // In order of the numbers, so that the times of writing reveal no other order.
    let written = key.items.iter().try_for_each(|(id, item)| {
        if context.stopped() {
            return Err(BenchError::Undone(request.out.to_owned()));
        }
        let samples = load_utterance(corpus, utterances[item.key.as_str()], SampleRate::SPEECH)?;
        write_wav_16(
            audio.join(format!("{id}.wav")),
            &samples,
            SampleRate::SPEECH,
        )?;
        context.progress.advance(1);
        Ok(())
    });
    context.progress.end();
    let done = written.and_then(|()| {
        write_json(request.key, &key)?;
        write_json(request.out.join(SET), &set)?;
        Ok(())
    });
    if let Err(error) = done {
        // An incomplete set has numbers that no second attempt reproduces, and its key opens nothing.
        if audio.exists() {
            std::fs::remove_dir_all(&audio).map_err(|e| FileError::io("remove", &audio, e))?;
        }
        // A folder that was there before stays.
        if !existed && request.out.exists() {
            std::fs::remove_dir(request.out)
                .map_err(|e| FileError::io("remove", request.out, e))?;
        }
        if request.key.exists() {
            std::fs::remove_file(request.key)
                .map_err(|e| FileError::io("remove", request.key, e))?;
        }
        return Err(error);
    }
    Ok(set)
}

/// Scores the answers to a sealed set.
///
/// `answers` are lines of `{"id", "prediction", "scores"}`, or the output of `emobox predict --json` on the recordings.
///
/// # Errors
/// As [`SealKey::open`]; invalid files.
pub fn open_sealed(answers: &Path, set: &Path, key: &Path) -> Result<BenchRun, BenchError> {
    let set_file = match set.is_dir() {
        true => set.join(SET),
        false => set.to_owned(),
    };
    if !set_file.exists() {
        let problem =
            "does not exist: --set names the folder that `emobox seal` wrote, or its set.json";
        return Err(BenchError::Call(CallError::other(&set_file, problem)));
    }
    let (set, key): (SealedSet, SealKey) = (read_json(&set_file)?, read_json(key)?);
    let predictions = key.open(&set, &answers_in(answers)?)?;
    let labels = RunLabels {
        corpus: set.name.clone(),
        encoder: "given answers".to_owned(),
        protocol: "–".to_owned(),
        partition: "sealed".to_owned(),
        config: "–".to_owned(),
    };
    let runs = score_folds(&ScoreRequest {
        labels: &labels,
        classes: &set.classes,
        predictions: &predictions,
        oracle: None,
        inference: InferenceOptions::default(),
    })?;
    let scores = scores_file(Provenance::default(), runs);
    Ok(BenchRun::of(ReportData::new(&set.name, scores)))
}

fn places(request: &SealRequest<'_>) -> Result<(), BenchError> {
    let (out, key) = (request.out, request.key);
    let occupied = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || out.is_file() {
        return Err(BenchError::Call(CallError::Taken {
            path: out.to_owned(),
            advice: "a sealed set goes into a folder of its own",
        }));
    }
    if key.exists() {
        return Err(BenchError::Call(CallError::Taken {
            path: key.to_owned(),
            advice: "without this key a set that was given out cannot be scored; name another file",
        }));
    }
    if emobox_files::absolute(key)?.starts_with(emobox_files::absolute(out)?) {
        return Err(BenchError::Call(CallError::Contradiction(format!(
            "the key {} would lie in {}, which is given out",
            key.display(),
            out.display()
        ))));
    }
    Ok(())
}

/// The utterances to seal, with their fold.
fn tested<'a>(
    home: &Home,
    corpus: &'a Corpus,
    request: &SealRequest<'_>,
    context: Context<'_>,
) -> Result<Vec<(&'a Utterance, u32)>, BenchError> {
    let Some((how, fold)) = &request.part else {
        let all = corpus.manifest.utterances.iter();
        return Ok(all.map(|utterance| (utterance, 1)).collect());
    };
    let partition = split(home, corpus, how, context)?.partition;
    let folds = partition.info.folds;
    let fold = match fold {
        None if folds == 1 => 1,
        Some(fold) if (1..=folds).contains(fold) => *fold,
        other => {
            return Err(BenchError::Call(CallError::Contradiction(format!(
                "the {} partition of {} has {folds} folds{}: name the one to seal with --fold",
                how.scheme,
                corpus.name,
                other.map_or(String::new(), |n| format!(" and no fold {n}"))
            ))));
        }
    };
    let keys = partition.keys(fold, &Role::Test).into_iter();
    Ok(keys
        .filter_map(|key| Some((corpus.utterance(key)?, fold)))
        .collect())
}

fn item(utterance: &Utterance, fold: u32) -> ReferenceItem {
    ReferenceItem {
        key: utterance.key.clone(),
        fold,
        label: utterance.label.clone(),
        speaker: utterance.speaker.clone(),
        gender: utterance.gender.clone(),
    }
}

/// 32 random bytes from the system, in hexadecimal.
fn salt() -> Result<String, BenchError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| BenchError::Random(e.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The fields of a recording that are used from the output of `emobox predict --json`.
#[derive(Debug, Deserialize)]
struct Predicted {
    file: PathBuf,
    prediction: String,
    probabilities: Vec<(String, f64)>,
}

fn answers_in(path: &Path) -> Result<Vec<SealedAnswer>, BenchError> {
    let text = std::fs::read_to_string(path).map_err(|e| FileError::io("read", path, e))?;
    if text.trim_start().starts_with('[') {
        let predicted: Vec<Predicted> = read_json(path)?;
        let answer = |predicted: Predicted| SealedAnswer {
            id: predicted
                .file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            prediction: predicted.prediction,
            scores: predicted
                .probabilities
                .into_iter()
                .map(|(class, p)| (class, p.ln()))
                .collect(),
        };
        return Ok(predicted.into_iter().map(answer).collect());
    }
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let line = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            let (file, problem) = (path.display().to_string(), e.to_string());
            emobox_score::ScoreError::Line {
                file,
                line: number,
                problem,
            }
            .into()
        })
    };
    lines.map(line).collect()
}
