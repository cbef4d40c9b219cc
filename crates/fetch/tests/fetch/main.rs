//! Files from a server on the local machine, and hand-made archives, with every kind of failure.

mod archives;
mod server;

use emobox_fetch::{
    Checksum, Client, Continue, FetchError, Settings, Transfer, Wanted, fetch_file,
};
use emobox_files::sha256_bytes;
use server::{Answer, Server, serve};
use std::path::Path;
use std::time::Duration;

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn wanted(server: &Server) -> Wanted {
    Wanted {
        url: format!("{}/corpus.zip", server.url),
        name: "corpus.zip".to_owned(),
        bytes: None,
        limit: 1 << 30,
        checksum: None,
        named_by_content: false,
    }
}

fn published(server: &Server) -> Wanted {
    Wanted {
        bytes: Some(content().len() as u64),
        checksum: Checksum::parse(&format!("sha256:{}", sha256_bytes(&content()))),
        ..wanted(server)
    }
}

fn fetch(wanted: &Wanted, place: &Path) -> Result<(), FetchError> {
    fetch_watched(wanted, place, &mut |_| Continue::Yes)
}

fn fetch_watched(
    wanted: &Wanted,
    place: &Path,
    watch: &mut dyn FnMut(Transfer<'_>) -> Continue,
) -> Result<(), FetchError> {
    let settings = Settings {
        timeout: Duration::from_secs(5),
        attempts: 3,
        pause: Duration::from_millis(1),
    };
    fetch_file(&Client::new(settings, None), wanted, place, watch)
}

#[test]
fn a_cut_connection_goes_on_where_it_broke_and_nothing_is_left_behind() {
    let half = content().len() / 2;
    let mut first = true;
    let server = Server::new(move |request| {
        let mut answer = serve(request, &content(), "\"v1\"");
        if std::mem::take(&mut first) {
            answer.cut = Some(half);
        }
        answer
    });
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("corpus.zip");
    fetch(&wanted(&server), &place).unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), content());
    assert_eq!(server.ranges(), [None, Some(half)]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_stopped_fetch_goes_on_in_the_next_run() {
    for know_checksum in [false, true] {
        let server = Server::new(|request| serve(request, &content(), "\"v1\""));
        let wanted = if know_checksum {
            published(&server)
        } else {
            wanted(&server)
        };
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("corpus.zip");
        let mut kept = 0;
        let stopped = fetch_watched(&wanted, &place, &mut |event| match event {
            Transfer::Bytes { done, .. } if done > 200_000 => {
                kept = done;
                Continue::No
            }
            _ => Continue::Yes,
        });
        assert!(matches!(stopped, Err(FetchError::Stopped { done, .. }) if done == kept));
        assert!(!place.exists());
        fetch(&wanted, &place).unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), content());
        assert_eq!(server.ranges(), [None, Some(kept as usize)]);
    }
}

#[test]
fn a_file_that_changed_meanwhile_is_not_glued_to_its_old_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("corpus.zip");
    let old = Server::new(|request| {
        let mut answer = serve(request, &vec![7; 1_000_000], "\"old\"");
        answer.cut = Some(400_000);
        answer.status = if request.from().is_some() { 503 } else { 200 };
        answer
    });
    let error = fetch(&wanted(&old), &place).unwrap_err().to_string();
    assert!(error.contains("run the same command again"), "{error}");
    let new = Server::new(|request| serve(request, &content(), "\"new\""));
    fetch(&wanted(&new), &place).unwrap();
    assert_eq!(new.ranges(), [Some(400_000)]);
    assert_eq!(std::fs::read(&place).unwrap(), content());
}

#[test]
fn a_beginning_that_nobody_knows_is_only_continued_under_a_checksum() {
    let server = Server::new(|request| serve(request, &content(), "\"v1\""));
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("corpus.zip");
    let partial = folder.path().join("corpus.zip.incomplete");
    std::fs::write(&partial, [9; 5000]).unwrap();
    fetch(&wanted(&server), &place).unwrap();
    assert_eq!(server.ranges(), [None]);
    // The checksum reveals a wrong beginning, and the file is fetched once more from the start.
    std::fs::write(&partial, [9; 5000]).unwrap();
    fetch(&published(&server), &place).unwrap();
    assert_eq!(server.ranges(), [None, Some(5000), None]);
    assert_eq!(std::fs::read(&place).unwrap(), content());
}

#[test]
fn a_wrong_size_and_a_wrong_checksum_are_refused_and_thrown_away() {
    let mut damaged = content();
    damaged[77] ^= 1;
    let longer = [content(), vec![0; 10]].concat();
    for (served, what) in [(damaged, "sha256"), (longer, "bytes")] {
        let server = Server::new(move |request| serve(request, &served, "\"v1\""));
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("corpus.zip");
        let error = fetch(&published(&server), &place).unwrap_err();
        assert!(
            matches!(&error, FetchError::Corrupt { what: found, .. } if *found == what),
            "{error}"
        );
        assert!(!place.exists());
        let left = std::fs::metadata(folder.path().join("corpus.zip.incomplete"));
        assert!(left.map_or(0, |metadata| metadata.len()) == 0);
    }
    let short = Server::new(|request| serve(request, &content()[..1000], "\"v1\""));
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&published(&short), &folder.path().join("corpus.zip")).unwrap_err();
    assert!(matches!(error, FetchError::Interrupted { .. }), "{error}");
}

#[test]
fn a_file_without_a_known_size_has_a_limit() {
    let server = Server::new(|request| serve(request, &content(), "\"v1\""));
    let folder = tempfile::tempdir().unwrap();
    let small = Wanted {
        limit: 1000,
        ..wanted(&server)
    };
    let error = fetch(&small, &folder.path().join("corpus.zip")).unwrap_err();
    assert!(error.to_string().contains("more than 1000"), "{error}");
}

#[test]
fn what_is_gone_is_said_to_be_gone_at_once_and_trouble_is_waited_for() {
    let gone = Server::new(|_| Answer::status(404));
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("corpus.zip");
    let error = fetch(&wanted(&gone), &place).unwrap_err().to_string();
    assert!(
        error.contains("404") && error.contains("no such file"),
        "{error}"
    );
    assert_eq!(gone.ranges().len(), 1);
    assert_eq!(gone.paths(), ["/corpus.zip"]);
    let mut troubles = 2;
    let busy = Server::new(move |request| {
        if troubles > 0 {
            troubles -= 1;
            return Answer::status(503);
        }
        serve(request, &content(), "\"v1\"")
    });
    fetch(&wanted(&busy), &place).unwrap();
    assert_eq!(busy.ranges().len(), 3);
}
