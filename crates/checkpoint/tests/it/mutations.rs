//! Damaged copies of every golden file: whatever is read from them, nothing panics, hangs or grows.

use crate::builders::{golden, goldens, open};
use proptest::prelude::*;

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(goldens()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.ends_with(".pt"));
    names.sort();
    names
}

/// Opens the file and reads everything.
fn exhaust(bytes: &[u8]) {
    if let Ok(checkpoint) = open(bytes) {
        for name in checkpoint.names() {
            let expected: usize = checkpoint.shape(name).unwrap().iter().product();
            if let Ok(values) = checkpoint.read(name) {
                assert_eq!(values.len(), expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_changed_at_random(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let names = names();
        let mut bytes = golden(which.get(&names[..]).as_str());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        exhaust(&bytes);
    }

    #[test]
    fn pieces_cut_out_and_repeated(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        repeat in 0usize..3,
    ) {
        let names = names();
        let bytes = golden(which.get(&names[..]).as_str());
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let (from, to) = (from.min(to), from.max(to));
        let changed = [&bytes[..from], &bytes[from..to].repeat(repeat), &bytes[to..]].concat();
        exhaust(&changed);
    }

    #[test]
    fn pickles_of_random_instructions(
        instructions in prop::collection::vec(
            prop::sample::select(b"(.012NKq\x85\x86\x87)]}tlds\x90ebRoc\x93Q\x88\x94h\x8a".to_vec()), 0..200
        ),
    ) {
        let pickle = [b"\x80\x04", instructions.as_slice(), b"."].concat();
        exhaust(&crate::builders::archive(&pickle, &[]));
    }

    #[test]
    fn headers_of_random_text(header in "\\{[\"a:\\[\\]{},0-9]{0,60}", data in prop::collection::vec(any::<u8>(), 0..16)) {
        exhaust(&crate::builders::safetensors(&header, &data));
    }
}
