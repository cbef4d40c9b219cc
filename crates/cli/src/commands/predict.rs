//! `fit` and `predict`: a model, and the emotion of recordings.

use super::Session;
use crate::args::{ExportModelArgs, FitArgs, PredictArgs};
use crate::exit::Ending;
use crate::output;
use emobox_bench::{
    Answer, BenchError, CallError, EncoderChoice, Listening, MODEL_CARD, Predictor, RawSamples,
    SampleRate, Windows, check_name,
};
use std::path::{Path, PathBuf};

pub(super) fn fit(session: &Session<'_>, args: &FitArgs) -> anyhow::Result<Ending> {
    check_name(&args.name)?;
    let mut experiment = args.how.experiment()?;
    experiment.fetch_encoders(session.context)?;
    let named = session.home.model(&args.name);
    let out = args.out.as_ref().unwrap_or(&named);
    let fitted = emobox_bench::fit(&session.home, &experiment, out, session.context)?;
    if session.json {
        output::json(fitted.run.scores())?;
    } else {
        output::result(&fitted.run.table());
    }
    output::note(&format!(
        "wrote {}",
        fitted.folder.join(MODEL_CARD).display()
    ));
    let told = match &args.out {
        Some(folder) => folder.display().to_string(),
        None => args.name.clone(),
    };
    output::note(&format!("use it with: emobox predict {told} RECORDINGS"));
    Ok(Ending::from_skips(fitted.run.skipped()))
}

pub(super) fn run(session: &Session<'_>, args: &PredictArgs) -> anyhow::Result<Ending> {
    let windows = args
        .window
        .map(|length| Windows::new(length, args.hop.unwrap_or(length / 2.0)));
    let how = Listening {
        raw: args.raw.map(|format| RawSamples {
            format,
            rate: SampleRate(args.rate),
        }),
        windows: windows.transpose()?,
    };
    let windowed = how.windows.is_some();
    let (predictor, files) = predictor(session, args)?;
    let files = Predictor::recordings(&files)?;
    let mut answers = Vec::new();
    if args.csv {
        output::result(&heading(&predictor, windowed));
    }
    let mut tell = |answer: &Answer| {
        if args.csv {
            output::result(&row(answer, &predictor));
        } else if !session.json {
            output::result(&answer.to_string());
        } else if windowed {
            let line = serde_json::to_string(answer);
            output::result(&line.expect("an answer is plain data"));
        } else {
            answers.push(answer.clone());
        }
    };
    let mut skipped = 0;
    let mut ended = None;
    for (done, file) in files.iter().enumerate() {
        match predictor.listen(file, &how, session.context, &mut tell) {
            Ok(()) => {}
            Err(error) if error.is_interruption() => {
                ended = Some(BenchError::Unheard {
                    done,
                    of: files.len(),
                    next: file.clone(),
                });
                break;
            }
            Err(error) if files.len() > 1 => {
                output::note(&format!("skipped {}: {error}", file.display()));
                skipped += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if session.json && !windowed && !args.csv {
        output::json(&answers)?;
    }
    match ended {
        Some(error) => Err(error.into()),
        None => Ok(Ending::from_skips(skipped)),
    }
}

pub(super) fn export(session: &Session<'_>, args: &ExportModelArgs) -> anyhow::Result<Ending> {
    let model = probe(session, &args.model);
    let (encoder, with_encoder) = (args.encoder.as_deref(), !args.without_encoder);
    emobox_bench::export_model(&model, encoder, with_encoder, &args.out)?;
    let onnx = args.out.join(emobox_bench::ONNX);
    if session.json {
        output::json(&serde_json::json!({"model": args.out, "onnx": onnx}))?;
    } else {
        output::result(&args.out.display().to_string());
    }
    output::note(&format!(
        "use it with: emobox predict {} RECORDINGS",
        args.out.display()
    ));
    output::note(&format!(
        "wrote {} (its metadata describes input and output)",
        onnx.display()
    ));
    Ok(Ending::Complete)
}

/// Who answers, and what is heard: a saved probe and the files after it, or an encoder's own head and all files.
fn predictor(
    session: &Session<'_>,
    args: &PredictArgs,
) -> Result<(Predictor, Vec<PathBuf>), BenchError> {
    let folder = probe(session, &args.probe);
    let of_probe = |name: &str| folder.join(name).exists();
    let is_saved =
        folder.ends_with("probe.json") || of_probe("probe.json") || of_probe("scores.json");
    match &args.encoder {
        Some(encoder) if !is_saved => {
            let choice = with_head(encoder);
            let files = std::iter::once(&args.probe).chain(&args.files);
            let files = files.cloned().collect();
            Ok((Predictor::with_its_head(&choice, args.device)?, files))
        }
        _ if args.files.is_empty() => Err(BenchError::Call(CallError::other(
            &args.probe,
            "is a saved probe; name the recordings that it is to hear",
        ))),
        encoder => {
            let predictor = Predictor::open(&folder, encoder.as_deref(), args.device)?;
            Ok((predictor, args.files.clone()))
        }
    }
}

/// A checkpoint by its folder or file, else by its name.
pub(super) fn with_head(encoder: &Path) -> EncoderChoice {
    let text = encoder.to_string_lossy();
    match encoder.exists() {
        true => EncoderChoice {
            name: encoder
                .file_name()
                .map_or_else(|| text.clone(), |name| name.to_string_lossy())
                .into_owned(),
            path: Some(encoder.to_owned()),
        },
        false => EncoderChoice::named(&text),
    }
}

/// A folder as it was named, else the model of that name.
pub(super) fn probe(session: &Session<'_>, words: &Path) -> PathBuf {
    let named = words.to_str().map(|name| session.home.model(name));
    let named = named.filter(|folder| !words.exists() && folder.exists());
    named.unwrap_or_else(|| words.to_owned())
}

fn heading(predictor: &Predictor, windowed: bool) -> String {
    let start = if windowed { "start," } else { "" };
    let classes = predictor.classes().iter().map(|class| field(class));
    let classes: Vec<String> = classes.collect();
    let prediction = if predictor.tells_dimensions() {
        ""
    } else {
        "prediction,"
    };
    format!("file,{start}seconds,{prediction}{}", classes.join(","))
}

fn row(answer: &Answer, predictor: &Predictor) -> String {
    let mut fields = vec![field(&answer.file.display().to_string())];
    fields.extend(answer.start.map(|start| format!("{start:.2}")));
    fields.push(format!("{:.2}", answer.seconds));
    if !predictor.tells_dimensions() {
        fields.push(field(&answer.prediction));
    }
    for class in predictor.classes() {
        let mut known = answer.probabilities.iter().chain(&answer.values);
        let known = known.find(|(name, _)| name == class);
        fields.push(known.map_or_else(String::new, |(_, p)| format!("{p:.4}")));
    }
    fields.join(",")
}

/// A field of CSV (RFC 4180).
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
