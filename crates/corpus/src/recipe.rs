use crate::{Card, CorpusError, RawFile, RawTree, ratings};
use rayon::prelude::*;
use regex::{Captures, Regex, RegexBuilder};
use std::collections::BTreeMap;
use std::ops::Index;

/// One registered corpus: its card, the grammar of its audio paths, and the recipe that reads it.
#[derive(Debug)]
pub struct Entry {
    /// Static facts.
    pub card: Card,
    /// Patterns for the audio files' paths, tried in order. Each is matched, ignoring case, against the end of the composed
    /// path, starting at a folder boundary, so that extra folders above do not matter. Also used to detect which corpus a
    /// folder looks like.
    pub grammar: &'static [&'static str],
    /// How rows are made.
    pub recipe: Recipe,
}

/// How the rows of a corpus are made.
#[derive(Debug, Clone, Copy)]
pub enum Recipe {
    /// One file, one utterance, everything from the path: called for each audio file that fits the grammar.
    Paths(fn(&Fields<'_>) -> PathOutcome),
    /// Side files or segments determine the rows: called once with the whole tree.
    Tree(fn(&mut Harvest<'_>) -> Result<(), CorpusError>),
}

/// The result for one audio file under [`Recipe::Paths`].
#[derive(Debug)]
pub enum PathOutcome {
    /// It is an utterance; `Row::new(…).into()` makes one.
    Row(PackedRow),
    /// It is not part of the corpus (another edition, a copy, a video); the reason is counted.
    LeaveOut(&'static str),
    /// It fits the grammar but contradicts itself (the folder differs from the name).
    Contradiction(String),
}

impl From<Row> for PathOutcome {
    fn from(row: Row) -> Self {
        Self::Row(PackedRow::new(row))
    }
}

/// The named groups of a path that fits the grammar.
#[derive(Debug)]
pub struct Fields<'a> {
    /// The file.
    pub file: &'a RawFile,
    captures: Captures<'a>,
}

impl Fields<'_> {
    /// Whether the group took part in the match.
    pub fn has(&self, group: &str) -> bool {
        self.captures.name(group).is_some()
    }
}

/// The text of a group as written on disk; empty if the group did not match.
impl Index<&str> for Fields<'_> {
    type Output = str;
    fn index(&self, group: &str) -> &str {
        self.captures.name(group).map_or("", |found| found.as_str())
    }
}

/// `female` and `male`, as manifests write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// Women and girls.
    Female,
    /// Men and boys.
    Male,
}

impl Gender {
    /// The manifest's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Male => "male",
        }
    }

    /// Reads `f`, `F`, `female`, `woman`, `w` and so on; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "f" | "female" | "w" | "woman" => Some(Self::Female),
            "m" | "male" | "man" => Some(Self::Male),
            _ => None,
        }
    }
}

/// Which channel of the file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// This one, from 1.
    Number(u16),
    /// The front centre of a 5.1 file (3), else the first: MELD's rule.
    FrontCentre,
}

/// An utterance as a recipe describes it: no audio header yet, corrected values by default and published ones beside them where
/// they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Key without the `<corpus>-` prefix.
    pub id: String,
    /// Raw label; the card's map gives the class.
    pub emo: String,
    /// The speaker.
    pub speaker: Option<String>,
    /// Gender of the speaker, in the manifest's words.
    pub gender: Option<String>,
    /// Language, if the corpus has several (a single one comes from the card).
    pub language: Option<String>,
    /// Transcript or sentence code.
    pub text: Option<String>,
    /// Channel used.
    pub channel: Channel,
    /// Start and end in seconds, for a segment.
    pub segment: Option<(f64, f64)>,
    /// The release's own part.
    pub split: Option<String>,
    /// Valence, arousal and dominance, on the corpus's own scale.
    pub dimensions: [Option<f64>; 3],
    /// How many annotators voted for each class (or for a word of their own).
    pub votes: BTreeMap<String, u32>,
    /// Published speaker, where it differs.
    pub published_speaker: Option<String>,
    /// Published raw label, where it differs.
    pub published_emo: Option<String>,
    /// Whether the row is in our manifest, in the published one, or in both.
    pub presence: Presence,
}

/// Which manifests a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Ours and the published one.
    Both,
    /// Published, but wrong to train or test on: left out by default, for this reason.
    OnlyAsPublished(&'static str),
    /// Right, but absent from the published metadata: left out with `as_published`, for this reason.
    NotAsPublished(&'static str),
}

impl Row {
    /// A row with its key (without the `<corpus>-` prefix) and raw label.
    pub fn new(id: impl Into<String>, emo: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            emo: emo.into(),
            speaker: None,
            gender: None,
            language: None,
            text: None,
            channel: Channel::Number(1),
            segment: None,
            split: None,
            dimensions: [None; 3],
            votes: BTreeMap::new(),
            published_speaker: None,
            published_emo: None,
            presence: Presence::Both,
        }
    }

    /// Sets the speaker.
    #[must_use]
    pub fn speaker(mut self, speaker: impl Into<String>) -> Self {
        self.speaker = Some(speaker.into());
        self
    }

    /// Sets the published speaker, where it differs.
    #[must_use]
    pub fn published_speaker(mut self, speaker: impl Into<String>) -> Self {
        self.published_speaker = Some(speaker.into());
        self
    }

    /// Sets the published raw label, where it differs.
    #[must_use]
    pub fn published_emo(mut self, emo: impl Into<String>) -> Self {
        self.published_emo = Some(emo.into());
        self
    }

    /// Sets the gender, where known.
    #[must_use]
    pub fn gender(mut self, gender: impl Into<Option<Gender>>) -> Self {
        self.gender = gender.into().map(|gender| gender.word().to_owned());
        self
    }

    /// Sets the language, where the corpus has several.
    #[must_use]
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.language = Some(language.into());
        self
    }

    /// Sets the transcript or sentence code.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the channel.
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// Sets start and end in seconds.
    #[must_use]
    pub fn segment(mut self, start: f64, end: f64) -> Self {
        self.segment = Some((start, end));
        self
    }

    /// Sets the release's own part: `train`, `valid`, `test`, `test2`, `session1`…
    #[must_use]
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.split = Some(split.into());
        self
    }

    /// Sets valence, arousal and dominance, where known.
    #[must_use]
    pub fn dimensions(mut self, dimensions: [Option<f64>; 3]) -> Self {
        self.dimensions = dimensions;
        self
    }

    /// Sets the annotators' votes.
    #[must_use]
    pub fn votes(mut self, votes: BTreeMap<String, u32>) -> Self {
        self.votes = votes;
        self
    }

    /// Keeps the row for `as_published` only.
    #[must_use]
    pub fn only_as_published(mut self, reason: &'static str) -> Self {
        self.presence = Presence::OnlyAsPublished(reason);
        self
    }

    /// Leaves the row out under `as_published`.
    #[must_use]
    pub fn not_as_published(mut self, reason: &'static str) -> Self {
        self.presence = Presence::NotAsPublished(reason);
        self
    }
}

/// A [`Row`] in compact form: all rows of a corpus are stored like this until their part of the manifest is made.
#[derive(Debug)]
pub struct PackedRow {
    pub(crate) presence: Presence,
    channel: Channel,
    segment: Option<Box<(f64, f64)>>,
    ratings: Option<Box<Ratings>>,
    /// The row's texts one after another, the id first.
    text: Box<str>,
    /// The end of each text, [`ABSENT`] if there is none.
    ends: [u32; 9],
}

/// Dimensions and votes of a row.
type Ratings = ([Option<f64>; 3], BTreeMap<String, u32>);

/// The end of a text that is absent.
const ABSENT: u32 = u32::MAX;

impl PackedRow {
    pub(crate) fn new(row: Row) -> Self {
        let texts = [
            Some(row.id),
            Some(row.emo),
            row.speaker,
            row.gender,
            row.language,
            row.text,
            row.split,
            row.published_speaker,
            row.published_emo,
        ];
        let mut text = String::with_capacity(texts.iter().flatten().map(String::len).sum());
        let ends = texts.map(|part| {
            part.map_or(ABSENT, |part| {
                text.push_str(&part);
                text.len() as u32
            })
        });
        let rated = row.dimensions != [None; 3] || !row.votes.is_empty();
        Self {
            presence: row.presence,
            channel: row.channel,
            segment: row.segment.map(Box::new),
            ratings: rated.then(|| Box::new((row.dimensions, row.votes))),
            text: text.into_boxed_str(),
            ends,
        }
    }

    /// Key without the `<corpus>-` prefix.
    pub(crate) fn id(&self) -> &str {
        &self.text[..self.ends[0] as usize]
    }

    /// Start and end in seconds, for a segment.
    pub(crate) fn segment(&self) -> Option<(f64, f64)> {
        self.segment.as_deref().copied()
    }

    pub(crate) fn unpack(&self) -> Row {
        let mut start = 0;
        let [
            id,
            emo,
            speaker,
            gender,
            language,
            text,
            split,
            published_speaker,
            published_emo,
        ] = self.ends.map(|end| {
            (end != ABSENT).then(|| {
                let part = &self.text[start..end as usize];
                start = end as usize;
                part.to_owned()
            })
        });
        let (dimensions, votes) = self.ratings.as_deref().cloned().unwrap_or_default();
        Row {
            id: id.unwrap_or_default(),
            emo: emo.unwrap_or_default(),
            speaker,
            gender,
            language,
            text,
            channel: self.channel,
            segment: self.segment(),
            split,
            dimensions,
            votes,
            published_speaker,
            published_emo,
            presence: self.presence,
        }
    }
}

/// The result of a recipe for a tree. Every audio file ends in exactly one place: in rows, left out, contradictory, or (by
/// default, if the recipe never mentions it) unmatched.
#[derive(Debug)]
pub struct Harvest<'a> {
    entry: &'a Entry,
    tree: &'a RawTree,
    patterns: Vec<Regex>,
    pub(crate) rows: Vec<(&'a RawFile, PackedRow)>,
    pub(crate) left_out: Vec<(String, &'static str)>,
    pub(crate) expected_left_out: Vec<&'a RawFile>,
    pub(crate) contradictions: Vec<(String, String)>,
    pub(crate) missing: Vec<(String, String)>,
    /// Values of dimensions that cannot be used.
    pub(crate) unrated: Vec<String>,
    /// Whether each file of the tree, by its index, was mentioned.
    mentioned: Vec<bool>,
}

impl<'a> Harvest<'a> {
    /// Runs the recipe of `entry` over `tree`.
    pub fn gather(entry: &'a Entry, tree: &'a RawTree) -> Result<Self, CorpusError> {
        let mut harvest = Self {
            entry,
            tree,
            patterns: compile(entry.grammar),
            rows: Vec::new(),
            left_out: Vec::new(),
            expected_left_out: Vec::new(),
            contradictions: Vec::new(),
            missing: Vec::new(),
            unrated: Vec::new(),
            mentioned: vec![false; tree.files().len()],
        };
        match entry.recipe {
            Recipe::Paths(read) => {
                let files: Vec<_> = tree.audio().collect();
                // In chunks, because one path costs less than handing it to a thread.
                let outcomes: Vec<_> = files
                    .par_iter()
                    .with_min_len(256)
                    .filter_map(|&file| Some((file, read(&harvest.fields(file)?))))
                    .collect();
                for (file, outcome) in outcomes {
                    match outcome {
                        PathOutcome::Row(row) => harvest.packed_row(file, row),
                        PathOutcome::LeaveOut(reason) => harvest.leave_out(file, reason),
                        PathOutcome::Contradiction(message) => harvest.contradiction(file, message),
                    }
                }
            }
            Recipe::Tree(read) => read(&mut harvest)?,
        }
        Ok(harvest)
    }

    /// The tree. The returned reference outlives the harvest, so rows can be added while walking it.
    pub fn tree(&self) -> &'a RawTree {
        self.tree
    }

    /// The card.
    pub fn card(&self) -> &'a Card {
        &self.entry.card
    }

    /// The groups of a file's path, if it fits the grammar.
    pub fn fields(&self, file: &'a RawFile) -> Option<Fields<'a>> {
        fit(&self.patterns, file)
    }

    /// Every audio file that fits the grammar, with its groups.
    pub fn fitting(&self) -> Vec<Fields<'a>> {
        self.tree
            .audio()
            .filter_map(|file| self.fields(file))
            .collect()
    }

    /// Adds an utterance.
    pub fn row(&mut self, file: &'a RawFile, row: Row) {
        self.packed_row(file, PackedRow::new(row));
    }

    fn packed_row(&mut self, file: &'a RawFile, row: PackedRow) {
        self.mentioned[file.index()] = true;
        self.rows.push((file, row));
    }

    /// Leaves out a file that is not part of the corpus (another edition, a copy, a video), for a reason that the report
    /// counts.
    pub fn leave_out(&mut self, file: &'a RawFile, reason: &'static str) {
        self.mentioned[file.index()] = true;
        self.left_out.push((file.path().to_owned(), reason));
    }

    /// Leaves out a file that `Card::expected` counts: a release without it is incomplete.
    pub fn leave_out_expected(&mut self, file: &'a RawFile, reason: &'static str) {
        self.expected_left_out.push(file);
        self.leave_out(file, reason);
    }

    /// Leaves out something other than a whole file (a segment, a line of a table), named by `subject`.
    pub fn leave_out_item(&mut self, subject: impl Into<String>, reason: &'static str) {
        self.left_out.push((subject.into(), reason));
    }

    /// Reports a file whose path, folder or side file contradict each other.
    pub fn contradiction(&mut self, file: &'a RawFile, message: impl Into<String>) {
        self.mentioned[file.index()] = true;
        self.contradictions
            .push((file.path().to_owned(), message.into()));
    }

    /// Reports an audio file that a side file names and the tree lacks.
    pub fn missing(&mut self, path: impl Into<String>, named_in: impl Into<String>) {
        self.missing.push((path.into(), named_in.into()));
    }

    /// The value of a dimension in a side file. A value that is not a number or is outside the card's scale is reported and
    /// becomes `None`; `subject` names the utterance in the report.
    pub fn rating(&mut self, subject: &str, text: &str) -> Option<f64> {
        ratings::value(text, self.entry.card.scale).unwrap_or_else(|problem| {
            self.unrated.push(format!("{subject}: {problem}"));
            None
        })
    }

    /// Audio files that the recipe never mentioned.
    pub(crate) fn unmatched(&self) -> Vec<&'a RawFile> {
        self.tree
            .audio()
            .filter(|file| !self.mentioned[file.index()])
            .collect()
    }
}

/// Number of the given files that fit the grammar of `entry`.
pub(crate) fn fitting_files<'a>(entry: &Entry, files: impl Iterator<Item = &'a RawFile>) -> usize {
    let patterns = compile(entry.grammar);
    let fits = |file: &&RawFile| {
        patterns
            .iter()
            .any(|pattern| pattern.is_match(file.composed()))
    };
    files.filter(fits).count()
}

fn fit<'a>(patterns: &[Regex], file: &'a RawFile) -> Option<Fields<'a>> {
    let captures = patterns
        .iter()
        .find_map(|pattern| pattern.captures(file.composed()))?;
    Some(Fields { file, captures })
}

/// Grammars are static, and a test compiles each, so a pattern that does not compile is a bug in the registry.
///
/// A recording in another container is the same recording, so each pattern is tried again with any extension after all have
/// been tried as written: only audio is ever matched.
fn compile(grammar: &[&str]) -> Vec<Regex> {
    let any_extension = |pattern: &&str| {
        let (stem, _) = pattern.rsplit_once(r"\.")?;
        (!pattern.ends_with("[^/]+")).then(|| format!(r"{stem}\.[a-z0-9]{{2,4}}"))
    };
    let written = grammar.iter().map(|pattern| (*pattern).to_owned());
    let others = grammar.iter().filter_map(any_extension);
    written
        .chain(others)
        .filter_map(|pattern| {
            RegexBuilder::new(&format!("(?:^|/)(?:{pattern})$"))
                .case_insensitive(true)
                .build()
                .ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_row_is_the_row() {
        let plain = Row::new("a-1", "W");
        let full = Row::new("ключ", "")
            .speaker("03")
            .published_speaker("3")
            .published_emo("F")
            .gender(Gender::Female)
            .language("Polish")
            .text("zażółć")
            .channel(Channel::FrontCentre)
            .segment(0.5, 1.25)
            .split("test2")
            .dimensions([Some(2.5), None, Some(-1.0)])
            .votes(BTreeMap::from([("Angry".to_owned(), 3)]))
            .not_as_published("why");
        for row in [plain, full.clone().text(""), full] {
            let packed = PackedRow::new(row.clone());
            assert_eq!((packed.id(), packed.segment()), (&*row.id, row.segment));
            assert_eq!(packed.unpack(), row);
        }
    }
}
