//! IEMOCAP: the turns are in `sentences/wav`, their labels in `dialog/EmoEvaluation`, their words in `dialog/transcriptions`.

use crate::card::{Access, Card, Difference, PublishedFolds, Source, Table1};
use crate::recipe::{Entry, Fields, Gender, Harvest, Recipe, Row};
use crate::{CorpusError, LineProblem, RawFile, RawTree};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) const ENTRY: Entry = Entry {
    card: Card {
        name: "iemocap",
        title: "IEMOCAP",
        full_name: "Interactive Emotional Dyadic Motion Capture database",
        languages: &["English"],
        source: Source::Act,
        recording: "Ten actors in five sessions of one woman and one man play scripts and improvise scenes; the dialogues \
                    are cut into turns, and at least three listeners label each turn.",
        table1: Table1 {
            classes: 5,
            speakers: Some(10),
            utterances: 5531,
            hours: 7.0,
        },
        labels: &[
            ("ang", "Angry"),
            ("exc", "Happy"),
            ("hap", "Happy"),
            ("neu", "Neutral"),
            ("sad", "Sad"),
        ],
        licence: "data release form of the SAIL laboratory, University of Southern California; research only",
        access: Access::Request {
            page: "https://sail.usc.edu/iemocap/",
            how: "fill in the data release form of that page; a link to the full release follows",
        },
        homepage: "https://sail.usc.edu/iemocap/",
        citation: "Busso et al.: IEMOCAP: Interactive emotional dyadic motion capture database. Language Resources and Evaluation 42, 2008",
        layout: "Session1/\n  sentences/wav/Ses01F_impro01/\n    Ses01F_impro01_M003.wav   session 1, the woman wears the markers, the man speaks\n  dialog/EmoEvaluation/\n    Ses01F_impro01.txt        label of each turn\n  dialog/transcriptions/\n    Ses01F_impro01.txt        words of each turn (may be absent)\nSession2/ … Session5/",
        audio: "wav, 16 kHz, 16 bit, mono",
        expected: &[
            ("Session1/sentences/wav", 1819),
            ("Session2/sentences/wav", 1811),
            ("Session3/sentences/wav", 2136),
            ("Session4/sentences/wav", 2103),
            ("Session5/sentences/wav", 2170),
        ],
        scale: Some((1.0, 5.0)),
        folds: PublishedFolds::OfficialGroups(&[
            "session1", "session2", "session3", "session4", "session5",
        ]),
        differences: &[Difference {
            field: "speaker",
            published: "Ses01F and so on: the session and the actor who wears the motion-capture markers, which in 2750 of 5531 rows is not the one who speaks",
            ours: "Ses01_F and so on: the session and the letter before the number of the turn, who speaks",
        }],
        notes: &[
            "of the 10,039 turns the published corpus keeps the 5531 labelled ang, exc, hap, neu or sad; frustrated, surprised, fearful, disgusted, other and disputed turns are left out",
            "Table 1 of the paper prints 5 emotions; excited and happy are both mapped to Happy, which leaves 4",
            "one turn is longer than 30 s (34.1 s)",
            "a listener may name several classes, each of which is one vote; only outside listeners (C-E) vote, not the actors on themselves",
        ],
    },
    grammar: &[
        r"Session(?P<folder_session>[1-5])/sentences/wav/(?P<folder>[^/]+)/(?P<dialogue>Ses0(?P<session>[1-5])(?P<markers>[FM])_(?P<scene>impro\d{2}[ab]?|script\d{2}_\d[ab]?))_(?P<speaker>[FM])(?P<number>\d{3})\.wav",
        r"dialog/(?:[^/]+/)*(?P<whole>Ses0[1-5][FM]_(?:impro|script)\w+)\.(?:wav|avi|mp4)",
    ],
    recipe: Recipe::Tree(read),
};

/// One line of an evaluation.
struct Evaluation {
    turn: String,
    emo: String,
    /// Valence, activation and dominance as written.
    ratings: [String; 3],
    votes: BTreeMap<String, u32>,
    source: String,
}

fn read(harvest: &mut Harvest<'_>) -> Result<(), CorpusError> {
    let tree = harvest.tree();
    let evaluations = evaluations(tree, harvest.card().name)?;
    let mut by_turn: HashMap<String, Vec<&Evaluation>> = HashMap::new();
    for evaluation in &evaluations {
        let turn = evaluation.turn.to_ascii_lowercase();
        by_turn.entry(turn).or_default().push(evaluation);
    }
    let words = transcriptions(tree)?;
    for fields in harvest.fitting() {
        if fields.has("whole") {
            harvest.leave_out(fields.file, "the recording of a whole dialogue");
            continue;
        }
        let turn = fields.file.stem().to_ascii_lowercase();
        let evaluations = by_turn.remove(&turn).unwrap_or_default();
        match label(&fields, &evaluations) {
            Label::Kept(emo) => {
                let Evaluation {
                    ratings,
                    votes,
                    source,
                    ..
                } = evaluations[0];
                let dimensions = ratings.each_ref().map(|text| harvest.rating(source, text));
                let row = row(&fields, emo)
                    .dimensions(dimensions)
                    .votes(votes.clone());
                let text = words.get(&turn);
                let row = text.map_or(row.clone(), |text| row.text(text.as_str()));
                harvest.row(fields.file, row);
            }
            Label::LeftOut(reason) => harvest.leave_out_expected(fields.file, reason),
            Label::Unclear(message) => harvest.contradiction(fields.file, message),
        }
    }
    for evaluation in &evaluations {
        if by_turn.contains_key(&evaluation.turn.to_ascii_lowercase()) {
            let turn = evaluation.turn.as_str();
            let dialogue = turn.rsplit_once('_').map_or(turn, |(dialogue, _)| dialogue);
            harvest.missing(
                format!("sentences/wav/{dialogue}/{turn}.wav"),
                evaluation.source.as_str(),
            );
        }
    }
    Ok(())
}

enum Label<'a> {
    Kept(&'a str),
    LeftOut(&'static str),
    Unclear(String),
}

fn label<'a>(fields: &Fields<'_>, evaluations: &[&'a Evaluation]) -> Label<'a> {
    let differ = |one: &str, other: &str| !one.eq_ignore_ascii_case(other);
    let [folder_session, session, folder, dialogue] =
        ["folder_session", "session", "folder", "dialogue"].map(|group| &fields[group]);
    if differ(folder_session, session) || differ(folder, dialogue) {
        return Label::Unclear(format!(
            "the folders say session {folder_session}, {folder}; the name says session {session}, {dialogue}"
        ));
    }
    let Some((first, rest)) = evaluations.split_first() else {
        return Label::Unclear(
            "no file in dialog/EmoEvaluation has a line for this turn".to_owned(),
        );
    };
    if let Some(other) = rest.iter().find(|other| other.emo != first.emo) {
        return Label::Unclear(format!(
            "{} says {}, {} says {}",
            first.source, first.emo, other.source, other.emo
        ));
    }
    match first.emo.as_str() {
        emo @ ("ang" | "exc" | "hap" | "neu" | "sad") => Label::Kept(emo),
        "fru" => Label::LeftOut("labelled frustrated (fru), no class of the published corpus"),
        "sur" => Label::LeftOut("labelled surprised (sur), no class of the published corpus"),
        "fea" => Label::LeftOut("labelled fearful (fea), no class of the published corpus"),
        "dis" => Label::LeftOut("labelled disgusted (dis), no class of the published corpus"),
        "oth" => Label::LeftOut("labelled other (oth), no class of the published corpus"),
        "xxx" => Label::LeftOut("the listeners did not agree on a label (xxx)"),
        emo => Label::Unclear(format!(
            "{} says {emo:?}, which is none of ang, dis, exc, fea, fru, hap, neu, oth, sad, sur, xxx",
            first.source
        )),
    }
}

fn row(fields: &Fields<'_>, emo: &str) -> Row {
    let session = &fields["session"];
    let [markers, speaker] = ["markers", "speaker"].map(|group| fields[group].to_ascii_uppercase());
    let (scene, number) = (fields["scene"].to_ascii_lowercase(), &fields["number"]);
    Row::new(
        format!("Ses0{session}{markers}_{scene}_{speaker}{number}"),
        emo,
    )
    .speaker(format!("Ses0{session}_{speaker}"))
    .published_speaker(format!("Ses0{session}{markers}"))
    .gender(Gender::parse(&speaker))
    .split(format!("session{session}"))
}

/// The text files directly in a folder with this name.
fn files_in<'a>(tree: &'a RawTree, folder: &'a str) -> impl Iterator<Item = &'a RawFile> {
    tree.files().iter().filter(move |file| {
        let parent = file.composed().rsplit('/').nth(1);
        file.extension() == "txt" && parent.is_some_and(|name| name.eq_ignore_ascii_case(folder))
    })
}

/// The lines `[start - end]<tab>turn<tab>label<tab>[valence, activation, dominance]`; below each, lines
/// `C-E2:<tab>Neutral; Anger;<tab>(comment)` give the classes chosen by a listener. (`C-F1` and `C-M1` are the actors' own
/// assessments.)
fn evaluations(tree: &RawTree, corpus: &str) -> Result<Vec<Evaluation>, CorpusError> {
    let mut list = Vec::new();
    for file in files_in(tree, "EmoEvaluation") {
        let mut problems = Vec::new();
        // The turn that the following lines belong to.
        let mut turn: Option<usize> = None;
        for (line, text) in (1..).zip(tree.read_text(file)?.lines()) {
            let Some(text) = text.strip_prefix('[') else {
                if let Some((turn, vote)) = turn.and_then(|turn| list.get_mut(turn)).zip(vote(text))
                {
                    let turn: &mut Evaluation = turn;
                    for class in vote {
                        *turn.votes.entry(class).or_default() += 1;
                    }
                }
                continue;
            };
            let words = text.split_once(']').map(|(_, rest)| rest.trim_start());
            let words = words.unwrap_or_default();
            let ratings = words.split_once('[').map_or("", |(_, rest)| rest);
            let mut ratings = ratings.trim_end_matches(']').split(',');
            let ratings = [(); 3].map(|()| ratings.next().unwrap_or_default().trim().to_owned());
            turn = Some(list.len());
            let mut words = words.split_whitespace();
            match (words.next(), words.next()) {
                (Some(turn), Some(emo)) if !emo.starts_with('[') => list.push(Evaluation {
                    turn: turn.to_owned(),
                    emo: emo.to_ascii_lowercase(),
                    ratings,
                    votes: BTreeMap::new(),
                    source: format!("{} line {line}", file.path()),
                }),
                _ => problems.push(LineProblem {
                    line,
                    message: format!("[start - end], turn and label expected, found [{text:?}"),
                }),
            }
        }
        if !problems.is_empty() {
            let path = tree.locate(file);
            return Err(CorpusError::Lines { path, problems });
        }
    }
    if list.is_empty() {
        tree.side_file(corpus, &["dialog/EmoEvaluation/Ses01F_impro01.txt"])?;
    }
    Ok(list)
}

/// The classes chosen by one listener, without repetition; `None` for other lines.
fn vote(line: &str) -> Option<BTreeSet<String>> {
    let (who, rest) = line.split_once(':')?;
    if !who.to_ascii_uppercase().starts_with("C-E") {
        return None;
    }
    let words = rest.split_once('(').map_or(rest, |(words, _)| words);
    let class = |word: &str| match word.to_ascii_lowercase().as_str() {
        "anger" => "Angry".to_owned(),
        "happiness" | "excited" => "Happy".to_owned(),
        "neutral" | "neutral state" => "Neutral".to_owned(),
        "sadness" => "Sad".to_owned(),
        _ => word.to_owned(),
    };
    let words = words.split(';').map(str::trim);
    Some(words.filter(|word| !word.is_empty()).map(class).collect())
}

/// The lines `turn [start-end]: words`, by turn in lower case.
fn transcriptions(tree: &RawTree) -> Result<HashMap<String, String>, CorpusError> {
    let mut words = HashMap::new();
    for file in files_in(tree, "transcriptions") {
        for line in tree.read_text(file)?.lines() {
            if let Some((turn, rest)) = line.split_once(" [")
                && let Some((_, text)) = rest.split_once("]:")
            {
                words.insert(turn.trim().to_ascii_lowercase(), text.trim().to_owned());
            }
        }
    }
    Ok(words)
}
