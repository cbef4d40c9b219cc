//! The published figures: Tables 4 and 5 of Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion
//! Recognition Toolkit and Benchmark", Interspeech 2024.
//!
//! They are figures to print beside a user's own, not results of this program. Table 4 was read from the
//! paper's text, in which 40 of its 960 cells are cut off; the supplement fills these, and corrects three that the text
//! garbles, from the picture `docs/intra-corpus.jpg` of the published repository.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The source of a cell of Table 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaperSource {
    /// The paper's text; 40 cells are missing.
    Text,
    /// The text, completed and corrected in 43 cells from the picture in the published repository.
    WithSupplement,
}

/// A cell of Table 4, fractions 0..1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PaperScore {
    /// Unweighted accuracy.
    pub ua: Option<f64>,
    /// Weighted accuracy.
    pub wa: Option<f64>,
    /// Macro F1.
    pub macro_f1: Option<f64>,
}

type Name = &'static str;

/// The published tables.
#[derive(Debug)]
pub struct Paper {
    intra: Intra,
    supplement: HashMap<(Name, Name), PaperScore>,
    cross: Cross,
}

/// Table 4: cells by (model, corpus).
#[derive(Debug)]
struct Intra {
    models: Vec<Name>,
    corpora: Vec<Name>,
    cells: HashMap<(Name, Name), PaperScore>,
}

/// Table 5: cells by (model, train, test).
#[derive(Debug)]
struct Cross {
    corpora: Vec<Name>,
    cells: HashMap<(Name, Name, Name), f64>,
}

/// The published tables.
pub fn paper() -> &'static Paper {
    static PAPER: LazyLock<Paper> = LazyLock::new(|| Paper {
        intra: table4(include_str!("table4.tsv")),
        supplement: supplement(include_str!("table4_supplement.tsv")),
        cross: table5(include_str!("table5.tsv")),
    });
    &PAPER
}

impl Paper {
    /// The ten encoders of Table 2 as the paper writes them.
    pub fn models(&self) -> &[&'static str] {
        &self.intra.models
    }

    /// The 32 corpora by their short names, in alphabetical order.
    pub fn corpora(&self) -> &[&'static str] {
        &self.intra.corpora
    }

    /// The corpora of Table 5.
    pub fn cross_corpora(&self) -> &[&'static str] {
        &self.cross.corpora
    }

    /// Table 4; a cell that the source lacks is empty.
    pub fn score(&self, model: &str, corpus: &str, source: PaperSource) -> PaperScore {
        let text = self
            .intra
            .cells
            .get(&(model, corpus))
            .copied()
            .unwrap_or_default();
        let picture = match source {
            PaperSource::Text => None,
            PaperSource::WithSupplement => self.supplement.get(&(model, corpus)),
        };
        picture.map_or(text, |picture| PaperScore {
            ua: picture.ua.or(text.ua),
            wa: picture.wa.or(text.wa),
            macro_f1: picture.macro_f1.or(text.macro_f1),
        })
    }

    /// Table 5: accuracy, trained on one corpus and tested on the balanced set of another.
    pub fn cross(&self, model: &str, train: &str, test: &str) -> Option<f64> {
        self.cross.cells.get(&(model, train, test)).copied()
    }

    /// Equation 1 from the cells of Table 5; the paper prints it only in Figure 1.
    pub fn cross_average(&self, model: &str) -> Option<f64> {
        let cells = self.cross.cells.iter();
        let mut accuracies: Vec<f64> = cells
            .filter(|((m, ..), _)| *m == model)
            .map(|(_, accuracy)| *accuracy)
            .collect();
        // Sorted, because the order of a hash map must not affect the last digit.
        accuracies.sort_unstable_by(f64::total_cmp);
        let n = self.cross.corpora.len();
        (accuracies.len() == n * n - n)
            .then(|| accuracies.iter().sum::<f64>() / accuracies.len() as f64)
    }

    /// The paper's name of an encoder, from any common spelling: `whisper-large-v3`,
    /// `wav2vec2-base`, `facebook/hubert-large-ll60k`, `data2vec-audio-base`, `wav2vec 2.0 base`.
    pub fn model(&self, encoder: &str) -> Option<&'static str> {
        let wanted = plain(encoder);
        self.intra
            .models
            .iter()
            .copied()
            .find(|model| plain(model) == wanted)
    }
}

/// Letters and digits of the last part of a path, without what distinguishes copies of the same weights.
fn plain(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.replace("vec20", "vec2").replace("audio", "");
    let name = name.strip_suffix("ls960").unwrap_or(&name);
    name.strip_suffix("ll60k").unwrap_or(name).to_owned()
}

/// Converts per cent as printed to a fraction; `NA` and `-` are not values.
fn fraction(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().map(|percent| percent / 100.0)
}

fn scores(text: &str) -> PaperScore {
    let mut values = text.split(' ').map(fraction);
    let mut next = || values.next().flatten();
    PaperScore {
        ua: next(),
        wa: next(),
        macro_f1: next(),
    }
}

fn table4(text: Name) -> Intra {
    let mut lines = text.lines();
    let models: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split('\t')
        .skip(1)
        .collect();
    let (mut corpora, mut cells) = (Vec::new(), HashMap::new());
    for line in lines {
        let mut fields = line.split('\t');
        let corpus = fields.next().unwrap_or_default();
        corpora.push(corpus);
        for (model, cell) in models.iter().zip(fields) {
            cells.insert((*model, corpus), scores(cell));
        }
    }
    Intra {
        models,
        corpora,
        cells,
    }
}

fn supplement(text: Name) -> HashMap<(Name, Name), PaperScore> {
    let rows = text.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let (corpus, model, cell) = (fields.next()?, fields.next()?, fields.next()?);
        Some(((model, corpus), scores(cell)))
    });
    rows.collect()
}

fn table5(text: Name) -> Cross {
    let mut lines = text.lines();
    let trained: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split('\t')
        .skip(2)
        .collect();
    let mut cells = HashMap::new();
    for line in lines {
        let mut fields = line.split('\t');
        let (model, test) = (
            fields.next().unwrap_or_default(),
            fields.next().unwrap_or_default(),
        );
        for (train, cell) in trained.iter().zip(fields) {
            if let Some(accuracy) = fraction(cell) {
                cells.insert((model, *train, test), accuracy);
            }
        }
    }
    Cross {
        corpora: trained,
        cells,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::percent;

    #[test]
    fn the_tables_are_whole_and_the_cut_cells_stay_cut() {
        let paper = paper();
        assert_eq!((paper.models().len(), paper.corpora().len()), (10, 32));
        let missing = |source| {
            let all = paper
                .models()
                .iter()
                .flat_map(|m| paper.corpora().iter().map(move |c| (m, c)));
            let cells = all.flat_map(|(m, c)| {
                let score = paper.score(m, c, source);
                [score.ua, score.wa, score.macro_f1]
            });
            cells.filter(Option::is_none).count()
        };
        assert_eq!(missing(PaperSource::Text), 40);
        assert_eq!(missing(PaperSource::WithSupplement), 0);
    }

    #[test]
    fn figures_print_as_they_were_printed() {
        let paper = paper();
        let score = paper.score("Whisper large v3", "aesdd", PaperSource::Text);
        assert_eq!(score.ua.map(percent).as_deref(), Some("79.13"));
        let cut = paper.score("Whisper large v3", "urdu", PaperSource::WithSupplement);
        assert_eq!(cut.ua.map(percent).as_deref(), Some("82.52"));
        let garbled = paper.score("data2vec 2.0 large", "emovo", PaperSource::WithSupplement);
        assert_eq!(garbled.wa.map(percent).as_deref(), Some("45.88"));
        for line in include_str!("table4.tsv").lines().skip(1) {
            for printed in line.split(['\t', ' ']).skip(1).filter(|text| *text != "NA") {
                let two_decimals = format!("{:.2}", printed.parse::<f64>().unwrap());
                assert_eq!(fraction(printed).map(percent), Some(two_decimals));
            }
        }
    }

    #[test]
    fn equation_1_of_table_5_is_what_figure_1_shows() {
        let average = |model| paper().cross_average(model).map(percent);
        assert_eq!(average("Whisper large v3").as_deref(), Some("46.85"));
        assert_eq!(average("wav2vec 2.0 base").as_deref(), Some("27.67"));
        assert_eq!(
            paper()
                .cross("Whisper large v3", "savee", "ravdess")
                .map(percent)
                .as_deref(),
            Some("66.91")
        );
        assert_eq!(average("nobody"), None);
    }

    #[test]
    fn encoders_are_found_by_their_common_names() {
        let model = |name| paper().model(name);
        assert_eq!(model("openai/whisper-large-v3"), Some("Whisper large v3"));
        assert_eq!(model("facebook/hubert-large-ll60k"), Some("HuBERT large"));
        assert_eq!(model("data2vec-audio-base"), Some("data2vec base"));
        assert_eq!(model("data2vec2-base"), Some("data2vec 2.0 base"));
        assert_eq!(model("wav2vec2-base"), Some("wav2vec 2.0 base"));
        assert_eq!(model("whisper-tiny.en"), None);
        assert_eq!(model("wav2vec2-base-960h"), None);
    }
}
