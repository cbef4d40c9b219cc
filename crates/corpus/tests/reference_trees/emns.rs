use crate::harness::{Published, put};
use std::fmt::Write;
use std::path::Path;

pub(crate) fn write(rows: &[Published], root: &Path) {
    let mut table = "id|utterance|description|emotion|date_created|status|gender|age|level|audio_recording|user_id\n".to_owned();
    for (id, row) in rows.iter().enumerate() {
        let name = row.path.rsplit('/').next().unwrap();
        let emotion = match row.raw_label.as_str() {
            "Surprise" => "Surprised",
            other => other,
        };
        writeln!(table, "{id}|You, here?|As if **you** were not expected|{emotion}|2022-05-01|Complete|Female|20's|7|wavs/{name}|3").unwrap();
    }
    // Described, but without a cleaned recording.
    table +=
        "9999|Gone.||Sad|2022-05-01|Complete|Female|20's|7|wavs/recorded_audio_zzzzzzz.webm|3\n";
    put(root, "metadata.csv", table);
    put(root, "raw_webm/recorded_audio_zzzzzzz.webm", "");
}
