//! Which column of a table has which content: common names, and those given by the user.

use std::collections::BTreeMap;

/// The fields of a listing, each with the recognised column names, ours first.
pub(super) const FIELDS: [(&str, &[&str]); 17] = [
    (
        "path",
        &[
            "path",
            "file",
            "wav",
            "audio",
            "filename",
            "file_name",
            "file_path",
            "filepath",
            "wav_path",
            "wav_file",
            "audio_path",
            "audio_file",
            "audiofile",
        ],
    ),
    (
        "label",
        &[
            "label",
            "emotion",
            "emo",
            "class",
            "category",
            "emotion_label",
            "emotion_name",
            "cls",
        ],
    ),
    ("key", &["key", "utt_id", "utterance_id", "utt"]),
    (
        "speaker",
        &[
            "speaker",
            "speaker_id",
            "speakerid",
            "spk",
            "spk_id",
            "client_id",
            "actor",
            "actor_id",
        ],
    ),
    ("gender", &["gender", "sex"]),
    ("language", &["language", "lang", "locale"]),
    ("text", &["text", "transcript", "transcription", "sentence"]),
    ("split", &["split", "subset", "partition", "part"]),
    ("channel", &["channel"]),
    (
        "start",
        &[
            "start",
            "start_time",
            "begin",
            "begin_time",
            "start_s",
            "onset",
        ],
    ),
    ("end", &["end", "end_time", "stop", "end_s"]),
    ("duration", &["duration"]),
    ("valence", &["valence", "emoval"]),
    ("arousal", &["arousal", "activation", "emoact"]),
    ("dominance", &["dominance", "emodom"]),
    // The raw label, in addition to the class, as in manifests.
    ("emo", &[]),
    ("class", &[]),
];

/// Columns without information on a clip: fields of a manifest that repeat the audio header, and the index written by pandas.
const OF_NO_ACCOUNT: [&str; 9] = [
    "",
    "unnamed:_0",
    "index",
    "dataset",
    "type",
    "sample_rate",
    "num_frame",
    "task",
    "length",
];

/// The field of a manifest's line that holds votes.
pub(super) const VOTES_FIELD: &str = "votes";

/// Prefix of the name of a column of votes; the class follows.
pub(super) const VOTES: &str = "votes_";

/// The column of each field.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    columns: BTreeMap<&'static str, String>,
    /// Columns named `votes_Angry` and so on, with the class.
    pub(super) votes: Vec<(String, String)>,
    /// Columns that are not used.
    pub(super) unused: Vec<String>,
}

impl Mapping {
    /// Finds the fields among `columns`; `asked` names columns by field and takes precedence. The error message follows the
    /// table's name.
    pub(super) fn of(columns: &[String], asked: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut mapping = Self::default();
        for (field, column) in asked {
            let Some((field, _)) = fields().find(|(known, _)| known == field) else {
                let known: Vec<&str> = fields().map(|(field, _)| field).collect();
                return Err(format!(
                    "--columns names a field {field:?}; known are {}",
                    known.join(", ")
                ));
            };
            match columns.iter().find(|known| *known == column) {
                Some(column) => mapping.set(field, column),
                None => {
                    return Err(format!(
                        "--columns wants {field} from a column {column:?}; the table has {}",
                        columns.join(", ")
                    ));
                }
            }
        }
        for (field, column) in asked {
            let mut others = asked.iter().filter(|(other, _)| *other != field);
            if let Some((other, _)) = others.find(|(_, same)| *same == column) {
                return Err(format!(
                    "--columns names the column {column:?} for both {field} and {other}; a column holds one thing"
                ));
            }
        }
        for (field, names) in fields() {
            if mapping.get(field).is_some() {
                continue;
            }
            let found: Vec<&String> = names
                .iter()
                .filter_map(|name| columns.iter().find(|column| plain(column) == *name))
                .collect();
            match found[..] {
                [] => {}
                // A manifest has both: the class as label, the raw label as emo.
                [label, emo]
                    if field == "label" && plain(label) == "label" && plain(emo) == "emo" =>
                {
                    mapping.set("class", label);
                    mapping.set("label", emo);
                }
                // WebDataset's separate label is redundant if the JSON has a label.
                [label, cls] if field == "label" && plain(cls) == "cls" => {
                    mapping.set(field, label);
                }
                [_, _, ..] if field == "label" => {
                    let names: Vec<&str> = found.iter().map(|name| name.as_str()).collect();
                    return Err(format!(
                        "each of the columns {} may be the label; say which with --columns label={}",
                        names.join(", "),
                        names[0]
                    ));
                }
                [first, ..] => mapping.set(field, first),
            }
        }
        // A duration without a start is that of the file.
        if mapping.get("start").is_none() {
            mapping.columns.remove("duration");
        }
        for column in columns {
            let class = plain(column).strip_prefix(VOTES).map(str::len);
            if let Some(class) = class.filter(|length| *length > 0) {
                let column = column.trim();
                let class = column.get(column.len() - class..).unwrap_or(column);
                mapping.votes.push((column.to_owned(), class.to_owned()));
            }
        }
        mapping.check_twice(columns)?;
        let used = |column: &&String| {
            mapping.columns.values().any(|used| used == *column)
                || mapping.votes.iter().any(|(used, _)| used == *column)
        };
        let told = columns
            .iter()
            .filter(|column| !used(column) && !OF_NO_ACCOUNT.contains(&plain(column).as_str()));
        mapping.unused = told.cloned().collect();
        Ok(mapping)
    }

    /// Refuses a column that is used and whose name stands twice.
    fn check_twice(&self, columns: &[String]) -> Result<(), String> {
        let twice = |name: &String| columns.iter().filter(|column| *column == name).count() > 1;
        if let Some((field, name)) = self.columns.iter().find(|(_, name)| twice(name)) {
            return Err(format!(
                "the table has two columns {name:?}, and the {field} may be in either; rename or remove one"
            ));
        }
        for (at, (column, class)) in self.votes.iter().enumerate() {
            let same = |(_, other): &&(String, String)| plain(other) == plain(class);
            if let Some((other, _)) = self.votes[..at].iter().find(same) {
                return Err(format!(
                    "the columns {other:?} and {column:?} hold votes for the same class; rename or remove one"
                ));
            }
        }
        Ok(())
    }

    fn set(&mut self, field: &'static str, column: &str) {
        self.columns.insert(field, column.to_owned());
    }

    /// The column of a field.
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.columns.get(field).map(String::as_str)
    }

    /// How many fields were found.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }
}

/// The fields for which a column may be named.
fn fields() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    FIELDS
        .iter()
        .copied()
        .filter(|(_, names)| !names.is_empty())
}

pub(super) fn plain(column: &str) -> String {
    let letter = |c: char| match c {
        ' ' | '-' => '_',
        c => c.to_ascii_lowercase(),
    };
    column.trim().chars().map(letter).collect()
}

/// Seconds from `1.5`, `00:00:01.5` or `0 days 00:00:01.5`, as pandas writes spans of time.
pub(super) fn seconds(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        return Some(number).filter(|number| number.is_finite());
    }
    let (days, clock) = match text
        .split_once(" days ")
        .or_else(|| text.split_once(" day "))
    {
        Some((days, clock)) => (days.parse::<f64>().ok()?, clock),
        None => (0.0, text),
    };
    let parts: Vec<f64> = clock
        .trim_start_matches('+')
        .split(':')
        .map(|part| part.parse::<f64>().ok())
        .collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    let whole = ((days * 24.0 + hours) * 60.0 + minutes) * 60.0;
    Some(whole + seconds).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(columns: &str, asked: &[(&str, &str)]) -> Result<Mapping, String> {
        let columns: Vec<String> = columns.split(',').map(str::to_owned).collect();
        let asked = asked.iter().map(|&(a, b)| (a.to_owned(), b.to_owned()));
        Mapping::of(&columns, &asked.collect())
    }

    #[test]
    fn usual_names_are_found_and_the_rest_is_told() {
        let found = of("File Name,Emotion,speaker_id,age,start-time,duration", &[]).unwrap();
        for (field, column) in [
            ("path", "File Name"),
            ("label", "Emotion"),
            ("speaker", "speaker_id"),
            ("start", "start-time"),
            ("duration", "duration"),
        ] {
            assert_eq!(found.get(field), Some(column));
        }
        assert_eq!(found.unused, ["age"]);
        let manifest = of("wav,emo,label,num_frame,duration", &[]).unwrap();
        let of_label = (manifest.get("label"), manifest.get("class"));
        assert_eq!(of_label, (Some("emo"), Some("label")));
        assert_eq!(manifest.unused, ["duration"]);
        assert!(
            of("file,emotion,label", &[])
                .unwrap_err()
                .contains("--columns label=")
        );
        let asked = of("file,emotion,label", &[("label", "emotion")]).unwrap();
        assert_eq!(
            (asked.get("label"), &*asked.unused),
            (Some("emotion"), &["label".to_owned()][..])
        );
        assert!(
            of("a,b", &[("label", "c")])
                .unwrap_err()
                .contains("the table has a, b")
        );
        assert!(
            of("a,b", &[("lable", "b")])
                .unwrap_err()
                .contains("known are path, label")
        );
    }

    #[test]
    fn times_are_read_as_numbers_and_as_spans() {
        for (text, number) in [
            ("1.5", 1.5),
            ("0 days 00:00:01.500000", 1.5),
            ("00:01:02.25", 62.25),
            ("1 days 00:00:00", 86_400.0),
        ] {
            assert_eq!(seconds(text), Some(number), "{text}");
        }
        for text in ["inf", "nan", "x", "1:2", "::"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
