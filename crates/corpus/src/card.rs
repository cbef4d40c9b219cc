use serde::Serialize;
use std::fmt;

/// What a corpus is, where to get it, and how its published metadata treat it. All values are static
/// facts; "published" is the EmoBox metadata at commit 08280f2 and Table 1 of the EmoBox paper.
#[derive(Debug, Clone, Serialize)]
pub struct Card {
    /// Registered name, prefix of every key: `emodb`.
    pub name: &'static str,
    /// The name used in Table 1: `EmoDB`.
    pub title: &'static str,
    /// The name in full.
    pub full_name: &'static str,
    /// Languages spoken, in English. With exactly one, every utterance gets it.
    pub languages: &'static [&'static str],
    /// Kind of source, as in Table 1.
    pub source: Source,
    /// Who recorded what, how, in one or two sentences.
    pub recording: &'static str,
    /// Sizes as in Table 1.
    pub table1: Table1,
    /// Raw label to harmonised class, in the order the corpus lists them. Every raw label is here.
    pub labels: &'static [(&'static str, &'static str)],
    /// Licence as far as known; `unknown` is an answer.
    pub licence: &'static str,
    /// How to get the audio.
    pub access: Access,
    /// Project page.
    pub homepage: &'static str,
    /// Author, title, venue, year.
    pub citation: &'static str,
    /// The expected layout as a small tree, at most ten lines.
    pub layout: &'static str,
    /// Containers and codecs, for people: `wav, 16 kHz, 16 bit, mono`.
    pub audio: &'static str,
    /// Audio files that a complete release has, by folder: `("", n)` counts all, `("Angry", n)` those with that
    /// folder (or several, `audio/level_1`) anywhere in their path. Fewer is reported as missing. What the recipe leaves
    /// out as lying beside the corpus does not count, here as there; what it leaves out of the corpus itself
    /// ([`crate::Harvest::leave_out_expected`]) does.
    pub expected: &'static [(&'static str, u32)],
    /// The lowest and the highest value of valence, arousal and dominance, where the release rates them on a scale that
    /// its authors state.
    pub scale: Option<(f64, f64)>,
    /// How the published folds were made.
    pub folds: PublishedFolds,
    /// Where our manifest departs from the published metadata. `as_published` undoes each.
    pub differences: &'static [Difference],
    /// Known traps: twins, tiny classes, long files, what was left out and why.
    pub notes: &'static [&'static str],
}

impl Card {
    /// The harmonised class of a raw label, exactly as written.
    pub fn class_of(&self, raw: &str) -> Option<&'static str> {
        self.labels
            .iter()
            .find(|(label, _)| *label == raw)
            .map(|&(_, class)| class)
    }

    /// The harmonised classes, each once, in the order of the label map.
    pub fn classes(&self) -> Vec<&'static str> {
        let mut classes = Vec::new();
        for &(_, class) in self.labels {
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
        classes
    }
}

/// Kind of source, as Table 1 prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Acted or elicited in a studio.
    Act,
    /// Cut from television series.
    Tv,
    /// Cut from talk shows.
    TalkShow,
    /// Cut from podcasts.
    Podcast,
    /// Collected from films and the web.
    Media,
    /// Made by a program.
    Synthetic,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Act => "Act",
            Self::Tv => "TV",
            Self::TalkShow => "Talk show",
            Self::Podcast => "Podcast",
            Self::Media => "Media",
            Self::Synthetic => "Synthetic",
        })
    }
}

/// Sizes as Table 1 of the paper prints them. Where the data disagree, the card's notes say so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Table1 {
    /// Emotions.
    pub classes: u32,
    /// Speakers, where a number is printed.
    pub speakers: Option<u32>,
    /// Utterances.
    pub utterances: u32,
    /// Hours, to one decimal.
    pub hours: f64,
}

/// How to get the audio.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Access {
    /// Anybody may download it.
    Open {
        /// The page that offers it.
        page: &'static str,
        /// Direct addresses of the archives, where they are stable and known. May be empty.
        archives: &'static [Archive],
    },
    /// On request, after an agreement, or with an account.
    Request {
        /// Where to ask.
        page: &'static str,
        /// What to send or sign.
        how: &'static str,
    },
    /// Nothing to fetch: the program makes it.
    BuiltIn,
}

/// One file of an open release.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Archive {
    /// Direct address.
    pub address: &'static str,
    /// Size in bytes, where published.
    pub bytes: Option<u64>,
    /// `md5:…` or `sha256:…`, where published.
    pub checksum: Option<&'static str>,
}

/// How the published folds were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "rule", content = "by")]
pub enum PublishedFolds {
    /// One fold, 25 % of each raw label drawn with `random.seed(0)` from the published order. The order is known
    /// only from the published metadata.
    Stratified,
    /// Fold k tests the k-th speaker of this list (spelled as in our manifest).
    LeaveOneSpeakerOut(&'static [&'static str]),
    /// Fold k tests the speakers of the k-th list (spelled as in our manifest).
    SpeakerLists(&'static [&'static [&'static str]]),
    /// One fold made of the release's own parts, as the utterances' `split` says. `unused` parts are in no fold.
    OfficialSplit,
    /// Fold k tests the utterances whose `split` is the k-th of this list.
    OfficialGroups(&'static [&'static str]),
    /// So many folds of lists that follow no rule; only the published metadata have them.
    FixedLists(u32),
    /// The corpus is not part of the published benchmark.
    NotPublished,
}

impl PublishedFolds {
    /// Number of published folds.
    pub fn count(&self) -> usize {
        match self {
            Self::Stratified | Self::OfficialSplit => 1,
            Self::LeaveOneSpeakerOut(speakers) => speakers.len(),
            Self::SpeakerLists(lists) => lists.len(),
            Self::OfficialGroups(groups) => groups.len(),
            Self::FixedLists(n) => *n as usize,
            Self::NotPublished => 0,
        }
    }

    /// The rule in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Stratified => "25 % of each raw label, seeded draw, 1 fold".to_owned(),
            Self::LeaveOneSpeakerOut(speakers) => {
                format!("leave one speaker out, {} folds", speakers.len())
            }
            Self::SpeakerLists(lists) => format!("listed test speakers, {} folds", lists.len()),
            Self::OfficialSplit => "official split, 1 fold".to_owned(),
            Self::OfficialGroups(groups) => format!(
                "official groups ({}), {} folds",
                groups.join(", "),
                groups.len()
            ),
            Self::FixedLists(n) => format!("fixed lists, {n} folds"),
            Self::NotPublished => "not part of the published benchmark".to_owned(),
        }
    }
}

/// One point where our manifest is right and the published metadata are not.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Difference {
    /// The manifest field: `speaker`, `label`, `rows`.
    pub field: &'static str,
    /// What the published metadata say.
    pub published: &'static str,
    /// What our manifest says, and why.
    pub ours: &'static str,
}
