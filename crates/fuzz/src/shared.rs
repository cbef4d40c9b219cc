//! Readers of what comes over the network: archives of corpora and submissions of others.

use emobox_fetch::{Continue, Limits, unpack};
use emobox_score::{InferenceOptions, Reference, ReferenceItem, Rules, Submission, verify};
use std::path::Path;
use std::sync::LazyLock;

/// A downloaded archive, unpacked: nothing may be written outside its folder, nor more than the limits allow.
pub(crate) fn download(input: &[u8]) {
    const FREE: u64 = 1 << 20;
    let root = crate::folder().join("download");
    let (archive, inside) = (root.join("release.bin"), root.join("inside"));
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(&archive, input).unwrap();
    let limits = Limits {
        free_bytes: FREE,
        ratio: 2,
        entries: 1000,
    };
    if let Err(error) = unpack(&archive, &inside, &limits, &mut |_| Continue::Yes) {
        assert!(!error.to_string().is_empty());
    }
    let beside = std::fs::read_dir(&root).unwrap().count();
    assert!(beside <= 2, "{beside} entries beside the archive");
    let written = bytes_below(&inside);
    let most = FREE + 2 * input.len() as u64;
    assert!(written <= most, "{written} bytes from {}", input.len());
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

const HONEST: &str = include_str!("../seeds/submission.json");

/// What the honest submission must hold.
static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let honest: Submission = serde_json::from_str(HONEST).expect("the seed is a submission");
    let entry = &honest.entries[0];
    let item = |p: &emobox_score::Prediction| ReferenceItem {
        key: p.key.clone(),
        fold: p.fold,
        label: p.label.clone(),
        speaker: p.speaker.clone(),
        gender: p.gender.clone(),
    };
    Reference {
        corpus: entry.corpus.clone(),
        partition: entry.partition.clone(),
        protocol: entry.protocol.clone(),
        manifest_digest: entry.manifest_digest.clone(),
        partition_digest: entry.partition_digest.clone(),
        classes: entry.classes.clone(),
        items: entry.predictions.iter().map(item).collect(),
        audit: None,
    }
});

/// A submission, verified: also one whose digest was made to fit, so that its scores are computed again.
pub(crate) fn submission(input: &[u8]) {
    let Ok(submission) = serde_json::from_slice::<Submission>(input) else {
        return;
    };
    let submission = submission.seal();
    let rules = Rules {
        options: InferenceOptions::default(),
        ..Rules::default()
    };
    if let Err(refusals) = verify(&submission, std::slice::from_ref(&*REFERENCE), &rules) {
        assert!(!refusals.is_empty());
        assert!(refusals.iter().all(|r| !r.to_string().is_empty()));
    }
}
