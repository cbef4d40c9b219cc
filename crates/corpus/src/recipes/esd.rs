//! ESD: speaker and emotion are folders, the number of the file gives emotion and sentence, `0001/Angry/0001_000351.wav`.

use crate::card::{Access, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "esd",
        title: "ESD",
        full_name: "Emotional Speech Dataset",
        languages: &["Mandarin", "English"],
        source: Source::Act,
        recording: "Ten speakers of Mandarin and ten of English read 350 sentences of their language in five emotions; \
                    recorded for voice conversion.",
        table1: Table1 {
            classes: 5,
            speakers: Some(20),
            utterances: 35_000,
            hours: 29.1,
        },
        labels: &[
            ("Neutral", "Neutral"),
            ("Angry", "Angry"),
            ("Happy", "Happy"),
            ("Sad", "Sad"),
            ("Surprise", "Surprise"),
        ],
        licence: "research only, under the licence form of the project page",
        access: Access::Request {
            page: "https://github.com/HLTSingapore/Emotional-Speech-Data",
            how: "complete the licence form of that page and send it to the authors; the page links the archive",
        },
        homepage: "https://github.com/HLTSingapore/Emotional-Speech-Data",
        citation: "Zhou, Sisman, Liu, Li: Emotional voice conversion: Theory, databases and ESD. Speech Communication 137, 2022",
        layout: "0001/                  0001 to 0010 Mandarin, 0011 to 0020 English\n  Neutral/0001_000001.wav    sentence 1 of 350\n  Angry/0001_000351.wav      sentence 1 again\n  Happy/  Sad/  Surprise/\n0002/ … 0020/",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[
            ("0001", 1750),
            ("0002", 1750),
            ("0003", 1750),
            ("0004", 1750),
            ("0005", 1750),
            ("0006", 1750),
            ("0007", 1750),
            ("0008", 1750),
            ("0009", 1750),
            ("0010", 1750),
            ("0011", 1750),
            ("0012", 1750),
            ("0013", 1750),
            ("0014", 1750),
            ("0015", 1750),
            ("0016", 1750),
            ("0017", 1750),
            ("0018", 1750),
            ("0019", 1750),
            ("0020", 1750),
        ],
        scale: None,
        folds: PublishedFolds::SpeakerLists(&[
            &["0005", "0011", "0016", "0018"],
            &["0012", "0014", "0015", "0019"],
            &["0003", "0004", "0006", "0009"],
            &["0007", "0008", "0013", "0020"],
            &["0001", "0002", "0010", "0017"],
        ]),
        differences: &[],
        notes: &[
            "the published folds mix the languages unevenly: Mandarin test speakers of folds 1 to 5 are 1, 0, 4, 2, 3 of 4",
            "the published partition has 5 folds where the paper's rule says 4",
            "all speakers of a language read the same 350 sentences, so train and test share the texts",
        ],
    },
    grammar: &[
        r"(?P<folder>00(?:0[1-9]|1\d|20))/(?P<emotion>Angry|Happy|Neutral|Sad|Surprise)/(?:(?:train|evaluation|test)/)?(?P<speaker>\d{4})_(?P<number>\d{6})\.wav",
    ],
    recipe: Recipe::Paths(read),
};

/// Sentences that each speaker reads in each emotion.
const SENTENCES: u32 = 350;
/// Emotions in the order of the files' numbers.
const EMOTIONS: [&str; 5] = ["Neutral", "Angry", "Happy", "Sad", "Surprise"];

fn read(fields: &Fields<'_>) -> PathOutcome {
    let (folder, speaker) = (&fields["folder"], &fields["speaker"]);
    if folder != speaker {
        return PathOutcome::Contradiction(format!(
            "the folder says speaker {folder}, the name {speaker}"
        ));
    }
    let number = &fields["number"];
    let index = number
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_sub(1));
    let emotion = index.and_then(|index| EMOTIONS.get((index / SENTENCES) as usize));
    let (Some(index), Some(emo)) = (index, emotion) else {
        return PathOutcome::Contradiction(format!("number {number} is not in 000001 to 001750"));
    };
    let folder = &fields["emotion"];
    if !folder.eq_ignore_ascii_case(emo) {
        return PathOutcome::Contradiction(format!(
            "the folder says {folder}, number {number} is {emo}"
        ));
    }
    let language = if speaker <= "0010" {
        "Mandarin"
    } else {
        "English"
    };
    let sentence = index % SENTENCES + 1;
    Row::new(format!("{speaker}-{number}"), *emo)
        .speaker(speaker)
        .language(language)
        .text(format!("{language} {sentence}"))
        .into()
}
