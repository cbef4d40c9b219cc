//! CaFE: everything is in the file name, `01-C-1-1.wav`. The names of the folders have accents that most unzippers garble.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "cafe",
        title: "CaFE",
        full_name: "Canadian French Emotional speech dataset",
        languages: &["French"],
        source: Source::Act,
        recording: "Six women and six men, actors from Quebec, speak six sentences in six emotions at two intensities and \
                    in a neutral voice.",
        table1: Table1 {
            classes: 7,
            speakers: Some(12),
            utterances: 936,
            hours: 1.2,
        },
        labels: &[
            ("c", "Angry"),
            ("d", "Disgust"),
            ("j", "Happy"),
            ("n", "Neutral"),
            ("p", "Fear"),
            ("s", "Surprise"),
            ("t", "Sad"),
        ],
        licence: "CC BY-NC-SA 4.0",
        access: Access::Open {
            page: "https://zenodo.org/record/1478765",
            archives: &[Archive {
                address: "https://zenodo.org/record/1478765/files/CaFE_48k.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "https://zenodo.org/record/1478765",
        citation: "Gournay, Lahaie, Lefebvre: A Canadian French Emotional Speech Dataset. ACM Multimedia Systems Conference 2018",
        layout: "CaFE_48k/\n  Colère/\n    Faible/01-C-1-1.wav   actor 01, C = colère, 1 = weak, sentence 1\n    Fort/\n  Dégoût/  Joie/  Peur/  Surprise/  Tristesse/\n  Neutre/                 without the folders Faible and Fort",
        audio: "wav, 48 kHz",
        expected: &[("", 936)],
        scale: None,
        folds: PublishedFolds::SpeakerLists(&[
            &["01", "07", "08", "10"],
            &["02", "04", "09", "12"],
            &["03", "05", "06", "11"],
        ]),
        differences: &[],
        notes: &[
            "the zip stores folder names in an old code page (`Col\\x8are`): any spelling of them is accepted, the file name decides",
            "only CaFE_48k is used; the copy at 192 kHz holds the same utterances and is left out by rule",
            "the twelve actors speak the same six sentences, so train and test share the texts",
            "the published partition has 3 folds where the paper's rule says 4",
        ],
    },
    grammar: &[
        r"(?P<high>CaFE_192k)[^/]*/(?:[^/]+/)*\d{2}-[CDJNPST]-[12]-[1-6]\.(?:wav|aiff?)",
        r"(?P<folder>Col[^/]{1,6}re|D[^/]{1,6}go[^/]{1,6}t|Joie|Neutre|Peur|Surprise|Tristesse)(?:/(?P<level>Faible|Fort))?/(?P<speaker>0[1-9]|1[0-2])-(?P<emotion>[CDJNPST])-(?P<intensity>[12])-(?P<sentence>[1-6])\.wav",
        r"(?P<speaker>0[1-9]|1[0-2])-(?P<emotion>[CDJNPST])-(?P<intensity>[12])-(?P<sentence>[1-6])\.wav",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    if fields.has("high") {
        return PathOutcome::LeaveOut("CaFE_192k: the published corpus uses the copy at 48 kHz");
    }
    let emo = fields["emotion"].to_ascii_lowercase();
    let folder = &fields["folder"];
    let initial = folder.get(..1).unwrap_or(&emo);
    if !initial.eq_ignore_ascii_case(&emo) {
        return PathOutcome::Contradiction(format!("the folder says {folder}, the name {emo}"));
    }
    let intensity = &fields["intensity"];
    let level = &fields["level"];
    if fields.has("level") && level.eq_ignore_ascii_case("Faible") != (intensity == "1") {
        return PathOutcome::Contradiction(format!(
            "the folder says {level}, the name {intensity}"
        ));
    }
    let speaker = &fields["speaker"];
    // Odd numbers are men.
    let gender = if speaker.ends_with(['1', '3', '5', '7', '9']) {
        Gender::Male
    } else {
        Gender::Female
    };
    Row::new(fields.file.stem().to_ascii_uppercase(), emo)
        .speaker(speaker)
        .gender(gender)
        .text(&fields["sentence"])
        .into()
}
