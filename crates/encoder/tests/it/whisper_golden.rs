//! Whisper with 80 and 128 bins, with generated weights (parity/encoder/whisper.py), in transformers' folders and in OpenAI's
//! own files.

use crate::batch::batch_is_one_by_one;
use crate::data2vec2_golden::file;
use crate::made::Golden;
use crate::speech_golden::{compare, open};

#[test]
fn every_hidden_state_is_that_of_transformers() {
    for name in ["whisper-80", "whisper-128"] {
        let golden = Golden::read(name);
        for prefix in ["model.encoder.", "encoder.", ""] {
            let folder = tempfile::tempdir().unwrap();
            golden.write_folder(folder.path(), |name| format!("{prefix}{name}"));
            compare(&golden, &open(folder.path()), name);
        }
        let encoder = open(&file(&format!("{name}.pt")));
        assert_eq!(encoder.info().unused, ["decoder.token_embedding.weight"]);
        compare(&golden, &encoder, name);
        batch_is_one_by_one(&encoder, name);
    }
}
