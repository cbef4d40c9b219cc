//! Misclassified utterances with their audio: in the record of a cell, and embedded in a page.

use crate::extract::load_speech;
use crate::{BenchError, BenchRun, Corpus};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use emobox_audio::SampleRate;
use emobox_corpus::Utterance;
use emobox_report::{Clip, ERRORS_LIMIT, Embedded, ErrorList, ErrorRow, UtteranceMap};
use emobox_score::{Prediction, RunLabels};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The errors of a cell, the most confident first.
pub(crate) fn errors_of(corpus: &Corpus, labels: &RunLabels, items: &[Prediction]) -> ErrorList {
    let mut wrong: Vec<&Prediction> = items.iter().filter(|item| !is_right(item)).collect();
    let confidence = |item: &Prediction| share(item, &item.prediction).unwrap_or(0.0);
    wrong.sort_by(|a, b| {
        let order = confidence(b).total_cmp(&confidence(a));
        order.then_with(|| (a.fold, &a.key).cmp(&(b.fold, &b.key)))
    });
    let row = |item: &&Prediction| {
        let utterance = corpus.utterance(&item.key);
        let both = share(item, &item.prediction).zip(share(item, &item.label));
        ErrorRow {
            key: item.key.clone(),
            fold: item.fold,
            reference: item.label.clone(),
            predicted: item.prediction.clone(),
            probability: both.map(|(predicted, reference)| [predicted, reference]),
            speaker: item.speaker.clone(),
            text: utterance.and_then(|utterance| utterance.text.clone()),
            clip: utterance.and_then(|utterance| clip(corpus, utterance)),
        }
    };
    ErrorList {
        corpus: labels.corpus.clone(),
        encoder: labels.encoder.clone(),
        partition: labels.partition.clone(),
        protocol: labels.protocol.clone(),
        config: labels.config.clone(),
        n: items.len(),
        wrong: wrong.len(),
        root: with_slashes(&corpus.root),
        rows: wrong.iter().take(ERRORS_LIMIT).map(row).collect(),
    }
}

fn is_right(item: &Prediction) -> bool {
    item.label == item.prediction
}

/// The probability of a class, to four digits.
fn share(item: &Prediction, class: &str) -> Option<f64> {
    let share = item.scores.get(class)?.exp();
    Some((share * 1e4).round() / 1e4)
}

fn clip(corpus: &Corpus, utterance: &Utterance) -> Option<Clip> {
    let path = utterance.audio_path(&corpus.root).ok()?;
    let inside = path.strip_prefix(&corpus.root).ok()?;
    Some(Clip {
        path: with_slashes(inside),
        channel: utterance.channel,
        part: utterance.start_time.map(|from| {
            let to = utterance.end_time.unwrap_or(from + utterance.length);
            [from, to]
        }),
    })
}

/// A path as browsers write it.
fn with_slashes(path: &Path) -> String {
    path.to_string_lossy()
        .replace(std::path::MAIN_SEPARATOR, "/")
}

/// Maps that can be coloured by text and by the outcome of each utterance in the test parts of a partition.
pub(crate) fn colour_maps(
    maps: &mut [UtteranceMap],
    corpus: &Corpus,
    partition: &str,
    items: &[Prediction],
) {
    let utterances = &corpus.manifest.utterances;
    let results: HashMap<&str, bool> = items
        .iter()
        .map(|item| (item.key.as_str(), is_right(item)))
        .collect();
    let texts: BTreeSet<&str> = utterances
        .iter()
        .filter_map(|u| u.text.as_deref())
        .collect();
    for map in maps {
        map.colour_by(&format!("result on {partition}"), |key| {
            Some(match results.get(key) {
                Some(true) => "right",
                Some(false) => "wrong",
                None => "not tested",
            })
        });
        // Sentences that only one utterance has are not groups.
        if texts.len() * 4 <= utterances.len() {
            map.colour_by("text", |key| corpus.utterance(key)?.text.as_deref());
        }
    }
}

/// Bytes per second of embedded audio before it is encoded as text: 16 kHz, 16 bits.
const SECOND: f64 = 32_000.0;

/// Embeds the audio of errors in a page, the most confident of each list before the second ones, up to `most` bytes of the page. Returns
/// the number of embedded recordings and of all recordings.
///
/// # Errors
/// A corpus that has moved, or a file of it that cannot be read.
pub fn embed_audio(run: &mut BenchRun, most: u64) -> Result<(usize, usize), BenchError> {
    let lists = &run.data().errors;
    let longest = lists.iter().map(|list| list.rows.len()).max().unwrap_or(0);
    let in_turn = (0..longest).flat_map(|at| {
        lists
            .iter()
            .filter_map(move |list| Some((list, list.rows.get(at)?)))
    });
    let mut known = BTreeSet::new();
    let mut embedded = Vec::new();
    let mut left = most;
    for (list, row) in in_turn {
        let Some(clip) = &row.clip else { continue };
        if !known.insert((&list.corpus, &row.key)) {
            continue;
        }
        // Where the next does not fit, a shorter one may.
        if clip
            .part
            .is_some_and(|[from, to]| (to - from) * SECOND * 4.0 / 3.0 > left as f64)
        {
            continue;
        }
        let address = address(&list.root, clip)?;
        let Some(rest) = left.checked_sub(address.len() as u64) else {
            continue;
        };
        left = rest;
        embedded.push(Embedded {
            corpus: list.corpus.clone(),
            key: row.key.clone(),
            address,
        });
    }
    let found = (embedded.len(), known.len());
    run.data_mut().embedded = embedded;
    Ok(found)
}

/// A recording as a WAV file of 16 kHz in a `data:` address.
fn address(root: &str, clip: &Clip) -> Result<String, BenchError> {
    let part = [0, 1].map(|end| clip.part.map(|part| part[end]));
    let samples = load_speech(
        &Path::new(root).join(&clip.path),
        clip.channel,
        part,
        SampleRate::SPEECH,
    )?;
    let wav = emobox_audio::wav_16(&samples, SampleRate::SPEECH);
    Ok(format!(
        "data:audio/wav;base64,{}",
        BASE64_STANDARD.encode(wav)
    ))
}
