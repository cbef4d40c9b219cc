use crate::builders::{Pickle, Zip, archive, floats, golden, open, refusal, safetensors};
use emobox_checkpoint::CheckpointError as Error;

/// A tensor record of a safetensors header.
fn record(dtype: &str, shape: &str, begin: u64, end: u64) -> String {
    format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
}

#[test]
fn a_pickle_that_would_run_something_is_refused_by_name() {
    for (file, class) in [
        ("hostile_os_system", "posix.system"),
        ("hostile_eval", "__builtin__.eval"),
        // Protocol 2 spells it as Python 2 did.
        ("hostile_popen", "commands.Popen"),
        ("hostile_nested_load", "torch.storage._load_from_bytes"),
    ] {
        for ending in [".pt", "_legacy.pt"] {
            let error = refusal(&golden(&format!("{file}{ending}")));
            let message = error.to_string();
            assert!(
                matches!(&error, Error::RefusedClass { class: found, .. } if found == class),
                "{message}"
            );
            for part in [class, "file.pt", "Nothing was run", "safetensors"] {
                assert!(message.contains(part), "{message}");
            }
        }
    }
}

/// The same call through each instruction that can make one; if run, it would leave a trace.
#[test]
fn every_way_to_call_is_refused_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let command = format!("touch {}", trace.display());
    let ways: [Vec<u8>; 6] = [
        Pickle::new()
            .class("os", "system")
            .op(b"(")
            .text(&command)
            .op(b"tR")
            .finish(),
        Pickle::new()
            .text("os")
            .text("system")
            .op(b"\x93(")
            .text(&command)
            .op(b"tR")
            .finish(),
        Pickle::new()
            .op(b"(")
            .text(&command)
            .op(b"ios\nsystem\n")
            .finish(),
        Pickle::new()
            .op(b"(")
            .class("os", "system")
            .text(&command)
            .op(b"o")
            .finish(),
        Pickle::new()
            .class("os", "system")
            .op(b"(")
            .text(&command)
            .op(b"t\x81")
            .finish(),
        Pickle::new()
            .class("os", "system")
            .op(b"(")
            .text(&command)
            .op(b"t}\x92")
            .finish(),
    ];
    for pickle in ways {
        let error = refusal(&archive(&pickle, &[]));
        assert!(
            matches!(&error, Error::RefusedClass { class, .. } if class == "os.system"),
            "{error}"
        );
    }
    let message = refusal(&golden("hostile_os_system.pt")).to_string();
    assert!(message.contains("os.system"), "{message}");
    // A path through the attributes of an allowed module.
    let walk = Pickle::new()
        .text("fairseq.utils")
        .text("os.system")
        .op(b"\x93")
        .finish();
    assert!(matches!(
        refusal(&archive(&walk, &[])),
        Error::RefusedClass { .. }
    ));
    // By number, which only a registry of a running Python resolves.
    let numbered = Pickle::new().op(b"\x82\x01").finish();
    assert!(matches!(
        refusal(&archive(&numbered, &[])),
        Error::Malformed { .. }
    ));
    assert!(!trace.exists());
}

#[test]
fn compressed_and_scripted_archives_are_told_apart() {
    let error = refusal(&golden("compressed.pt"));
    assert!(matches!(error, Error::Compressed { .. }), "{error}");
    let message = refusal(&golden("torchscript.pt")).to_string();
    assert!(message.contains("TorchScript"), "{message}");
    let plain = Zip::new().entry("a.npy", b"x").finish();
    assert!(refusal(&plain).to_string().contains("data.pkl"));
}

#[test]
fn a_zip_bomb_claims_in_vain() {
    // 40 bytes that claim to become 4 GB, and many entries on the same bytes.
    let bomb = Zip::new()
        .entry("x/data.pkl", &Pickle::state("0", 1, 0, &[1], &[1]))
        .entry("x/y", &[0; 40])
        .record("x/data/0", 0, 40, 4_000_000_000, 8)
        .finish();
    assert!(matches!(
        refusal(&bomb),
        Error::Overlap { .. } | Error::Compressed { .. }
    ));
    let mut overlapping = Zip::new().entry("x/data.pkl", &Pickle::state("0", 1, 0, &[1], &[1]));
    overlapping = overlapping.entry("x/data/0", &floats(&[1.0; 100]));
    let at = 30 + 10 + Pickle::state("0", 1, 0, &[1], &[1]).len() as u32;
    for copy in 1..50 {
        overlapping = overlapping.record(&format!("x/data/{copy}"), at, 400, 400, 0);
    }
    assert!(matches!(
        refusal(&overlapping.finish()),
        Error::Overlap { .. }
    ));
    // Stored, but larger than the file.
    let stored = Zip::new()
        .entry("x/data.pkl", &Pickle::state("0", 1, 0, &[1], &[1]))
        .record("x/data/0", 0, 3_000_000_000, 3_000_000_000, 0)
        .finish();
    assert!(matches!(refusal(&stored), Error::Truncated { .. }));
}

#[test]
fn an_archive_of_absurd_counts_and_offsets_is_refused() {
    let good = archive(
        &Pickle::state("0", 1, 0, &[1], &[1]),
        &[("0", &floats(&[1.0]))],
    );
    assert!(open(&good).is_ok());
    let end = good.len() - 22;
    for (field, width) in [(8, 2), (10, 2), (12, 4), (16, 4)] {
        let mut bad = good.clone();
        bad[end + field..end + field + width].fill(0xff);
        // The first field and the size of the directory are not needed to read it.
        let needed = field == 10 || field == 16;
        assert_eq!(open(&bad).is_err(), needed, "field {field}");
    }
    // An empty entry whose name is said to reach beyond the file.
    let mut empty = Zip::new().entry("x/data.pkl", b"").finish();
    empty[26..28].fill(0xff);
    assert!(matches!(refusal(&empty), Error::Malformed { .. }));
    // Every truncation of the file is refused without a panic.
    for length in 0..good.len() {
        assert!(open(&good[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_view_stays_in_its_storage() {
    let data = floats(&[0.0, 1.0, 2.0, 3.0]);
    let file = |elements, offset, shape: &[i64], strides: &[i64]| {
        archive(
            &Pickle::state("0", elements, offset, shape, strides),
            &[("0", &data)],
        )
    };
    assert_eq!(
        open(&file(4, 1, &[2], &[2])).unwrap().read("w").unwrap(),
        [1.0, 3.0]
    );
    let big = i64::MAX;
    for (elements, offset, shape, strides) in [
        (4, 0, &[5][..], &[1][..]),
        (4, 1, &[4], &[1]),
        (4, 0, &[2, 2], &[3, 1]),
        (4, big, &[1], &[1]),
        (4, 0, &[big], &[1]),
        (4, 0, &[2], &[big]),
        (4, 0, &[big, big], &[big, big]),
        // More elements than the archive entry has.
        (5, 0, &[5], &[1]),
        (big, 0, &[big], &[1]),
        (2, 0, &[3], &[1]),
    ] {
        let error = refusal(&file(elements, offset, shape, strides));
        assert!(matches!(error, Error::OutOfStorage { .. }), "{error}");
        assert!(error.to_string().contains("\"w\""), "{error}");
    }
    for (offset, shape, strides) in [
        (-1, &[1][..], &[1][..]),
        (0, &[-1], &[1]),
        (0, &[1], &[-1]),
        (0, &[1, 1], &[1]),
        (0, &[1; 17], &[1; 17]),
    ] {
        assert!(matches!(
            refusal(&file(4, offset, shape, strides)),
            Error::Malformed { .. }
        ));
    }
    // An expanded tensor repeats its storage: first within the limit, then beyond it.
    assert_eq!(
        open(&file(4, 2, &[3], &[0])).unwrap().read("w").unwrap(),
        [2.0; 3]
    );
    assert!(matches!(
        refusal(&file(4, 0, &[1 << 40], &[0])),
        Error::Limit { .. }
    ));
    assert!(matches!(
        refusal(&file(4, 0, &[1 << 40, 1 << 40], &[0, 0])),
        Error::Limit { .. }
    ));
    // No elements, whatever else is declared.
    let empty = open(&file(4, big, &[0, big, big], &[1, 1, 1])).unwrap();
    assert_eq!(empty.read("w").unwrap(), [0.0; 0]);
}

#[test]
fn a_storage_that_is_not_there_is_named() {
    let file = archive(
        &Pickle::state("7", 1, 0, &[1], &[1]),
        &[("0", &floats(&[1.0]))],
    );
    let message = refusal(&file).to_string();
    assert!(
        message.contains("\"7\"") && message.contains("\"w\""),
        "{message}"
    );
}

#[test]
fn deep_cyclic_and_self_multiplying_pickles_end() {
    // A list a hundred thousand deep, a dictionary inside itself, and 2^60 paths to one tensor.
    let deep = Pickle::new()
        .op(&b"]".repeat(90_000))
        .op(&b"a".repeat(89_999))
        .finish();
    assert!(matches!(refusal(&archive(&deep, &[])), Error::Limit { .. }));
    let cyclic = Pickle::new().op(b"}q\x00").text("a").op(b"h\x00s").finish();
    assert!(matches!(
        refusal(&archive(&cyclic, &[])),
        Error::Limit { .. }
    ));
    let mut doubling = Pickle::new().tensor("0", 1, 0, &[1], &[1]).op(b"q\x000");
    for level in 1..=60 {
        doubling = doubling.op(&[b'h', level - 1, b'h', level - 1, 0x86, b'q', level, b'0']);
    }
    let file = archive(&doubling.op(b"h\x3c").finish(), &[("0", &floats(&[1.0]))]);
    assert!(matches!(refusal(&file), Error::Limit { .. }));
    // The same shapes inside a configuration.
    let head = || {
        Pickle::new()
            .op(b"}")
            .text("w")
            .tensor("0", 1, 0, &[1], &[1])
            .op(b"s")
            .text("cfg")
    };
    let cyclic = head().op(b"}q\x00").text("a").op(b"h\x00ss").finish();
    let file = archive(&cyclic, &[("0", &floats(&[1.0]))]);
    assert!(matches!(refusal(&file), Error::Limit { .. }));
    let mut doubling = head().op(b")q\x000");
    for level in 1..=50 {
        doubling = doubling.op(&[b'h', level - 1, b'h', level - 1, 0x86, b'q', level, b'0']);
    }
    let file = archive(&doubling.op(b"h\x32s").finish(), &[("0", &floats(&[1.0]))]);
    assert!(matches!(refusal(&file), Error::Limit { .. }));
}

/// Work that grows with the square of a pickle is refused, as memory is.
#[test]
fn a_long_value_that_is_looked_at_again_and_again_is_refused() {
    let head = || {
        let start = Pickle::new().op(b"}").text("w");
        start.tensor("0", 1, 0, &[1], &[1]).op(b"s").text("cfg")
    };
    let refused = |pickle: Pickle| {
        let file = archive(&pickle.op(b"s").finish(), &[("0", &floats(&[1.0]))]);
        matches!(refusal(&file), Error::Limit { .. })
    };
    // A hundred thousand records that share one state of ten thousand items.
    let state = b"}q\x00("
        .iter()
        .copied()
        .chain(b"K\x01N".repeat(10_000))
        .chain(*b"u0");
    let record = b"h\x01)\x81h\x00b".repeat(100_000);
    let records = head()
        .class("omegaconf.nodes", "AnyNode")
        .op(b"q\x010")
        .op(&state.collect::<Vec<_>>())
        .op(b"](");
    assert!(refused(records.op(&record).op(b"e")));
    // Nested keys, whose quotation marks would double at every level.
    let mut nested = head().text("\"").op(b"q\x000");
    for level in 1..25 {
        nested = nested.op(&[b'}', b'h', level - 1, b'N', b's', 0x85, b'q', level, b'0']);
    }
    let file = nested.op(b"}h\x18Nss").finish();
    let opened = open(&archive(&file, &[("0", &floats(&[1.0]))])).unwrap();
    assert_eq!(opened.config().unwrap()["cfg"], serde_json::json!({}));
    // The same empty dictionary at every step of a search.
    let nothing = b"}q\x00("
        .iter()
        .copied()
        .chain(b"K\x01N".repeat(10_000))
        .chain(*b"u0");
    let wide = Pickle::new().op(&nothing.collect::<Vec<_>>()).op(b"](");
    let wide = wide.op(&b"h\x00".repeat(100_000)).op(b"e");
    assert!(matches!(
        refusal(&archive(&wide.finish(), &[])),
        Error::Limit { .. }
    ));
}

#[test]
fn a_pickle_of_too_many_values_is_refused() {
    let values = Pickle::new().op(&b"N".repeat(4_000_001)).finish();
    assert!(matches!(
        refusal(&archive(&values, &[])),
        Error::Limit { .. }
    ));
    let marks = Pickle::new().op(&b"(".repeat(100_001)).finish();
    assert!(matches!(
        refusal(&archive(&marks, &[])),
        Error::Limit { .. }
    ));
    let memo = Pickle::new()
        .op(b"N")
        .op(&b"\x94".repeat(4_000_001))
        .finish();
    assert!(matches!(refusal(&archive(&memo, &[])), Error::Limit { .. }));
    // One long list copied again and again.
    let pairs = Pickle::new()
        .op(b"](")
        .op(&b"NN\x86".repeat(10_000))
        .op(b"eq\x000")
        .op(&b"ccollections\nOrderedDict\nh\x00\x85R".repeat(2_000))
        .finish();
    assert!(matches!(
        refusal(&archive(&pairs, &[])),
        Error::Limit { .. }
    ));
    let tensors = Pickle::new()
        .tensor("0", 1, 0, &[1], &[1])
        .op(b"0")
        .class("torch._utils", "_rebuild_x")
        .op(b"q\x00)q\x01")
        .op(&b"h\x00h\x01R".repeat(100_001))
        .finish();
    assert!(matches!(
        refusal(&archive(&tensors, &[])),
        Error::Limit { .. }
    ));
}

#[test]
fn broken_pickles_are_refused() {
    for broken in [
        &b"\x80\x09N."[..],
        b"\x80\x02.",
        b"\x80\x02a.",
        b"\x80\x02(t1.",
        b"\x80\x02h\x05.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.",
        b"\x80\x02\x8b\xff\xff\xff\xffabc.",
        b"\x80\x02NNs.",
        b"\x80\x02(Nd.",
        b"\x80\x02N)R.",
        b"\x80\x02NNb.",
        b"\x80\x02NQ.",
        b"\x80\x02Ix\n.",
        b"\x80\x02Fx\n.",
        b"\x80\x02Sx\n.",
        b"\x80\x02\x97.",
        b"\x80\x02\xff.",
        b"",
    ] {
        assert!(
            matches!(refusal(&archive(broken, &[])), Error::Malformed { .. }),
            "{broken:?}"
        );
    }
    let nothing = refusal(&archive(b"\x80\x02}X\x01\x00\x00\x00aK\x01s.", &[]));
    assert!(
        matches!(&nothing, Error::NoTensors { found, .. } if found[..] == ["a"]),
        "{nothing}"
    );
}

#[test]
fn a_legacy_file_ends_where_it_says() {
    let good = golden("types_legacy.pt");
    for length in 0..good.len() {
        assert!(open(&good[..length]).is_err(), "{length} bytes");
    }
    // The count of the first storage: the eight bytes after the list of keys.
    let keys = good
        .windows(3)
        .position(|w| w == b"ee.")
        .or(good.windows(2).rposition(|w| w == b"e."));
    let at = keys.unwrap() + 2;
    let mut absurd = good.clone();
    absurd[at..at + 8].fill(0xff);
    assert!(matches!(
        refusal(&absurd),
        Error::Truncated { .. } | Error::Malformed { .. }
    ));
    assert!(
        refusal(b"\x80\x02}.")
            .to_string()
            .contains("not one of PyTorch")
    );
}

#[test]
fn safetensors_headers_are_not_believed() {
    let one = |record: String| format!(r#"{{"w":{record}}}"#);
    let data = floats(&[1.0, 2.0]);
    assert!(open(&safetensors(&one(record("F32", "[2]", 0, 8)), &data)).is_ok());
    // Length of the header.
    let mut absurd = safetensors(&one(record("F32", "[2]", 0, 8)), &data);
    absurd[..8].copy_from_slice(&1_000_000_000u64.to_le_bytes());
    assert!(matches!(refusal(&absurd), Error::Limit { .. }));
    absurd[..8].copy_from_slice(&10_000_000u64.to_le_bytes());
    assert!(matches!(refusal(&absurd), Error::Truncated { .. }));
    absurd[..8].fill(0xff);
    assert!(matches!(refusal(&absurd), Error::UnknownFormat { .. }));
    // Its contents.
    for (header, kind) in [
        (one(record("F32", "[3]", 0, 12)), "truncated"),
        (one(record("F32", "[2]", 0, u64::MAX)), "truncated"),
        (one(record("F32", "[2]", 8, 0)), "before its begin"),
        (one(record("F32", "[1]", 0, 8)), "does not fit"),
        (
            one(record("F32", "[4294967296,4294967296]", 0, 8)),
            "does not fit",
        ),
        (
            one(record("F4", "[4294967296,4294967296]", 0, 8)),
            "does not fit",
        ),
        (
            one(record("F32", &format!("{:?}", [1; 17]), 0, 4)),
            "dimensions",
        ),
        (one(record("F32", "[-2]", 0, 8)), "not a valid safetensors"),
        (one(record("F32", "[2.5]", 0, 8)), "not a valid safetensors"),
        (
            format!(r#"{{"a":{0},"a":{0}}}"#, record("F32", "[1]", 0, 4)),
            "twice",
        ),
        (
            format!(
                r#"{{"a":{},"b":{}}}"#,
                record("F32", "[2]", 0, 8),
                record("F32", "[1]", 4, 8)
            ),
            "overlap",
        ),
        ("{\"a\":".repeat(200), "not a valid safetensors"),
        ("{}garbage".to_owned(), "not a valid safetensors"),
    ] {
        let message = refusal(&safetensors(&header, &data)).to_string();
        assert!(message.contains(kind), "{header}: {message}");
    }
    // Every truncation.
    let good = safetensors(&one(record("F32", "[2]", 0, 8)), &data);
    for length in 0..good.len() {
        assert!(open(&good[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_header_of_too_many_tensors_is_refused() {
    let records: Vec<_> = (0..100_001)
        .map(|i| format!(r#""{i}":{}"#, record("F32", "[0]", 0, 0)))
        .collect();
    let header = format!("{{{}}}", records.join(","));
    assert!(matches!(
        refusal(&safetensors(&header, &[])),
        Error::Limit { .. }
    ));
}

#[test]
fn what_is_no_checkpoint_is_told_by_its_beginning() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, told) in [
        (&b""[..], "empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "git-lfs",
        ),
        (b"<!DOCTYPE html>", "web page"),
        (b"{\"a\": 1}", "JSON"),
        (&tar, "tar"),
        (b"RIFF....WAVE", "no known format"),
    ] {
        let error = refusal(bytes);
        assert!(matches!(error, Error::UnknownFormat { .. }));
        assert!(error.to_string().contains(told), "{error}");
    }
}
