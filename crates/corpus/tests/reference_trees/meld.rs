use crate::harness::{Published, put};
use std::fmt::Write;
use std::path::Path;

const HEADER: &str = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\r\n";

pub(crate) fn write(rows: &[Published], root: &Path) {
    for (folder, table) in [
        ("train/train_splits/", "train/train_sent_emo.csv"),
        ("dev_splits_complete/", "dev_sent_emo.csv"),
        ("output_repeated_splits_test/", "test_sent_emo.csv"),
    ] {
        let mut text = HEADER.to_owned();
        // Two clips cannot be read; one of them exists nevertheless.
        if folder.starts_with("train") {
            put(root, "train/train_splits/dia125_utt3.mp4", "");
            text += "9,Hi,Ross,joy,positive,125,3,1,1,\"0:0:0,1\",\"0:0:0,2\"\r\n";
        } else if folder.starts_with("dev") {
            text += "9,Hi,Ross,joy,positive,110,7,1,1,\"0:0:0,1\",\"0:0:0,2\"\r\n";
        }
        for row in rows {
            let Some(clip) = row.path.strip_prefix(folder) else {
                continue;
            };
            let (dialogue, utterance) = clip.split_once('_').unwrap();
            let dialogue = &dialogue["dia".len()..];
            let utterance = utterance["utt".len()..].strip_suffix(".mp4").unwrap();
            let speaker = match row.key.as_str() {
                "meld-dia556_utt6-train" => "Joey".to_owned(),
                _ => row.speaker.replace('-', " ").replace('\u{92}', "’"),
            };
            let emotion = &row.raw_label;
            write!(
                text,
                "1,\"Well, he said \"\"no\"\".\",{speaker},{emotion},neutral,{dialogue},{utterance},8,21,\"00:16:16,059\",\"00:16:21,731\"\r\n"
            )
            .unwrap();
        }
        put(root, table, text);
    }
    put(
        root,
        "output_repeated_splits_test/final_videos_testdia0_utt0.mp4",
        "",
    );
    put(root, "output_repeated_splits_test/._dia0_utt0.mp4", "");
}
