//! `emobox download` from a server on the local machine.

use crate::program::{Program, wav};
use crate::server::{Answer, Request, Server, serve};
use std::io::{Cursor, Write};
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

/// Two recordings as the release of EmoDB packs them.
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
    // Two of 535 recordings: said so, and usable on request.
    let prepare = program.run(&["prepare", "emodb", "--raw", raw]);
    prepare.fails_with(1, &["in all: 2 of 535 audio files, 533 missing"]);
    let partial = program.run(&["prepare", "emodb", "--raw", raw, "--allow-missing"]);
    assert_eq!(partial.code, Some(3), "{}", partial.stderr);
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
        .run(&["download", "emo-db", "--yes"])
        .fails_with(1, &["emodb, "]);
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
        ("emodb", hostile, ["evil.wav", "climbs out"]),
        ("ravdess", other, ["md5 expected bc696df6", "thrown away"]),
        (
            "published-metadata",
            forged,
            ["git tree expected", "thrown away"],
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
        // Asked again, it is fetched again.
        program.run(&call).fails_with(1, &parts);
        assert_eq!(server.paths().len(), 2, "{name}");
    }
    let program = Program::new();
    let gone = Server::new(|_| Answer::status(404));
    let call = ["download", "emodb", "--yes", "--from", &gone.url];
    program.run(&call).fails_with(1, &["404", "no such file"]);
}
