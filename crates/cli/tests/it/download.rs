//! `emobox download` from a server on the local machine.

use crate::program::{Program, wav};
use crate::server::{Answer, Request, Server, serve};
use emobox_app::{DownloadHow, Offer, PUBLISHED_METADATA, Release};
use emobox_bench::{Context, Home, Silent};
use std::io::{Cursor, Write};
use std::sync::atomic::AtomicBool;
use zip::{ZipWriter, write::SimpleFileOptions};

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = SimpleFileOptions::default();
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Two recordings, packed as in the release of EmoDB.
fn emodb() -> Vec<u8> {
    let recording = wav(&[300; 16_000]);
    zipped(&[
        ("wav/03a01Fa.wav", &recording),
        ("wav/03a01Wa.wav", &recording),
        ("erklaerung.txt", b"as in the release"),
    ])
}

fn server_of(content: Vec<u8>) -> Server {
    Server::new(move |request| serve(request, &content, "\"v1\""))
}

#[test]
fn a_release_is_fetched_unpacked_and_ready_to_prepare() {
    let program = Program::new();
    let server = server_of(emodb());
    let call = ["download", "emodb", "--yes", "--from", &server.url];
    let done = program.succeed(&call);
    assert_eq!(done.stdout, "[DIR]/home/downloads/emodb\n");
    for part in [
        "licence: free to use",
        "Burkhardt",
        "next: emobox prepare emodb --raw",
        "no checksum is known",
    ] {
        assert!(done.stderr.contains(part), "{part:?}: {}", done.stderr);
    }
    assert_eq!(server.paths(), ["/download.zip"]);
    let again = program.succeed(&call);
    assert!(again.stderr.contains("already there"), "{}", again.stderr);
    assert_eq!(server.paths().len(), 1);
    assert!(!program.path("home/downloads/emodb.incoming").exists());
    let raw = program.path("home/downloads/emodb");
    let raw = raw.to_str().unwrap();
    // Two of 535 recordings: reported, and usable on request.
    let prepare = program.run(&["prepare", "emodb", "--raw", raw]);
    prepare.fails_with(1, &["in all: 2 of 535 audio files, 533 missing"]);
    let partial = program.run(&["prepare", "emodb", "--raw", raw, "--allow-missing"]);
    assert_eq!(partial.code, Some(3), "{}", partial.stderr);
}

/// The published metadata of four utterances of URDU, packed as the git host does.
fn metadata(top: &str) -> Vec<u8> {
    let row = |key: &str, emo: &str| {
        format!("{{\"key\": \"urdu-{key}\", \"dataset\": \"urdu\", \"emo\": \"{emo}\"}}\n")
    };
    let test = row("SM1_F1_A01", "A") + &row("SM2_F2_S02", "S");
    let train = row("SM3_F3_A03", "A") + &row("SM4_F4_S04", "S");
    let (all, data) = (test.clone() + &train, format!("{top}/data/urdu"));
    zipped(&[
        (&format!("{top}/README.md"), b"beside the data"),
        (&format!("{data}/urdu.jsonl"), all.as_bytes()),
        (
            &format!("{data}/fold_1/urdu_test_fold_1.jsonl"),
            test.as_bytes(),
        ),
        (
            &format!("{data}/fold_1/urdu_train_fold_1.jsonl"),
            train.as_bytes(),
        ),
    ])
}

#[test]
fn the_published_metadata_are_fetched_and_the_scheme_published_reads_them() {
    let Ok(Offer::Fetch(release)) = emobox_app::offer(PUBLISHED_METADATA) else {
        panic!("the metadata are offered");
    };
    let (inside, _) = release.git_tree.clone().unwrap();
    let (top, _) = inside.split_once('/').unwrap();
    // `git write-tree` of the folder `data` above.
    let tree = "8bc18a3bab547df09a1bf5cf5dda4070fc69a4e5";
    let server = server_of(metadata(top));
    let program = Program::new();
    // The release in the program's registry, except for its digest: only the real lists have the real digest.
    let release = Release {
        git_tree: Some((inside.clone(), tree.to_owned())),
        ..release
    };
    let how = DownloadHow {
        mirror: Some(server.url.clone()),
        ..DownloadHow::default()
    };
    let home = Home::new(program.path("home"));
    let stop = AtomicBool::new(false);
    let context = Context {
        progress: &Silent,
        stop: &stop,
    };
    let done = emobox_app::download(&home, &release, &how, context).unwrap();
    assert_eq!(
        done.folder,
        program
            .path("home/downloads/published-metadata")
            .join(&inside)
    );
    assert_eq!((done.files, done.unverified.len()), (4, 0));

    for path in [
        "Angry/SM1_F1_A01",
        "Sad/SM2_F2_S02",
        "Angry/SM3_F3_A03",
        "Sad/SM4_F4_S04",
    ] {
        program.write(&format!("raw/{path}.wav"), &wav(&[300; 8000]));
    }
    let prepare = ["prepare", "urdu", "--raw", "raw", "--allow-missing"];
    assert_eq!(program.run(&prepare).code, Some(3));
    let folder = done.folder.to_str().unwrap();
    let split = [
        "split",
        "urdu",
        "--scheme",
        "published",
        "--metadata",
        folder,
    ];
    let said = program.succeed(&split);
    assert!(said.stdout.contains("1 fold"), "{}", said.stdout);
    let list = home.partition("urdu", "published", 0).join("partition.tsv");
    let list = std::fs::read_to_string(list).unwrap();
    let mut rows: Vec<&str> = list.lines().skip(1).collect();
    rows.sort_unstable();
    assert_eq!(
        rows,
        [
            "urdu-SM1_F1_A01\t1\ttest",
            "urdu-SM2_F2_S02\t1\ttest",
            "urdu-SM3_F3_A03\t1\ttrain",
            "urdu-SM4_F4_S04\t1\ttrain",
        ]
    );
}

#[test]
fn a_broken_download_goes_on_in_the_next_call() {
    let program = Program::new();
    let half = emodb().len() / 2;
    let mut cut_once = true;
    let server = Server::new(move |request: &Request| {
        let mut answer = serve(request, &emodb(), "\"v1\"");
        if std::mem::take(&mut cut_once) {
            answer.cut = Some(half);
        }
        answer
    });
    program.succeed(&["download", "emodb", "--yes", "--from", &server.url]);
    assert_eq!(server.ranges(), [None, Some(half)]);
}

#[test]
fn the_licence_comes_before_the_first_byte() {
    let program = Program::new();
    let server = server_of(emodb());
    let asked = program.run(&["download", "emodb", "--from", &server.url]);
    asked.fails_with(2, &["licence: free to use", "add --yes"]);
    assert!(server.paths().is_empty());
}

#[test]
fn what_cannot_be_downloaded_says_where_to_request_it() {
    let program = Program::new();
    for (name, parts) in [
        (
            "iemocap",
            ["https://sail.usc.edu/iemocap/", "data release form"],
        ),
        ("tess", ["tspace.library.utoronto.ca", "by hand"]),
    ] {
        let said = program.run(&["download", name, "--yes"]);
        said.fails_with(1, &["fetched by hand"]);
        for part in parts.into_iter().chain(["emobox prepare"]) {
            assert!(said.stdout.contains(part), "{part:?}: {}", said.stdout);
        }
    }
    program
        .run(&["download", "emo-base", "--yes"])
        .fails_with(2, &["emodb, "]);
}

#[test]
fn wrong_content_is_refused_and_leaves_nothing() {
    let page = b"<html>moved</html>".to_vec();
    let hostile = zipped(&[("../../evil.wav", b"x")]);
    let other = zipped(&[("Actor_01/x.wav", b"x")]);
    let forged = zipped(&[(
        "EmoBox-08280f279d47fb55d2c614061c70523d0a338d6b/data/emodb/emodb.jsonl",
        b"{}",
    )]);
    for (name, content, parts) in [
        ("emodb", page, ["no zip", "a page that a server sent"]),
        ("emodb", hostile, ["evil.wav", "outside the folder"]),
        ("ravdess", other, ["md5 expected bc696df6", "deleted"]),
        (
            "published-metadata",
            forged,
            ["git tree expected", "deleted"],
        ),
    ] {
        let program = Program::new();
        let server = server_of(content);
        let call = [
            "download",
            name,
            "--yes",
            "--from",
            &server.url,
            "--out",
            "corpus",
        ];
        program.run(&call).fails_with(1, &parts);
        assert!(!program.path("corpus").exists(), "{name}");
        assert!(!program.path("evil.wav").exists());
        // A second call downloads it again.
        program.run(&call).fails_with(1, &parts);
        assert_eq!(server.paths().len(), 2, "{name}");
    }
    let program = Program::new();
    let gone = Server::new(|_| Answer::status(404));
    let call = ["download", "emodb", "--yes", "--from", &gone.url];
    program.run(&call).fails_with(1, &["404", "no such file"]);
}
