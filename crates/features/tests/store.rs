//! The store's guarantees: the same bytes in every case, nothing half-written, nothing silently reused.

use emobox_features::{
    Claim, ComputePrecision, FeatureError, FeatureNormalisation, HeldShards, HiddenView, Ledgers,
    SCHEMA, Shard, ShardClaim, ShardState, Share, Store, StoreHeader, StorePlan, StorePrecision,
    StoredItem, UtteranceOutcome, WorkItem, normalise, read_begun, remove_begun, save_begun,
    write_shard,
};
use emobox_files::Stamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

const LAYERS: [usize; 3] = [0, 1, 2];
const DIM: usize = 8;

fn header() -> StoreHeader {
    StoreHeader {
        schema: SCHEMA,
        corpus: "dummy".into(),
        encoder: "dummy-encoder".into(),
        weights_digest: "abc123".into(),
        layers: vec![2],
        pooled_layers: 3,
        perturbation: None,
        dim: DIM,
        hop: 320,
        precision: StorePrecision::F16,
        compute: ComputePrecision::F32,
        normalisation: FeatureNormalisation::Utterance,
        revision: 1,
        program_version: "0.1.0".into(),
    }
}

fn work(count: usize) -> Vec<WorkItem> {
    (0..count)
        .map(|i| WorkItem {
            key: format!("dummy-{i:04}"),
            frames: 3 + i % 5,
        })
        .collect()
}

/// Hidden states that depend on the key alone, `[layer, frame, dim]`.
fn hidden(item: &WorkItem) -> Vec<f32> {
    let salt = item.key.bytes().map(usize::from).sum::<usize>();
    (0..LAYERS.len() * item.frames * DIM)
        .map(|i| ((i * 31 + salt * 17) % 101) as f32 * 3.5 - 90.0)
        .collect()
}

fn encode(header: &StoreHeader, item: &WorkItem) -> UtteranceOutcome {
    if item.key.ends_with("13") {
        return UtteranceOutcome::Failed {
            key: item.key.clone(),
            reason: "cut short: 12 of 44 header bytes".into(),
        };
    }
    let data = hidden(item);
    let view = HiddenView {
        layers: &LAYERS,
        frames: item.frames,
        dim: DIM,
        data: &data,
    };
    UtteranceOutcome::Stored(StoredItem::new(header, &item.key, &view).unwrap())
}

/// The same file for every utterance: its content does not matter here.
fn audio(plan: &StorePlan) -> HashMap<String, Stamp> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store.rs");
    let stamp = Stamp::of(&file).unwrap();
    let items = plan.shards().iter().flat_map(|shard| plan.items(shard));
    items
        .map(|item| (item.key.clone(), stamp.clone()))
        .collect()
}

fn make(dir: &Path, plan: &StorePlan, shard: &Shard) {
    let outcomes: Vec<_> = plan
        .items(shard)
        .iter()
        .rev()
        .map(|item| encode(plan.header(), item))
        .collect();
    write_shard(dir, plan, shard, &outcomes, &audio(plan)).unwrap();
}

fn make_all(dir: &Path, plan: &StorePlan) {
    plan.begin(dir).unwrap();
    for shard in plan.missing_shards(dir, Share::ALL) {
        make(dir, plan, shard);
    }
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

fn first_file(dir: &Path, kind: &str) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(dir.join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.remove(0)
}

#[test]
fn what_is_stored_is_what_was_encoded() {
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(150)).unwrap();
    assert_eq!(plan.shards().len(), 3);
    make_all(dir.path(), &plan);
    let store = Store::open(dir.path(), &header()).unwrap();
    assert_eq!((store.len(), store.failures().len()), (148, 2));
    assert!(store.verify().is_empty());
    assert!(!store.is_empty() && store.contains("dummy-0000"));
    assert!(!store.contains("dummy-0013") && !store.contains("other"));
    let unknown = store.get("other").unwrap_err().to_string();
    assert!(!unknown.contains("cut short"), "{unknown}");
    let files = std::fs::read_dir(dir.path().join("frames")).unwrap();
    let bytes: u64 = files.map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(
        (store.frame_bytes(), store.frame_bytes_on_disk()),
        (bytes, bytes)
    );
    let mut buffer = Vec::new();
    for item in work(150) {
        if item.key.ends_with("13") {
            let message = store.get(&item.key).unwrap_err().to_string();
            assert!(message.contains("cut short"), "{message}");
            continue;
        }
        let raw = hidden(&item);
        let mut expected = raw[2 * item.frames * DIM..].to_vec();
        normalise(&mut expected, DIM, FeatureNormalisation::Utterance);
        let view = store.get(&item.key).unwrap();
        assert_eq!((view.layers, view.frames, view.dim), (1, item.frames, DIM));
        assert_eq!(store.frames(&item.key).unwrap(), item.frames);
        for (got, want) in view.to_f32().iter().zip(&expected) {
            assert!((got - want).abs() < 1e-3, "{got} {want}");
        }
        buffer.resize(2 * DIM, 0.0);
        store.read(&item.key, 0, 1..3, &mut buffer).unwrap();
        assert_eq!(buffer, view.part(0, 1..3).to_f32());
        let pooled = store.pooled(&item.key).unwrap().unwrap();
        let mean: f32 = raw.chunks(DIM).take(item.frames).map(|f| f[3]).sum::<f32>();
        assert!((pooled.mean(0)[3] - mean / item.frames as f32).abs() < 1e-4);
        let second = &raw[2 * item.frames * DIM..];
        let column: Vec<f32> = second.chunks(DIM).map(|frame| frame[5]).collect();
        let mean = column.iter().sum::<f32>() / item.frames as f32;
        let squares: f32 = column.iter().map(|x| (x - mean).powi(2)).sum();
        let deviation = (squares / item.frames as f32).sqrt();
        assert!((pooled.mean(2)[5] - mean).abs() < 1e-3);
        assert!((pooled.deviation(2)[5] - deviation).abs() < 1e-3);
    }
}

#[test]
fn several_layers_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let header = StoreHeader {
        layers: vec![0, 1, 2],
        pooled_layers: 0,
        perturbation: None,
        precision: StorePrecision::F32,
        normalisation: FeatureNormalisation::None,
        ..header()
    };
    let plan = StorePlan::new(header.clone(), work(3)).unwrap();
    make_all(dir.path(), &plan);
    let store = Store::open(dir.path(), &header).unwrap();
    let item = &work(3)[1];
    assert_eq!(store.get(&item.key).unwrap().to_f32(), hidden(item));
    let mut part = vec![0.0; 2 * DIM];
    for layer in LAYERS {
        let own = &hidden(item)[(layer * item.frames + 1) * DIM..][..2 * DIM];
        store.read(&item.key, layer, 1..3, &mut part).unwrap();
        assert_eq!(part, own);
        let view = store.get(&item.key).unwrap();
        assert_eq!(view.part(layer, 1..3).to_f32(), own);
        assert!(!view.is_empty() && view.part(layer, 1..1).is_empty());
    }
    assert!(store.pooled(&item.key).unwrap().is_none());
    assert!(!dir.path().join("pooled").exists());
}

#[test]
fn interruptions_and_order_leave_no_trace() {
    let calm = tempfile::tempdir().unwrap();
    let rough = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(400)).unwrap();
    make_all(calm.path(), &plan);

    let mut shuffled = work(400);
    shuffled.reverse();
    let plan = StorePlan::new(header(), shuffled).unwrap();
    // Machine 2 of 3 starts; then a run is killed between the two files of a shard, and a third continues.
    plan.begin(rough.path()).unwrap();
    for shard in plan.missing_shards(rough.path(), "2/3".parse().unwrap()) {
        make(rough.path(), &plan, shard);
    }
    std::fs::remove_file(first_file(rough.path(), "frames")).unwrap();
    make_all(rough.path(), &plan);
    assert_eq!(contents(calm.path()), contents(rough.path()));
}

/// A store in memory equals the store on disk: its numbers, its statistics, its failures, its digests. Only ledgers are written.
#[test]
fn shards_in_memory_are_what_would_be_written() {
    let plan = StorePlan::new(header(), work(200)).unwrap();
    let (disk, memory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make_all(disk.path(), &plan);
    let dir = memory.path();
    plan.begin(dir).unwrap();
    let held = HeldShards::default();
    let (first, others) = plan.shards().split_first().unwrap();
    assert!(others.len() > 1);
    for shard in others {
        assert!(!held.contains(dir, shard));
        let items = plan.items(shard).iter();
        let outcomes: Vec<_> = items.map(|item| encode(plan.header(), item)).collect();
        held.put(dir, &plan, shard, &outcomes, &audio(&plan))
            .unwrap();
        assert!(held.contains(dir, shard));
    }
    assert!(!dir.join("frames").exists() && !dir.join("pooled").exists());
    let incomplete = Store::open_held(dir, plan.header(), &held).unwrap_err();
    assert!(incomplete.to_string().contains("00000-"), "{incomplete}");
    // The rest may be on disk.
    make(dir, &plan, first);
    assert_eq!(Ledgers::read(dir, &plan), Ledgers::read(disk.path(), &plan));
    let written = Store::open(disk.path(), plan.header()).unwrap();
    let store = Store::open_held(dir, plan.header(), &held).unwrap();
    assert!(store.verify().is_empty());
    assert_eq!(store.failures(), written.failures());
    assert_eq!(store.frame_bytes(), written.frame_bytes());
    let of_first = std::fs::metadata(first_file(dir, "frames")).unwrap().len();
    assert_eq!(store.frame_bytes_on_disk(), of_first);
    assert_eq!(plan.bytes(&[]), 0);
    let all: Vec<&Shard> = plan.shards().iter().collect();
    assert!(plan.bytes(&all) > 200 * 3 * DIM * 2);
    let keys: Vec<&str> = store.keys().collect();
    assert_eq!(keys, written.keys().collect::<Vec<_>>());
    for key in keys {
        let (view, expected) = (store.get(key).unwrap(), written.get(key).unwrap());
        assert_eq!(view.to_f32(), expected.to_f32());
        let mut read = vec![0.0; 2 * DIM];
        store.read(key, 0, 1..3, &mut read).unwrap();
        assert_eq!(read, expected.part(0, 1..3).to_f32());
        let pooled = |store: &Store| store.pooled(key).unwrap().unwrap().data.to_vec();
        assert_eq!(pooled(&store), pooled(&written));
    }
}

#[test]
fn two_writers_share_the_work() {
    let calm = tempfile::tempdir().unwrap();
    let shared = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(640)).unwrap();
    make_all(calm.path(), &plan);
    let made = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                plan.begin(shared.path()).unwrap();
                for shard in plan.shards() {
                    let Claim::Ours(_claim) = ShardClaim::take(shared.path(), shard).unwrap()
                    else {
                        continue;
                    };
                    if plan.inspect(shared.path(), shard) == ShardState::Missing {
                        make(shared.path(), &plan, shard);
                        made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(made.into_inner(), plan.shards().len());
    assert_eq!(contents(calm.path()), contents(shared.path()));
}

#[test]
fn a_claim_is_exclusive_until_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(1)).unwrap();
    let shard = &plan.shards()[0];
    let held = ShardClaim::take(dir.path(), shard).unwrap();
    assert!(matches!(held, Claim::Ours(_)));
    assert!(matches!(
        ShardClaim::take(dir.path(), shard).unwrap(),
        Claim::Busy
    ));
    drop(held);
    drop(ShardClaim::wait(dir.path(), shard).unwrap());
    assert!(contents(dir.path()).is_empty());
}

#[test]
fn another_store_is_refused_with_the_difference_named() {
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(5)).unwrap();
    make_all(dir.path(), &plan);
    type Change = fn(&mut StoreHeader);
    let changes: [(Change, &str); 5] = [
        (
            |h| h.encoder = "other".into(),
            "encoder is \"dummy-encoder\" there, \"other\" was asked for",
        ),
        (
            |h| h.weights_digest = "def".into(),
            "digest of the weights is \"abc123\" there, \"def\" was",
        ),
        (
            |h| h.layers = vec![1],
            "list of stored layers is [2] there, [1] was",
        ),
        (
            |h| h.normalisation = FeatureNormalisation::Frame,
            "normalisation is utterance there, frame was",
        ),
        (
            |h| h.precision = StorePrecision::F32,
            "precision is f16 there, f32 was",
        ),
    ];
    for (change, expected) in changes {
        let mut other = header();
        change(&mut other);
        let message = Store::open(dir.path(), &other).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        let plan = StorePlan::new(other, work(5)).unwrap();
        assert!(
            plan.begin(dir.path()).is_err(),
            "writing is refused as well"
        );
    }
    let mut newer = header();
    newer.program_version = "9.9.9".into();
    assert!(Store::open(dir.path(), &newer).is_ok());
}

#[test]
fn damage_is_found_named_and_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(100)).unwrap();
    make_all(dir.path(), &plan);
    let whole = contents(dir.path());

    let cut = first_file(dir.path(), "frames");
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 7]).unwrap();
    let message = Store::open(dir.path(), &header()).unwrap_err().to_string();
    assert!(
        message.contains("is damaged")
            && message.contains(cut.file_name().unwrap().to_str().unwrap())
    );
    make_all(dir.path(), &plan);
    assert_eq!(contents(dir.path()), whole);

    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&cut, &flipped).unwrap();
    let store = Store::open(dir.path(), &header()).unwrap();
    let damage = store.verify();
    assert_eq!(damage.len(), 1);
    assert!(damage[0].to_string().contains("digest"));

    for length in [0, 3, 8, 200] {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let error = Store::open(dir.path(), &header()).unwrap_err();
        assert!(matches!(error, FeatureError::Damaged { .. }), "{error}");
    }
    std::fs::remove_file(&cut).unwrap();
    let message = Store::open(dir.path(), &header()).unwrap_err().to_string();
    assert!(message.contains("1 of 2 shards are missing"), "{message}");
}

#[test]
fn failures_are_kept_and_ledgers_outlive_features() {
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(100)).unwrap();
    make_all(dir.path(), &plan);
    assert!(plan.missing_shards(dir.path(), Share::ALL).is_empty());
    let states = plan.shards().iter().map(|s| plan.inspect(dir.path(), s));
    let failed = states.map(|state| match state {
        ShardState::Done { failed } => failed,
        other => panic!("{other:?}"),
    });
    assert_eq!(failed.sum::<usize>(), 1);

    plan.discard(dir.path()).unwrap();
    assert_eq!(
        plan.missing_shards(dir.path(), Share::ALL).len(),
        plan.shards().len()
    );
    let ledgers = Ledgers::read(dir.path(), &plan).unwrap();
    assert_eq!(ledgers.items.len(), 100);
    assert_eq!(ledgers.failures().count(), 1);
    let first = &plan.items(&plan.shards()[0])[0];
    assert_eq!(ledgers.frames(&first.key), Some(first.frames));
    assert_eq!(ledgers.frames("dummy-0013"), None);

    // A store whose one utterance failed is empty.
    let dir = tempfile::tempdir().unwrap();
    let plan = StorePlan::new(header(), work(14).split_off(13)).unwrap();
    make_all(dir.path(), &plan);
    let store = Store::open(dir.path(), &header()).unwrap();
    assert!(store.is_empty() && store.failures().len() == 1);
}

#[test]
fn a_new_work_list_leaves_old_shards_aside() {
    let dir = tempfile::tempdir().unwrap();
    make_all(dir.path(), &StorePlan::new(header(), work(70)).unwrap());
    let longer = StorePlan::new(header(), work(80)).unwrap();
    longer.begin(dir.path()).unwrap();
    let missing = longer.missing_shards(dir.path(), Share::ALL);
    assert_eq!(missing.len(), 1, "the first 64 utterances are unchanged");
    assert_eq!(longer.strays(dir.path()).unwrap().len(), 3);
    make_all(dir.path(), &longer);
    assert_eq!(Store::open(dir.path(), &header()).unwrap().len(), 79);
}

#[test]
fn what_cannot_be_stored_is_named() {
    let refused = |header: &StoreHeader, frames: usize, data: &[f32]| {
        let view = HiddenView {
            layers: &LAYERS,
            frames,
            dim: DIM,
            data,
        };
        StoredItem::new(header, "a-key", &view)
            .unwrap_err()
            .to_string()
    };
    let mut data = vec![1.0; 3 * 2 * DIM];
    data[2 * DIM + 5] = f32::NAN;
    let message = refused(&header(), 2, &data);
    assert!(
        message.contains("\"a-key\": layer 1, frame 0, dimension 5 is NaN"),
        "{message}"
    );
    assert!(refused(&header(), 0, &[]).contains("no frames"));
    assert!(refused(&header(), 2, &[0.0; 3]).contains("3 numbers do not fill"));
    let raw = StoreHeader {
        normalisation: FeatureNormalisation::None,
        ..header()
    };
    data[2 * DIM + 5] = 1.0;
    data[4 * DIM] = 1e5;
    assert!(refused(&raw, 2, &data).contains("does not fit f16"));
    let deep = StoreHeader {
        layers: vec![7],
        ..header()
    };
    assert!(refused(&deep, 2, &data).contains("layer 7 is wanted, only [0, 1, 2]"));
}

#[test]
fn wrong_work_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut twice = work(3);
    twice.push(twice[0].clone());
    let error = StorePlan::new(header(), twice).unwrap_err().to_string();
    assert!(error.contains("dummy-0000"), "{error}");
    let plan = StorePlan::new(header(), work(3)).unwrap();
    let shard = &plan.shards()[0];
    let outcomes: Vec<_> = plan
        .items(shard)
        .iter()
        .map(|i| encode(&header(), i))
        .collect();
    let error = write_shard(dir.path(), &plan, shard, &outcomes[1..], &audio(&plan)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no result for utterance \"dummy-0000\"")
    );
    for bad in ["0/3", "4/3", "x", "1/", "1/0"] {
        assert!(bad.parse::<Share>().is_err(), "{bad}");
    }
    let share: Share = "2/4".parse().unwrap();
    assert_eq!(share.to_string(), "2/4");
    // A part of the digests of jobs.
    let json = r#"{"part":2,"of":4}"#;
    assert_eq!(serde_json::to_string(&share).unwrap(), json);
    assert_eq!(serde_json::from_str::<Share>(json).unwrap(), share);
    for bad in [r#"{"part":0,"of":3}"#, r#"{"part":4,"of":3}"#] {
        assert!(serde_json::from_str::<Share>(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn shards_cover_the_work_once_whatever_its_order(
        frames in proptest::collection::vec(0usize..200_000, 0..300),
        machines in 1usize..5,
        seed in 0usize..1000,
    ) {
        let list: Vec<_> = frames.iter().enumerate()
            .map(|(i, &frames)| WorkItem { key: format!("k{i:03}"), frames })
            .collect();
        let mut moved = list.clone();
        if !moved.is_empty() {
            let turn = seed % moved.len();
            moved.rotate_left(turn);
        }
        let plan = StorePlan::new(header(), list).unwrap();
        let other = StorePlan::new(header(), moved).unwrap();
        prop_assert_eq!(plan.shards(), other.shards());
        let mut next = 0;
        for shard in plan.shards() {
            prop_assert_eq!(shard.items.start, next);
            prop_assert!(!shard.items.is_empty() && shard.items.len() <= 64);
            next = shard.items.end;
        }
        prop_assert_eq!(next, frames.len());
        let nowhere = Path::new("/nonexistent/emobox");
        let shares: usize = (1..=machines)
            .map(|i| format!("{i}/{machines}").parse::<Share>().unwrap())
            .map(|share| plan.missing_shards(nowhere, share).len())
            .sum();
        prop_assert_eq!(shares, plan.shards().len());
    }
}

/// Utterances that were saved come back as they were, the last result of each; a damaged file costs only itself.
#[test]
fn a_begun_shard_is_completed_to_the_same_bytes() {
    for (precision, pooled_layers) in [(StorePrecision::F16, 3), (StorePrecision::F32, 0)] {
        let header = StoreHeader {
            precision,
            pooled_layers,
            ..header()
        };
        let plan = StorePlan::new(header.clone(), work(20)).unwrap();
        let [whole, resumed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        make_all(whole.path(), &plan);
        let dir = resumed.path();
        plan.begin(dir).unwrap();
        let (shard, audio) = (&plan.shards()[0], audio(&plan));
        let encode = |item: &WorkItem| encode(&header, item);
        let outcomes: Vec<UtteranceOutcome> = plan.items(shard).iter().map(encode).collect();
        let save = |range: std::ops::Range<usize>| {
            let results = outcomes[range].iter();
            let results: Vec<_> = results.map(|o| (o, &audio[o.key()])).collect();
            save_begun(dir, &plan, shard, &results).unwrap();
        };
        // The utterance without features, 13, is in the last.
        for range in [0..4, 4..9, 2..3, 9..15] {
            save(range);
        }
        let torn = first_file(dir, "begun");
        let bytes = std::fs::read(&torn).unwrap();
        std::fs::write(&torn, &bytes[..bytes.len() - 1]).unwrap();
        let begun = read_begun(dir, &plan, shard);
        let mut keys: Vec<&str> = begun.iter().map(|(outcome, _)| outcome.key()).collect();
        keys.sort_unstable();
        let expected: Vec<&str> = [2]
            .into_iter()
            .chain(4..15)
            .map(|i| outcomes[i].key())
            .collect();
        assert_eq!(keys, expected);
        // Of another shard, nothing: its files are told apart by their names, whatever shares their folder.
        let longer = StorePlan::new(header.clone(), work(150)).unwrap();
        assert!(read_begun(dir, &longer, &longer.shards()[1]).is_empty());
        // Another header, another store.
        let other = StoreHeader {
            revision: 2,
            ..header.clone()
        };
        let other = StorePlan::new(other, work(20)).unwrap();
        assert!(read_begun(dir, &other, shard).is_empty());

        let rest = outcomes.iter().filter(|o| !expected.contains(&o.key()));
        let mut outcomes: Vec<UtteranceOutcome> =
            begun.iter().map(|(outcome, _)| outcome.clone()).collect();
        outcomes.extend(rest.cloned());
        write_shard(dir, &plan, shard, &outcomes, &audio).unwrap();
        remove_begun(dir, shard).unwrap();
        assert_eq!(std::fs::read_dir(dir.join("begun")).unwrap().count(), 0);
        plan.remove_strays(dir).unwrap();
        assert!(!dir.join("begun").exists());
        assert!(contents(whole.path()) == contents(dir), "a file differs");
    }
}

#[test]
fn the_files_of_a_share_are_those_that_are_written() {
    for pooled_layers in [3, 0] {
        let header = StoreHeader {
            pooled_layers,
            ..header()
        };
        let plan = StorePlan::new(header, work(150)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        make_all(dir, &plan);
        let mut files = plan.files(dir, Share::ALL);
        assert_eq!(files[0], dir.join("store.json"));
        files.sort();
        let there: Vec<PathBuf> = contents(dir).into_keys().map(|f| dir.join(f)).collect();
        assert_eq!(files, there);
        let halves = [1, 2].map(|part| plan.files(dir, Share::new(part, 2).unwrap()));
        let mut both = halves.concat();
        both.sort();
        both.dedup();
        assert_eq!(both, files);
        assert!(halves[1].len() < halves[0].len());

        // What is forgotten, or lacks one kind of its files, is made again.
        let shard = &plan.shards()[1];
        plan.forget(dir, shard).unwrap();
        assert_eq!(plan.missing_shards(dir, Share::ALL), [shard]);
        make(dir, &plan, shard);
        assert!(plan.missing_shards(dir, Share::ALL).is_empty());
        if pooled_layers > 0 {
            std::fs::remove_file(first_file(dir, "pooled")).unwrap();
            assert_eq!(plan.missing_shards(dir, Share::ALL), [&plan.shards()[0]]);
        }
    }
}

#[test]
fn sizes_are_those_of_the_bytes() {
    let plan = StorePlan::new(header(), work(12)).unwrap();
    let sizes = work(12).into_iter().map(|item| {
        let UtteranceOutcome::Stored(stored) = encode(&header(), &item) else {
            panic!("{} is stored", item.key);
        };
        // 16 bits for each frame of one layer; means and deviations of three layers, in 32 bits.
        let bytes = 2 * item.frames * DIM + 4 * 2 * LAYERS.len() * DIM;
        assert_eq!(
            (stored.key(), stored.frames()),
            (item.key.as_str(), item.frames)
        );
        assert_eq!(stored.size(), bytes);
        bytes
    });
    let whole: usize = sizes.sum();
    let shards: Vec<&Shard> = plan.shards().iter().collect();
    assert_eq!(plan.bytes(&shards), whole);
}

#[test]
fn shards_are_named_by_everything_that_made_them() {
    let file = |change: &dyn Fn(&mut StoreHeader)| {
        let mut header = header();
        change(&mut header);
        StorePlan::new(header, work(3)).unwrap().shards()[0]
            .file
            .clone()
    };
    let own = file(&|_| {});
    let changes: [&dyn Fn(&mut StoreHeader); 9] = [
        &|h| h.corpus = "other".into(),
        &|h| h.encoder = "other".into(),
        &|h| h.weights_digest = "other".into(),
        &|h| h.layers = vec![1],
        &|h| h.perturbation = Some("noise".into()),
        &|h| h.precision = StorePrecision::F32,
        &|h| h.compute = ComputePrecision::Bf16,
        &|h| h.normalisation = FeatureNormalisation::None,
        &|h| h.revision = 2,
    ];
    for change in changes {
        assert_ne!(file(change), own);
    }
    assert_eq!(file(&|h| h.program_version = "9".into()), own);
}

#[test]
fn names_in_folders_are_those_in_json() {
    let json = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    for value in [StorePrecision::F16, StorePrecision::F32] {
        assert_eq!(json(serde_json::to_value(value).unwrap()), value.name());
    }
    for value in [
        ComputePrecision::F32,
        ComputePrecision::Bf16,
        ComputePrecision::F16,
    ] {
        assert_eq!(json(serde_json::to_value(value).unwrap()), value.name());
    }
    for value in [
        FeatureNormalisation::Utterance,
        FeatureNormalisation::Frame,
        FeatureNormalisation::None,
    ] {
        assert_eq!(json(serde_json::to_value(value).unwrap()), value.name());
    }
}

#[test]
fn a_shard_is_closed_at_16_mib_or_64_utterances() {
    // A frame of one layer takes 16 bytes.
    let half = (8 << 20) / (2 * DIM);
    let shards = |frames: &[usize]| -> Vec<usize> {
        let item = |(i, frames): (usize, &usize)| WorkItem {
            key: format!("{i:03}"),
            frames: *frames,
        };
        let work = frames.iter().enumerate().map(item).collect();
        let plan = StorePlan::new(header(), work).unwrap();
        plan.shards()
            .iter()
            .map(|shard| plan.items(shard).len())
            .collect()
    };
    assert_eq!(shards(&[half; 5]), [2, 2, 1]);
    assert_eq!(shards(&[half, half + 1, half]), [1, 1, 1]);
    assert_eq!(shards(&[half - 1, half + 1, 1]), [2, 1]);
    assert_eq!(shards(&[3 * half, 1, 3 * half]), [1, 1, 1]);
    assert_eq!(shards(&[1; 129]), [64, 64, 1]);
}
