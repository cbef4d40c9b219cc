//! RAVDESS: everything is in the file name, seven numbers, `03-01-05-01-02-01-18.wav`.

use crate::card::{Access, Archive, Card, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, PathOutcome, Recipe, Row};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "ravdess",
        title: "RAVDESS",
        full_name: "Ryerson Audio-Visual Database of Emotional Speech and Song",
        languages: &["English"],
        source: Source::Act,
        recording: "Twelve women and twelve men, actors from Toronto, speak two sentences in seven emotions at two intensities \
                    and in a neutral voice, twice each.",
        table1: Table1 {
            classes: 8,
            speakers: Some(24),
            utterances: 1440,
            hours: 1.5,
        },
        labels: &[
            ("Angry", "Angry"),
            ("Surprised", "Surprise"),
            ("Sad", "Sad"),
            ("Disgust", "Disgust"),
            ("Happy", "Happy"),
            ("Calm", "Calm"),
            ("Neutral", "Neutral"),
            ("Fearful", "Fear"),
        ],
        licence: "CC BY-NC-SA 4.0",
        access: Access::Open {
            page: "https://zenodo.org/records/1188976",
            archives: &[Archive {
                address: "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
                bytes: None,
                checksum: Some("md5:bc696df654c87fed845eb13823edef8a"),
            }],
        },
        homepage: "https://zenodo.org/records/1188976",
        citation: "Livingstone, Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS). PLOS ONE 13 (5), 2018",
        layout: "Audio_Speech_Actors_01-24/\n  Actor_18/\n    03-01-05-01-02-01-18.wav   audio, speech, 05 = angry, intensity 1, sentence 2, first time, actor 18\n    …                          60 files\n  Actor_01/ … Actor_24/",
        audio: "wav, 48 kHz, 16 bit; channel 1 is used",
        expected: &[("", 1440)],
        scale: None,
        folds: PublishedFolds::SpeakerLists(&[
            &["01", "11", "20", "21"],
            &["04", "10", "12", "14"],
            &["08", "09", "19", "23"],
            &["03", "05", "07", "24"],
            &["02", "15", "16", "18"],
            &["06", "13", "17", "22"],
        ]),
        differences: &[],
        notes: &[
            "song and video are left out by rule",
            "neutral has one intensity only, so it has half as many utterances as the other classes",
            "all actors speak the same two sentences, so train and test share the texts",
            "the published partition has 6 folds where the paper's rule says 4; of 4 test actors 3, 0, 3, 3, 1, 2 are men",
        ],
    },
    grammar: &[
        r"(?:Actor_(?P<folder>\d{2})/)?(?P<modality>0[1-3])-(?P<vocal>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<speaker>0[1-9]|1\d|2[0-4])\.(?:wav|mp4)",
    ],
    recipe: Recipe::Paths(read),
};

/// Raw labels by number, from 01.
const EMOTIONS: [&str; 8] = [
    "Neutral",
    "Calm",
    "Happy",
    "Sad",
    "Angry",
    "Fearful",
    "Disgust",
    "Surprised",
];

fn read(fields: &Fields<'_>) -> PathOutcome {
    if &fields["modality"] != "03" {
        return PathOutcome::LeaveOut("video: the published corpus uses the audio files");
    }
    if &fields["vocal"] != "01" {
        return PathOutcome::LeaveOut("song: the published corpus uses speech");
    }
    let (folder, speaker) = (&fields["folder"], &fields["speaker"]);
    if fields.has("folder") && folder != speaker {
        return PathOutcome::Contradiction(format!(
            "the folder says actor {folder}, the name {speaker}"
        ));
    }
    let number = &fields["emotion"];
    let index = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let Some(emo) = index.and_then(|index| EMOTIONS.get(index)) else {
        return PathOutcome::Contradiction(format!("emotion {number} is none of 01 to 08"));
    };
    if *emo == "Neutral" && &fields["intensity"] == "02" {
        return PathOutcome::Contradiction("neutral (01) has no strong intensity (02)".to_owned());
    }
    // Odd numbers are men.
    let gender = if speaker.ends_with(['1', '3', '5', '7', '9']) {
        Gender::Male
    } else {
        Gender::Female
    };
    let text = match &fields["statement"] {
        "01" => "Kids are talking by the door",
        _ => "Dogs are sitting by the door",
    };
    Row::new(fields.file.stem(), *emo)
        .speaker(speaker)
        .gender(gender)
        .text(text)
        .into()
}
