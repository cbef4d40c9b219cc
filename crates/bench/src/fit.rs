//! The final model: a probe trained on all of a corpus, in its own folder with a model card.

use crate::bench::{bench, lock};
use crate::cell::Cell;
use crate::encoders::{check_encoder, checkpoint_of, describe_encoder};
use crate::heard::heard;
use crate::predict::{ENCODER_PLACE, EncoderPlace, check_weights, encoder_of, saved_probe};
use crate::split::Split;
use crate::train::{FoldJob, probe_folder};
use crate::workshop::Workshop;
use crate::{BenchError, BenchRun, CallError, Context, Experiment, Home, Target};
use emobox_corpus::{audit, entry, whole_corpus};
use emobox_files::{FileError, write_atomic, write_atomic_with, write_json};
use emobox_probe::Probe;
use emobox_report::scores_table;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The card of a model, in its folder.
pub const MODEL_CARD: &str = "MODEL.md";

/// A model, and the scores of probes trained in the same way on speakers or utterances held out.
#[derive(Debug)]
pub struct Fitted {
    /// The folder: the probe's files, the card, and the scores of the folds with their page.
    pub folder: PathBuf,
    /// The scores of probes trained in the same way on the training parts of the folds.
    pub run: BenchRun,
}

/// Benches one corpus with one encoder, then trains on all utterances as the folds were trained: with the first training
/// seed, and the point and epoch that are best on a validation share. Writes the probe, its card and the folds' scores to `out`.
///
/// # Errors
/// As [`bench()`], and if the experiment does not have exactly one corpus and one encoder.
pub fn fit(
    home: &Home,
    experiment: &Experiment,
    out: &Path,
    context: Context<'_>,
) -> Result<Fitted, BenchError> {
    let ([corpus], [encoder]) = (&experiment.corpora[..], &experiment.encoders[..]) else {
        return Err(BenchError::Call(CallError::Contradiction(format!(
            "a model is of one corpus and one encoder; named are {} and {}",
            experiment.corpora.len(),
            experiment.encoders.len()
        ))));
    };
    if experiment.target == Target::Dimensions {
        return Err(BenchError::Call(CallError::Contradiction(
            "a model with its card is one of classes, and so is its ONNX file: leave out --target dimensions. `emobox predict` reads the \
             probes that `emobox bench` leaves"
                .to_owned(),
        )));
    }
    let run = bench(home, experiment, out, context)?;
    let _lock = lock(home, context)?;
    let experiment = Experiment {
        training_seeds: 1,
        ..experiment.clone()
    };
    let shop = Workshop::new(home, &experiment, context)?.holding_features();
    let cell = Cell::open(&shop, &corpus.name, &encoder.name)?;
    let corpus = shop.corpus(&corpus.name)?;
    let partition = whole_corpus(&corpus.manifest);
    let audit = audit(&corpus.manifest, &partition, None);
    let split = Split { partition, audit };
    let trained = cell.with_folds(&corpus, &split, |jobs| {
        let all: Vec<&FoldJob<'_>> = jobs.jobs.iter().collect();
        if all.iter().any(|job| job.finished().is_none()) {
            // Features may have been deleted after the folds.
            cell.extract(None)?;
        }
        cell.train_folds(&all)?;
        let job = all.first().ok_or(BenchError::Internal(
            "a training on a whole corpus has no fold",
        ))?;
        Ok(job.folder.clone())
    })?;
    let seeds = &shop.protocol.seeds;
    let probe = trained.join(probe_folder(0, seeds.first().copied().unwrap_or_default()));
    for file in ["probe.safetensors", ENCODER_PLACE, "probe.json"] {
        let from = probe.join(file);
        let bytes = std::fs::read(&from).map_err(|e| FileError::io("read", &from, e))?;
        write_atomic(out.join(file), &bytes)?;
    }
    let card = card(&corpus, &Probe::load(out)?, &run);
    write_atomic(out.join(MODEL_CARD), card.as_bytes())?;
    Ok(Fitted {
        folder: out.to_owned(),
        run,
    })
}

/// The file of an exported model for other runtimes.
pub const ONNX: &str = "probe.onnx";

/// Larger files beside a checkpoint's weights are not configuration.
const LARGEST_SETTINGS: u64 = 4 << 20;

/// Copies a model, or any saved probe, into a self-contained folder: the probe, also as ONNX, its card and scores, and with
/// `with_encoder` the checkpoint that it was trained on (`encoder` if it was moved).
///
/// # Errors
/// A folder that is not a probe, an encoder that does not exist, a file that cannot be written.
pub fn export_model(
    model: &Path,
    encoder: Option<&Path>,
    with_encoder: bool,
    out: &Path,
) -> Result<(), BenchError> {
    let (model, probe) = saved_probe(model)?;
    let mut place = EncoderPlace { path: None };
    if with_encoder {
        let choice = encoder_of(&probe, model, encoder);
        let found = describe_encoder(&choice)?;
        check_weights(&probe, model, &found.info().weights_digest)?;
        if let Some(checkpoint) = checkpoint_of(&choice)? {
            place.path = Some(copy_checkpoint(&checkpoint, out)?);
        }
    }
    for name in [MODEL_CARD, "scores.json", "report.html"] {
        if model.join(name).exists() {
            copy(&model.join(name), &out.join(name))?;
        }
    }
    write_atomic(out.join(ONNX), &probe.to_onnx()?)?;
    write_json(out.join(ENCODER_PLACE), &place)?;
    Ok(probe.save(out)?)
}

/// Copies the weights of a checkpoint and the settings beside them into a folder; returns their place, for `encoder.json`.
fn copy_checkpoint(checkpoint: &Path, out: &Path) -> Result<PathBuf, BenchError> {
    let inside = Path::new("encoder");
    let folder = match checkpoint.is_dir() {
        true => checkpoint,
        false => checkpoint.parent().unwrap_or(Path::new("")),
    };
    for (name, _) in check_encoder(checkpoint)?.files {
        let name = Path::new(&name).file_name().unwrap_or_default();
        copy(&folder.join(name), &out.join(inside).join(name))?;
    }
    let files = std::fs::read_dir(folder).map_err(|e| FileError::io("read", folder, e))?;
    for file in files.flatten() {
        let from = file.path();
        let extension = from.extension().and_then(std::ffi::OsStr::to_str);
        let is_text = matches!(extension, Some("json" | "yaml" | "yml"));
        let size = std::fs::metadata(&from).map_or(u64::MAX, |m| m.len());
        if is_text && size <= LARGEST_SETTINGS {
            copy(&from, &out.join(inside).join(file.file_name()))?;
        }
    }
    Ok(match checkpoint.is_dir() {
        true => inside.to_owned(),
        false => inside.join(checkpoint.file_name().unwrap_or_default()),
    })
}

fn copy(from: &Path, to: &Path) -> Result<(), BenchError> {
    let mut file = std::fs::File::open(from).map_err(|e| FileError::io("read", from, e))?;
    write_atomic_with(to, |mut to| std::io::copy(&mut file, &mut to).map(drop))?;
    Ok(())
}

/// What a user of the model must know.
fn card(corpus: &crate::Corpus, probe: &Probe, run: &BenchRun) -> String {
    let origin = probe.description();
    let features = &origin.features;
    let mut text = format!(
        "# Emotion of speech: {} on {}\n\n",
        corpus.name, features.encoder
    );
    let mut line = |text_of: String| {
        let _ = writeln!(text, "{text_of}");
    };
    line(format!(
        "    emobox predict THIS_FOLDER RECORDINGS\n\n* Classes: {}.",
        probe.classes().join(", ")
    ));
    let speakers = emobox_files::counted(corpus.manifest.speakers().len(), "speaker");
    line(format!(
        "* Trained on all {} utterances ({:.1} h, {speakers}) of {}, manifest {:.12}; the point and the epoch are \
         the best on a share of them that was kept for validation.",
        corpus.manifest.utterances.len(),
        corpus.seconds() / 3600.0,
        corpus.name,
        corpus.digest.as_str()
    ));
    match entry(&corpus.name) {
        Ok(entry) => {
            let card = &entry.card;
            line(format!(
                "* {}: {}. Licence: {}",
                card.full_name, card.homepage, card.licence
            ));
        }
        Err(_) => line("* A corpus of one's own: its licence is its owner's to state.".to_owned()),
    }
    line(format!(
        "* Encoder: {}, weights {:.12}; its licence holds too.",
        features.encoder, features.weights_digest
    ));
    if let Some(heard) = heard(&features.encoder, &corpus.name) {
        line(format!(
            "* The encoder is known to have heard this corpus in training: {heard}."
        ));
    }
    line(
        "\n## What it is worth\n\nNothing is left to test this probe on. These are the scores of probes that were trained in the \
         same way on the training parts of the corpus's folds (`report.html` beside this file shows what is taken for what). On other rooms, \
         languages and ways of speaking it is worth less: `emobox cross` shows how much.\n"
            .to_owned(),
    );
    text.push_str(&scores_table(run.data()).markdown());
    text
}
