//! Exports a prepared corpus in the formats that other programs read.

use emobox_bench::{BenchError, CallError, Corpus, Home};
use emobox_corpus::{DIMENSIONS, Partition, Role, Utterance};
use emobox_files::write_atomic;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An interchange format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One table, `labels.csv`, which `emobox prepare` reads again.
    Csv,
    /// `metadata.csv` of Hugging Face's AudioFolder.
    Hf,
    /// `recordings.jsonl` and `supervisions.jsonl`.
    Lhotse,
    /// `wav.scp`, `segments`, `utt2spk`, `utt2emo` and `text`.
    Kaldi,
    /// `db.yaml` and a table of segments.
    Audformat,
}

impl Form {
    /// All formats with their names on the command line.
    pub const ALL: [(&'static str, Self); 5] = [
        ("csv", Self::Csv),
        ("hf", Self::Hf),
        ("lhotse", Self::Lhotse),
        ("kaldi", Self::Kaldi),
        ("audformat", Self::Audformat),
    ];
}

impl FromStr for Form {
    type Err = BenchError;
    fn from_str(text: &str) -> Result<Self, BenchError> {
        let known = Self::ALL.iter().find(|(word, _)| *word == text);
        known.map(|(_, form)| *form).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|(word, _)| *word).collect();
            BenchError::Call(CallError::value(
                "form",
                text,
                format!("one of {}", words.join(", ")),
            ))
        })
    }
}

/// Which partition gives the parts, if any.
#[derive(Debug, Clone, Copy)]
pub struct ExportParts<'a> {
    /// The scheme.
    pub scheme: &'a str,
    /// Its seed.
    pub seed: u64,
    /// The fold, from 1.
    pub fold: u32,
}

/// Writes manifest and parts of a corpus below `out`, and returns the files. Audio is not copied: paths are absolute.
/// Without `parts` the part of an utterance is the release's own, if it has one.
pub fn export(
    home: &Home,
    corpus: &Corpus,
    form: Form,
    parts: Option<ExportParts<'_>>,
    out: &Path,
) -> Result<Vec<PathBuf>, BenchError> {
    keep_its_own(home, corpus, form, out)?;
    let roles = match parts {
        None => BTreeMap::new(),
        Some(parts) => roles(home, corpus, &parts)?,
    };
    let root = emobox_files::absolute(&corpus.root)?;
    let clip = |utterance| Clip::new(utterance, &root, &roles);
    let mut clips: Vec<Clip<'_>> = corpus
        .manifest
        .utterances
        .iter()
        .map(clip)
        .collect::<Result<_, BenchError>>()?;
    let cannot_say = clips.iter().find(|clip| match form {
        Form::Csv | Form::Hf => false,
        Form::Lhotse => clip.utterance.channel == 0,
        Form::Kaldi | Form::Audformat => clip.utterance.channel != 1,
    });
    if let Some(clip) = cannot_say {
        return Err(BenchError::Call(CallError::Contradiction(format!(
            "{}: this form cannot say which channel is taken, and it is not the first; export as csv",
            clip.utterance.key
        ))));
    }
    let files = match form {
        Form::Csv => vec![("labels.csv", csv(&clips, "path", "label"))],
        Form::Hf => {
            below(&mut clips, out)?;
            vec![("metadata.csv", csv(&clips, "file_name", "label"))]
        }
        Form::Lhotse => lhotse(&clips),
        Form::Kaldi => kaldi(&clips)?,
        Form::Audformat => audformat(corpus, &clips),
    };
    let mut written = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        write_atomic(&path, text.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// Refuses a folder where the next `prepare` of the same corpus would read what is written in place of the user's own table.
fn keep_its_own(home: &Home, corpus: &Corpus, form: Form, out: &Path) -> Result<(), BenchError> {
    let real = |path: &Path| -> Result<PathBuf, BenchError> {
        let path = emobox_files::absolute(path)?;
        Ok(std::fs::canonicalize(&path).unwrap_or(path))
    };
    let (root, folder) = (real(&corpus.root)?, real(out)?);
    // A recipe reads its own files, and unpacked audio lies in the home.
    if emobox_corpus::entry(&corpus.name).is_ok() || root.starts_with(real(home.root())?) {
        return Ok(());
    }
    let goes_before = |stem: &str| {
        let mut endings = ["csv", "tsv", "jsonl"].into_iter();
        endings.any(|ending| root.join(format!("{stem}.{ending}")).exists())
    };
    let shadows = match form {
        // Its place is beside the audio.
        Form::Hf => folder.starts_with(&root) && !goes_before("labels") && !goes_before("manifest"),
        _ => folder == root,
    };
    if !shadows {
        return Ok(());
    }
    let cure = match form {
        Form::Hf => "rename your table to labels.csv, which is read before metadata.csv",
        _ => "name another folder as --out",
    };
    Err(BenchError::Call(CallError::Contradiction(format!(
        "{} is where {} lies: `emobox prepare` would read the export in place of your own table; {cure}",
        out.display(),
        corpus.name
    ))))
}

/// Makes paths relative to the folder of the table: AudioFolder reads nothing outside it.
fn below(clips: &mut [Clip<'_>], out: &Path) -> Result<(), BenchError> {
    // The root of a prepared corpus has no symbolic links; the folder given here may have.
    let folder = emobox_files::absolute(out)?;
    let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
    for clip in clips {
        let Ok(inside) = Path::new(&clip.path).strip_prefix(&folder) else {
            return Err(BenchError::Call(CallError::Contradiction(format!(
                "{} does not lie below {}, and AudioFolder reads only what lies beside its metadata.csv: name the folder of \
                 the audio as --out",
                clip.path,
                out.display()
            ))));
        };
        clip.path = inside.to_string_lossy().replace('\\', "/");
    }
    Ok(())
}

fn roles(
    home: &Home,
    corpus: &Corpus,
    parts: &ExportParts<'_>,
) -> Result<BTreeMap<String, String>, BenchError> {
    let folder = home.partition(&corpus.name, parts.scheme, parts.seed);
    if !folder.join("partition.json").exists() {
        return Err(BenchError::Call(CallError::Contradiction(format!(
            "{} has no {} partition of seed {}: make it with `emobox split {} --scheme {} --seed {}`",
            corpus.name, parts.scheme, parts.seed, corpus.name, parts.scheme, parts.seed
        ))));
    }
    let partition = Partition::read(folder)?;
    partition.check(&corpus.manifest)?;
    if parts.fold == 0 || parts.fold > partition.info.folds {
        return Err(BenchError::Call(CallError::value(
            "fold",
            parts.fold,
            format!("1 to {}", partition.info.folds),
        )));
    }
    let of_fold = partition.fold(parts.fold).iter();
    Ok(of_fold
        .map(|a| {
            let role: &Role = &a.role;
            (a.key.clone(), role.name().to_owned())
        })
        .collect())
}

/// An utterance with the fields that every format needs.
struct Clip<'a> {
    utterance: &'a Utterance,
    path: String,
    part: Option<String>,
    start: f64,
    end: f64,
    rate: f64,
}

impl<'a> Clip<'a> {
    fn new(
        utterance: &'a Utterance,
        root: &Path,
        roles: &BTreeMap<String, String>,
    ) -> Result<Self, BenchError> {
        let path = utterance.audio_path(root)?;
        let start = utterance.start_time.unwrap_or(0.0);
        Ok(Self {
            path: path.to_string_lossy().into_owned(),
            part: match roles.is_empty() {
                true => utterance.split.clone(),
                false => roles.get(&utterance.key).cloned(),
            },
            start,
            end: utterance.end_time.unwrap_or(start + utterance.length),
            rate: f64::from(utterance.sample_rate),
            utterance,
        })
    }

    fn is_segment(&self) -> bool {
        self.utterance.start_time.is_some()
    }
}

/// A column of what was rated.
enum Rating<'a> {
    /// One of [`DIMENSIONS`].
    Dimension(usize),
    /// The votes for a class.
    Votes(&'a str),
}

impl<'a> Rating<'a> {
    /// The dimensions and classes with votes that any clip has.
    fn of(clips: &[Clip<'a>]) -> Vec<Self> {
        let any = |at: &usize| {
            clips
                .iter()
                .any(|c| c.utterance.dimensions()[*at].is_some())
        };
        let dimensions = (0..DIMENSIONS.len()).filter(any).map(Self::Dimension);
        let voted = clips.iter().flat_map(|c| c.utterance.votes.keys());
        let voted: BTreeSet<&str> = voted.map(String::as_str).collect();
        dimensions
            .chain(voted.into_iter().map(Self::Votes))
            .collect()
    }

    fn name(&self) -> String {
        match self {
            Self::Dimension(at) => DIMENSIONS[*at].to_owned(),
            Self::Votes(class) => format!("votes_{class}"),
        }
    }

    /// Its type in audformat.
    fn kind(&self) -> &'static str {
        match self {
            Self::Dimension(_) => "float",
            Self::Votes(_) => "int",
        }
    }

    /// No votes at all is not known; none for a class is zero.
    fn value(&self, utterance: &Utterance) -> Option<String> {
        match self {
            Self::Dimension(at) => Some(utterance.dimensions()[*at]?.to_string()),
            Self::Votes(_) if utterance.votes.is_empty() => None,
            Self::Votes(class) => {
                let votes = utterance.votes.get(*class).copied().unwrap_or(0);
                Some(votes.to_string())
            }
        }
    }
}

/// A field of a table, quoted if necessary.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn csv(clips: &[Clip<'_>], path: &str, label: &str) -> String {
    let has = |field: fn(&Utterance) -> bool| clips.iter().any(|clip| field(clip.utterance));
    let segments = has(|u| u.start_time.is_some());
    let channels = has(|u| u.channel != 1);
    let mut text = format!("{path},{label},key,speaker,gender,language,text,split");
    text.push_str(if segments { ",start,end" } else { "" });
    text.push_str(if channels { ",channel" } else { "" });
    let ratings = Rating::of(clips);
    for rating in &ratings {
        text.push_str(&format!(",{}", quoted(&rating.name())));
    }
    text.push('\n');
    for clip in clips {
        let u = clip.utterance;
        let word = |field: &Option<String>| quoted(field.as_deref().unwrap_or_default());
        let mut cells = vec![quoted(&clip.path), quoted(&u.label), quoted(&u.key)];
        cells.extend([&u.speaker, &u.gender, &u.language, &u.text, &clip.part].map(word));
        if segments {
            let time = |at: Option<f64>| at.map_or(String::new(), |at| at.to_string());
            cells.extend([time(u.start_time), time(u.end_time)]);
        }
        if channels {
            cells.push(match u.channel {
                0 => "mix".to_owned(),
                channel => channel.to_string(),
            });
        }
        let cell = |rating: &Rating<'_>| rating.value(u).unwrap_or_default();
        cells.extend(ratings.iter().map(cell));
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// The recordings, each once: by path, with rate, samples and the largest channel used.
fn recordings<'a>(clips: &'a [Clip<'a>]) -> BTreeMap<&'a str, (String, Vec<&'a Clip<'a>>)> {
    let mut files: BTreeMap<&str, (String, Vec<&Clip<'_>>)> = BTreeMap::new();
    for clip in clips {
        let whole = || match clip.is_segment() {
            // Several utterances of one file need a name for the file itself.
            true => clip.utterance.wav.replace([' ', '\t'], "_"),
            false => clip.utterance.key.clone(),
        };
        let entry = files
            .entry(&clip.path)
            .or_insert_with(|| (whole(), Vec::new()));
        entry.1.push(clip);
    }
    files
}

fn lhotse(clips: &[Clip<'_>]) -> Vec<(&'static str, String)> {
    let (mut recorded, mut supervised) = (String::new(), String::new());
    for (path, (id, clips)) in recordings(clips) {
        let first = clips[0];
        let channels: BTreeSet<u16> = clips.iter().map(|c| c.utterance.channel - 1).collect();
        let end = clips.iter().map(|clip| clip.end).fold(0.0, f64::max);
        let samples = match first.is_segment() {
            true => (end * first.rate).ceil(),
            false => first.utterance.num_frame as f64,
        };
        let recording = json!({
            "id": id,
            "sources": [{"type": "file", "channels": channels, "source": path}],
            "sampling_rate": first.utterance.sample_rate,
            "num_samples": samples as u64,
            "duration": samples / first.rate,
            "channel_ids": channels,
        });
        let _ = writeln!(recorded, "{recording}");
        for clip in clips {
            let u = clip.utterance;
            let mut custom = json!({"emotion": u.label});
            if let Some(part) = &clip.part {
                custom["split"] = Value::String(part.clone());
            }
            for (name, value) in DIMENSIONS.iter().zip(u.dimensions()) {
                if let Some(value) = value {
                    custom[*name] = json!(value);
                }
            }
            if !u.votes.is_empty() {
                custom["votes"] = json!(u.votes);
            }
            let mut supervision = json!({
                "id": u.key,
                "recording_id": id,
                "start": clip.start,
                "duration": clip.end - clip.start,
                "channel": u.channel - 1,
                "custom": custom,
            });
            for (name, value) in [
                ("text", &u.text),
                ("language", &u.language),
                ("speaker", &u.speaker),
                ("gender", &u.gender),
            ] {
                if let Some(value) = value {
                    supervision[name] = Value::String(value.clone());
                }
            }
            let _ = writeln!(supervised, "{supervision}");
        }
    }
    vec![
        ("recordings.jsonl", recorded),
        ("supervisions.jsonl", supervised),
    ]
}

/// The files of [`DIMENSIONS`].
const UTT2RATING: [&str; 3] = ["utt2valence", "utt2arousal", "utt2dominance"];

/// Kaldi separates by spaces and sorts by bytes. The speaker is a prefix of the utterance's key, so that the order of
/// speakers is that of utterances, as its tools require.
fn kaldi(clips: &[Clip<'_>]) -> Result<Vec<(&'static str, String)>, BenchError> {
    let word = |text: &str| text.replace(char::is_whitespace, "_");
    let mut files: BTreeMap<&'static str, BTreeMap<String, String>> = BTreeMap::new();
    for (path, (name, clips)) in recordings(clips) {
        if path.contains(char::is_whitespace) {
            return Err(BenchError::Call(CallError::Contradiction(format!(
                "{path}: Kaldi cannot name a file with a space in its path; use another form, or link the folder to a place without"
            ))));
        }
        let cut = clips.len() > 1 || clips[0].is_segment();
        let recording = word(&name);
        for clip in &clips {
            let u = clip.utterance;
            let (speaker, id) = match &u.speaker {
                Some(speaker) => (word(speaker), format!("{}-{}", word(speaker), word(&u.key))),
                None => (word(&u.key), word(&u.key)),
            };
            let mut add = |file: &'static str, text: String| {
                files.entry(file).or_default().insert(id.clone(), text);
            };
            add("utt2spk", speaker);
            add("utt2emo", word(&u.label));
            if let Some(text) = &u.text {
                add(
                    "text",
                    text.split_whitespace().collect::<Vec<_>>().join(" "),
                );
            }
            if let Some(part) = &clip.part {
                add("utt2part", word(part));
            }
            for (file, value) in UTT2RATING.into_iter().zip(u.dimensions()) {
                if let Some(value) = value {
                    add(file, value.to_string());
                }
            }
            if !u.votes.is_empty() {
                let votes = u.votes.iter();
                let votes: Vec<String> = votes
                    .map(|(class, count)| format!("{}={count}", word(class)))
                    .collect();
                add("utt2votes", votes.join(" "));
            }
            if cut {
                add(
                    "segments",
                    format!("{recording} {} {}", clip.start, clip.end),
                );
            } else {
                add("wav.scp", path.to_owned());
            }
        }
        if cut {
            let scp = files.entry("wav.scp").or_default();
            scp.insert(recording, path.to_owned());
        }
    }
    let text = |lines: BTreeMap<String, String>| -> String {
        lines
            .iter()
            .map(|(id, rest)| format!("{id} {rest}\n"))
            .collect()
    };
    Ok(files
        .into_iter()
        .map(|(name, lines)| (name, text(lines)))
        .collect())
}

/// A YAML header (YAML accepts strings as JSON writes them) and one table, of files or of segments.
fn audformat(corpus: &Corpus, clips: &[Clip<'_>]) -> Vec<(&'static str, String)> {
    let string = |text: &str| Value::String(text.to_owned()).to_string();
    let segments = clips.iter().any(Clip::is_segment);
    let mut columns = vec!["emotion"];
    let has = |field: fn(&Clip<'_>) -> bool| clips.iter().any(field);
    for (name, is_there) in [
        ("speaker", has(|clip| clip.utterance.speaker.is_some())),
        ("gender", has(|clip| clip.utterance.gender.is_some())),
        ("language", has(|clip| clip.utterance.language.is_some())),
        ("text", has(|clip| clip.utterance.text.is_some())),
        ("split", has(|clip| clip.part.is_some())),
    ] {
        if is_there {
            columns.push(name);
        }
    }
    let mut header = format!(
        "name: {}\nsource: ''\nusage: unrestricted\nlanguages: []\nschemes:\n",
        string(&corpus.name)
    );
    let classes: Vec<String> = corpus
        .manifest
        .classes()
        .iter()
        .map(|class| string(class))
        .collect();
    for column in &columns {
        let _ = writeln!(header, "  {column}:\n    dtype: str");
        if *column == "emotion" {
            let _ = writeln!(header, "    labels: [{}]", classes.join(", "));
        }
    }
    let ratings = Rating::of(clips);
    for rating in &ratings {
        let name = string(&rating.name());
        let _ = writeln!(header, "  {name}:\n    dtype: {}", rating.kind());
    }
    let kind = if segments { "segmented" } else { "filewise" };
    let _ = writeln!(
        header,
        "tables:\n  emotion:\n    type: {kind}\n    columns:"
    );
    for column in &columns {
        let _ = writeln!(header, "      {column}:\n        scheme_id: {column}");
    }
    for rating in &ratings {
        let name = string(&rating.name());
        let _ = writeln!(header, "      {name}:\n        scheme_id: {name}");
    }
    let mut table = String::from(if segments { "file,start,end" } else { "file" });
    for column in &columns {
        let _ = write!(table, ",{column}");
    }
    for rating in &ratings {
        let _ = write!(table, ",{}", quoted(&rating.name()));
    }
    table.push('\n');
    for clip in clips {
        let u = clip.utterance;
        let mut cells = vec![quoted(&clip.path)];
        if segments {
            cells.extend([clip.start, clip.end].map(span));
        }
        cells.extend(columns.iter().map(|column| {
            let text = match *column {
                "emotion" => Some(&u.label),
                "speaker" => u.speaker.as_ref(),
                "gender" => u.gender.as_ref(),
                "language" => u.language.as_ref(),
                "text" => u.text.as_ref(),
                _ => clip.part.as_ref(),
            };
            quoted(text.map_or("", String::as_str))
        }));
        let cell = |rating: &Rating<'_>| rating.value(u).unwrap_or_default();
        cells.extend(ratings.iter().map(cell));
        table.push_str(&cells.join(","));
        table.push('\n');
    }
    vec![("db.yaml", header), ("db.emotion.csv", table)]
}

/// A time as pandas writes it.
fn span(seconds: f64) -> String {
    let nanoseconds = (seconds * 1e9).round() as u64;
    let (whole, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let (days, clock) = (whole / 86_400, whole % 86_400);
    format!(
        "{days} days {:02}:{:02}:{:02}.{rest:09}",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    )
}
