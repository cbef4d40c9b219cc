//! eNTERFACE'05: subject, emotion and sentence are folders and again in the file name, which is wrong for two subjects:
//! `subject 11/anger/sentence 1/s12_an_1.avi`.

use crate::card::{Access, Archive, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "enterface",
        title: "eNTERFACE",
        full_name: "eNTERFACE'05 audio-visual emotion database",
        languages: &["English"],
        source: Source::Act,
        recording: "Non-actors of 14 nations listen to six short stories, each of one emotion, and answer each with five \
                    given English sentences.",
        table1: Table1 {
            classes: 6,
            speakers: Some(44),
            utterances: 1263,
            hours: 1.1,
        },
        labels: &[
            ("an", "Angry"),
            ("su", "Surprise"),
            ("fe", "Fear"),
            ("ha", "Happy"),
            ("sa", "Sad"),
            ("di", "Disgust"),
        ],
        licence: "unknown",
        access: Access::Open {
            page: "http://www.enterface.net/results/",
            archives: &[Archive {
                address: "http://www.enterface.net/enterface05/docs/results/databases/project2_database.zip",
                bytes: None,
                checksum: None,
            }],
        },
        homepage: "http://www.enterface.net/results/",
        citation: "Martin, Kotsia, Macq, Pitas: The eNTERFACE'05 Audio-Visual Emotion Database. ICDE Workshops 2006",
        layout: "subject 1/\n  anger/\n    sentence 1/s1_an_1.avi   subject 1, anger, sentence 1 of 5\n  disgust/  fear/  happiness/  sadness/  surprise/\nsubject 2/ …                 43 subjects; 30 clips each but for 6 and 23\nsubject 6/anger/s6_an.avi    not cut into sentences",
        audio: "avi, PCM, 48 kHz; channel 1 is used",
        expected: &[("", 1263)],
        scale: None,
        folds: PublishedFolds::Stratified,
        differences: &[
            Difference {
                field: "speaker",
                published: "s12 for the 30 clips of subject 11, which are named s12_…",
                ours: "s11, the folder: there is no subject 12",
            },
            Difference {
                field: "speaker",
                published: "s for the 16 clips of subject 3 that are named s_3_…, beside s3 for the other 14",
                ours: "s3, the folder",
            },
        ],
        notes: &[
            "there are 43 subjects; the 44 of Table 1 are the published names, one of which is half of subject 3",
            "the six videos of subject 6 are whole (56 s to 107 s, all five sentences and the pauses between); they are kept, as in the published metadata",
            "in the folder `anger` of subject 2 the sentences 1 and 2 are swapped between folder and name; they have no text",
            "subject 23 lacks three clips of happiness; s16_su_3avi.avi is a slip of the release",
            "all speakers of the published test list are in its train list",
        ],
    },
    grammar: &[
        r"subject (?P<subject>[1-9]\d?)/(?P<folder>anger|disgust|fear|happiness|sadness|surprise)(?:/sentence (?P<folder_sentence>[1-5]))?/s(?P<underscore>_?)(?P<number>[1-9]\d?)_(?P<emotion>an|di|fe|ha|sa|su)(?:_(?P<sentence>[1-5])(?:avi)?)?\.avi",
    ],
    recipe: Recipe::Paths(read),
};

fn read(fields: &Fields<'_>) -> PathOutcome {
    let (subject, number) = (&fields["subject"], &fields["number"]);
    if subject != number && (subject, number) != ("11", "12") {
        return PathOutcome::Contradiction(format!(
            "the folder says subject {subject}, the name {number}"
        ));
    }
    let (folder, emo) = (&fields["folder"], fields["emotion"].to_ascii_lowercase());
    if !folder[..2].eq_ignore_ascii_case(&emo) {
        return PathOutcome::Contradiction(format!("the folder says {folder}, the name {emo}"));
    }
    let (folder_sentence, sentence) = (&fields["folder_sentence"], &fields["sentence"]);
    let swapped = (subject, emo.as_str()) == ("2", "an")
        && matches!((folder_sentence, sentence), ("1", "2") | ("2", "1"));
    if folder_sentence != sentence && !swapped {
        let or_none = |sentence: &str| match sentence {
            "" => "no sentence".to_owned(),
            number => format!("sentence {number}"),
        };
        return PathOutcome::Contradiction(format!(
            "the folder says {}, the name {}",
            or_none(folder_sentence),
            or_none(sentence)
        ));
    }
    let published = match &fields["underscore"] {
        "_" => "s".to_owned(),
        _ => format!("s{number}"),
    };
    // The published key is the whole name with the extension of the release, even if this copy has another.
    let id = format!("{}.avi", fields.file.stem().to_ascii_lowercase());
    let row = Row::new(id, emo.as_str())
        .speaker(format!("s{subject}"))
        .published_speaker(published);
    if swapped || sentence.is_empty() {
        row.into()
    } else {
        row.text(format!("{emo}_{sentence}")).into()
    }
}
