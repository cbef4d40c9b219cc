//! EMOVO: everything is in the file name, `gio-f2-b1.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "emovo",
        title: "EMOVO",
        full_name: "EMOVO, an Italian emotional speech database",
        languages: &["Italian"],
        source: Source::Act,
        recording: "Three actresses and three actors speak 14 sentences, five of them nonsense, in six emotions and a \
                    neutral voice, in the laboratories of the Fondazione Ugo Bordoni.",
        table1: Table1 {
            classes: 7,
            speakers: Some(6),
            utterances: 588,
            hours: 0.5,
        },
        labels: &[
            ("neu", "Neutral"),
            ("dis", "Disgust"),
            ("gio", "Happy"),
            ("pau", "Fear"),
            ("rab", "Angry"),
            ("sor", "Surprise"),
            ("tri", "Sad"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "http://voice.fub.it/activities/corpora/emovo/index.html",
            archives: &[],
        },
        homepage: "http://voice.fub.it/activities/corpora/emovo/index.html",
        citation: "Costantini, Iaderola, Paoloni, Todisco: EMOVO Corpus: an Italian Emotional Speech Database. LREC 2014",
        layout: "f1/\n  gio-f1-b1.wav   gio = gioia (joy), actress f1, sentence b1\nf2/  f3/  m1/  m2/  m3/\n  …               98 files each",
        audio: "wav, 48 kHz, 16 bit; channel 1 is used",
        expected: &[
            ("f1", 98),
            ("f2", 98),
            ("f3", 98),
            ("m1", 98),
            ("m2", 98),
            ("m3", 98),
        ],
        scale: None,
        folds: PublishedFolds::LeaveOneSpeakerOut(&["f2", "m3", "m2", "f3", "f1", "m1"]),
        differences: &[],
        notes: &[
            "all six speak the same 14 sentences, so train and test share the texts",
            "the published label map is called label_dict.json here, so the published recipe does not find it",
        ],
    },
    grammar: &[
        r"(?:(?P<folder>[fm][123])/)?(?P<emotion>neu|dis|gio|pau|rab|sor|tri)-(?P<speaker>(?P<gender>[fm])[123])-(?P<sentence>[bl][1-4]|n[1-5]|d[12])\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let (folder, speaker) = (&fields["folder"], fields["speaker"].to_ascii_lowercase());
    if fields.has("folder") && !folder.eq_ignore_ascii_case(&speaker) {
        return PathOutcome::Contradiction(format!("the folder says {folder}, the name {speaker}"));
    }
    Row::new(
        fields.file.stem().to_ascii_lowercase(),
        fields["emotion"].to_ascii_lowercase(),
    )
    .speaker(speaker)
    .gender(Gender::parse(&fields["gender"]))
    .text(fields["sentence"].to_ascii_lowercase())
    .into()
}
