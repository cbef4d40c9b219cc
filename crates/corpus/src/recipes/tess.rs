//! TESS: everything is in the file name, `OAF_lid_fear.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "tess",
        title: "TESS",
        full_name: "Toronto emotional speech set",
        languages: &["English"],
        source: Source::Act,
        recording: "Two women, actors of 26 and 64 years from Toronto, speak 200 words after \"Say the word\" in six emotions \
                    and a neutral voice.",
        table1: Table1 {
            classes: 7,
            speakers: Some(2),
            utterances: 2800,
            hours: 1.6,
        },
        labels: &[
            ("fear", "Fear"),
            ("disgust", "Disgust"),
            ("angry", "Angry"),
            ("sad", "Sad"),
            ("ps", "Surprise"),
            ("neutral", "Neutral"),
            ("happy", "Happy"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "https://tspace.library.utoronto.ca/handle/1807/24487",
            archives: &[],
        },
        homepage: "https://tspace.library.utoronto.ca/handle/1807/24487",
        citation: "Pichora-Fuller, Dupuis: Toronto emotional speech set (TESS). University of Toronto, 2010; doi 10.5683/SP2/E8H2MF",
        layout: "OAF_lid_fear.wav   OAF the older, YAF the younger woman; the word `lid`; fear\n…                  2800 files, in any folders",
        audio: "wav, 24.414 kHz, 16 bit, mono; OAF_food_fear.wav has 96 kHz",
        expected: &[("", 2800)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[],
        notes: &[
            "`ps` is pleasant surprise",
            "some copies spell a name OA_…; it is read as OAF_…, its published key",
            "some copies hold every file twice; the second is dropped and reported",
            "both speakers and 195 of the 200 words of the published test list are in its train list, hence accuracies up to 99.9 % in Table 4",
        ],
    },
    grammar: &[
        r"(?P<speaker>OAF?|YAF)_(?P<word>[A-Za-z]+)_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let speaker = if fields["speaker"].eq_ignore_ascii_case("YAF") {
        "YAF"
    } else {
        "OAF"
    };
    let word = fields["word"].to_ascii_lowercase();
    let emo = fields["emotion"].to_ascii_lowercase();
    Row::new(format!("{speaker}-{word}-{emo}"), emo)
        .speaker(speaker)
        .gender(Gender::Female)
        .text(word)
        .into()
}
