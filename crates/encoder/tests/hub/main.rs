//! Downloads from a hub on the local machine: the whole protocol, and all its failures.

mod server;

use emobox_checkpoint::Checkpoint;
use emobox_encoder::hub::{HubError, HubProgress, HubRequest, HubSettings, Token, cached, fetch};
use emobox_fetch::FetchError;
use server::{Answer, COMMIT, Served, Server};
use std::path::{Path, PathBuf};
use std::time::Duration;

const CONFIG: &[u8] = br#"{"model_type": "hubert"}"#;

/// A checkpoint of one tensor `name` with 20 000 elements, large enough for partial transfers.
fn weights(name: &str) -> Vec<u8> {
    let header =
        format!(r#"{{"{name}":{{"dtype":"F32","shape":[20000],"data_offsets":[0,80000]}}}}"#);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend((0..20000u16).flat_map(|i| f32::from(i).to_le_bytes()));
    bytes
}

fn tiny() -> Vec<(&'static str, Served)> {
    vec![
        ("config.json", Served::small(CONFIG)),
        ("README.md", Served::small(b"not wanted")),
        ("model.safetensors", Served::large(&weights("w"))),
        ("pytorch_model.bin", Served::large(b"the same again")),
    ]
}

fn request(server: &Server, cache: &Path) -> HubRequest {
    let mut settings = HubSettings::from_variables(|_| None);
    settings.cache = cache.to_owned();
    settings.endpoint.clone_from(&server.endpoint);
    settings.timeout = Duration::from_secs(5);
    settings.attempts = 3;
    settings.pause = Duration::from_millis(1);
    HubRequest {
        repository: "org/tiny".to_owned(),
        revision: "main".to_owned(),
        weights: None,
        settings,
    }
}

fn pull(request: &HubRequest) -> Result<PathBuf, HubError> {
    fetch(request, &mut |_| {})
}

fn root(cache: &Path) -> PathBuf {
    cache.join("models--org--tiny")
}

#[test]
fn a_checkpoint_arrives_in_the_layout_of_the_python_library() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let request = request(&server, cache.path());
    assert_eq!(cached(&request), None);
    let mut last = 0;
    let snapshot = fetch(&request, &mut |event| {
        if let HubProgress::Bytes {
            file: "model.safetensors",
            done,
            total,
        } = event
        {
            assert!(done > last && total == Some(weights("w").len() as u64));
            last = done;
        }
    })
    .unwrap();
    assert_eq!(last, weights("w").len() as u64);

    let root = root(cache.path());
    assert_eq!(snapshot, root.join("snapshots").join(COMMIT));
    assert_eq!(
        std::fs::read_to_string(root.join("refs/main")).unwrap(),
        COMMIT
    );
    assert_eq!(std::fs::read(snapshot.join("config.json")).unwrap(), CONFIG);
    assert!(!snapshot.join("README.md").exists() && !snapshot.join("pytorch_model.bin").exists());
    let etag = Served::large(&weights("w")).etag;
    assert_eq!(
        std::fs::read(root.join("blobs").join(&etag)).unwrap(),
        weights("w")
    );
    #[cfg(unix)]
    assert_eq!(
        std::fs::read_link(snapshot.join("model.safetensors")).unwrap(),
        Path::new("../../blobs").join(&etag)
    );
    let checkpoint = Checkpoint::open(&snapshot).unwrap();
    assert_eq!(checkpoint.read("w").unwrap()[19999], 19999.0);
    assert_eq!(checkpoint.digest().unwrap().as_str(), etag);

    // A second time: only the listing is requested.
    server.forget();
    assert_eq!(pull(&request).unwrap(), snapshot);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(cached(&request), Some(snapshot.clone()));
    // By the commit too.
    let by_commit = HubRequest {
        revision: COMMIT.to_owned(),
        ..request
    };
    assert_eq!(cached(&by_commit), Some(snapshot));
}

#[test]
fn named_weights_are_fetched_instead_of_the_default() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&server, cache.path());
    request.weights = Some("pytorch_model.bin".to_owned());
    let snapshot = pull(&request).unwrap();
    assert_eq!(
        std::fs::read(snapshot.join("pytorch_model.bin")).unwrap(),
        b"the same again"
    );
    assert!(!snapshot.join("model.safetensors").exists());
    request.weights = None;
    assert_eq!(
        cached(&request),
        Some(snapshot),
        "one file of weights there is choice enough"
    );
    request.weights = Some("x.pt".to_owned());
    let message = pull(&request).unwrap_err().to_string();
    assert!(
        message.contains("x.pt") && message.contains("model.safetensors"),
        "{message}"
    );
}

#[test]
fn shards_come_with_their_index() {
    let index = br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    let server = Server::new(&[
        ("config.json", Served::small(CONFIG)),
        ("model.safetensors.index.json", Served::small(index)),
        ("m-1.safetensors", Served::large(&weights("a"))),
        ("m-2.safetensors", Served::large(&weights("b"))),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let request = request(&server, cache.path());
    let snapshot = pull(&request).unwrap();
    assert!(Checkpoint::open(&snapshot).unwrap().has("b"));
    assert_eq!(cached(&request), Some(snapshot.clone()));
    // Without one of its shards a snapshot does not count as cached.
    std::fs::remove_file(snapshot.join("m-2.safetensors")).unwrap();
    assert_eq!(cached(&request), None);
}

#[test]
fn an_index_cannot_name_files_outside() {
    let index = br#"{"weight_map": {"a": "../../../../evil"}}"#;
    let server = Server::new(&[("model.safetensors.index.json", Served::small(index))]);
    let cache = tempfile::tempdir().unwrap();
    let message = pull(&request(&server, cache.path()))
        .unwrap_err()
        .to_string();
    assert!(message.contains("climbs out"), "{message}");
}

#[test]
fn a_cut_connection_is_continued_where_it_broke() {
    let content = weights("w");
    let (half, mut cuts) = (content.len() / 2, 1);
    let served = content.clone();
    let server = Server::with(
        &tiny(),
        Box::new(move |request| {
            let object = request.method == "GET" && request.path.starts_with("/objects/model");
            (object && std::mem::take(&mut cuts) == 1).then(|| Answer {
                status: 200,
                body: served.clone(),
                cut: Some(half),
                ..Answer::default()
            })
        }),
    );
    let cache = tempfile::tempdir().unwrap();
    let mut broke = 0;
    let snapshot = fetch(&request(&server, cache.path()), &mut |event| {
        if let HubProgress::Retrying { done, .. } = event {
            broke += 1;
            assert_eq!(done, half as u64);
        }
    })
    .unwrap();
    assert_eq!(broke, 1);
    assert_eq!(
        std::fs::read(snapshot.join("model.safetensors")).unwrap(),
        content
    );
    let ranges: Vec<_> = server
        .requests()
        .iter()
        .filter(|r| r.path.starts_with("/objects/model"))
        .map(|r| r.header("range").map(str::to_owned))
        .collect();
    assert_eq!(ranges, [None, Some(format!("bytes={half}-"))]);
}

#[test]
fn a_fetch_that_gave_up_is_continued_by_the_next_run() {
    let content = weights("w");
    let half = content.len() / 2;
    let served = content.clone();
    // The first half, then no more data.
    let broken = Server::with(
        &tiny(),
        Box::new(move |request| {
            let object = request.method == "GET" && request.path.starts_with("/objects/model");
            object.then(|| match request.header("range") {
                None => Answer {
                    status: 200,
                    body: served.clone(),
                    cut: Some(half),
                    ..Answer::default()
                },
                Some(_) => Answer::status(503),
            })
        }),
    );
    let cache = tempfile::tempdir().unwrap();
    let error = pull(&request(&broken, cache.path())).unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(error, HubError::Transfer(FetchError::Interrupted { done, .. }) if done == half as u64),
        "{message}"
    );
    assert!(message.contains("run the same command again"), "{message}");
    assert_eq!(cached(&request(&broken, cache.path())), None);
    drop(broken);

    let whole = Server::new(&tiny());
    let snapshot = pull(&request(&whole, cache.path())).unwrap();
    assert_eq!(
        std::fs::read(snapshot.join("model.safetensors")).unwrap(),
        content
    );
    let object = whole
        .requests()
        .into_iter()
        .rfind(|r| r.path.starts_with("/objects/model"))
        .unwrap();
    assert_eq!(
        object.header("range"),
        Some(format!("bytes={half}-").as_str())
    );
}

#[test]
fn a_server_without_ranges_starts_over() {
    let content = weights("w");
    let served = content.clone();
    let server = Server::with(
        &tiny(),
        Box::new(move |request| {
            let object = request.method == "GET" && request.path.starts_with("/objects/model");
            object.then(|| Answer {
                status: 200,
                body: served.clone(),
                ..Answer::default()
            })
        }),
    );
    let cache = tempfile::tempdir().unwrap();
    let blobs = root(cache.path()).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let etag = Served::large(&content).etag;
    std::fs::write(blobs.join(format!("{etag}.incomplete")), &content[..1000]).unwrap();
    let snapshot = pull(&request(&server, cache.path())).unwrap();
    assert_eq!(
        std::fs::read(snapshot.join("model.safetensors")).unwrap(),
        content
    );
}

#[test]
fn a_wrong_beginning_is_thrown_away_once_and_a_wrong_file_refused() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let blobs = root(cache.path()).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let etag = Served::large(&weights("w")).etag;
    let partial = blobs.join(format!("{etag}.incomplete"));
    // The start of another file, and a file that is too long.
    for left_behind in [vec![7; 5000], vec![7; 500_000]] {
        std::fs::write(&partial, left_behind).unwrap();
        let snapshot = pull(&request(&server, cache.path())).unwrap();
        assert_eq!(
            std::fs::read(snapshot.join("model.safetensors")).unwrap(),
            weights("w")
        );
        std::fs::remove_file(blobs.join(&etag)).unwrap();
    }

    let mut files = tiny();
    files[2].1.content[50_000] ^= 1;
    let liar = Server::new(&files);
    let error = pull(&request(&liar, cache.path())).unwrap_err();
    assert!(
        matches!(&error, HubError::Transfer(FetchError::Corrupt { what: "sha256", expected, .. }) if *expected == etag),
        "{error}"
    );
    assert!(!partial.exists() && !blobs.join(&etag).exists());
    assert_eq!(cached(&request(&liar, cache.path())), None);
}

#[test]
fn a_file_of_another_size_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    // Longer than promised: cut off at once. Shorter: the rest never arrives.
    let mut files = tiny();
    files[2].1.size = 40_000;
    let error = pull(&request(&Server::new(&files), cache.path())).unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Transfer(FetchError::Corrupt { what: "bytes", .. })
        ),
        "{error}"
    );
    files[2].1.size = 90_000;
    let error = pull(&request(&Server::new(&files), cache.path())).unwrap_err();
    assert!(
        matches!(
            error,
            HubError::Transfer(FetchError::Interrupted {
                total: Some(90_000),
                ..
            })
        ),
        "{error}"
    );
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&server, cache.path());
    request.revision = "elsewhere".to_owned();
    let error = pull(&request).unwrap_err();
    assert!(
        matches!(&error, HubError::NotFound { revision, .. } if revision == "elsewhere"),
        "{error}"
    );
    request.repository = "org/nothing".to_owned();
    let message = pull(&request).unwrap_err().to_string();
    assert!(
        message.contains("org/nothing") && message.contains("spelling"),
        "{message}"
    );

    let empty = Server::new(&[("tf_model.h5", Served::large(b"x"))]);
    let message = pull(&self::request(&empty, cache.path()))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("no weights") && message.contains("tf_model.h5"),
        "{message}"
    );
}

#[test]
fn names_that_are_paths_are_refused_before_anything_is_sent() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    for repository in [
        "", "a/b/c", "../x", "a/..", "a b", "a/b?c", "org/", "x--y/z",
    ] {
        let mut request = request(&server, cache.path());
        request.repository = repository.to_owned();
        assert!(
            matches!(pull(&request), Err(HubError::InvalidName { .. })),
            "{repository:?}"
        );
        assert_eq!(cached(&request), None);
    }
    for revision in ["", "../../etc", "/etc/passwd", "a b"] {
        let mut request = request(&server, cache.path());
        request.revision = revision.to_owned();
        assert!(
            matches!(pull(&request), Err(HubError::InvalidName { .. })),
            "{revision:?}"
        );
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_server_cannot_choose_where_its_files_go() {
    let mut files = tiny();
    files[0].1.etag = "../../../evil".to_owned();
    let cache = tempfile::tempdir().unwrap();
    let error = pull(&request(&Server::new(&files), cache.path())).unwrap_err();
    assert!(
        matches!(error, HubError::InvalidName { what: "etag", .. }),
        "{error}"
    );
    let listing = |sha: &str, name: &str| {
        let body = serde_json::json!({"sha": sha, "siblings": [{"rfilename": name}]}).to_string();
        Server::with(
            &[],
            Box::new(move |_| {
                Some(Answer {
                    status: 200,
                    body: body.clone().into_bytes(),
                    ..Answer::default()
                })
            }),
        )
    };
    let error = pull(&request(
        &listing("../../evil", "model.safetensors"),
        cache.path(),
    ))
    .unwrap_err();
    assert!(
        matches!(error, HubError::InvalidName { what: "commit", .. }),
        "{error}"
    );
    let error = pull(&request(&listing(COMMIT, "../../model.pt"), cache.path())).unwrap_err();
    assert!(error.to_string().contains("climbs out"), "{error}");
    let mut request = request(&listing(COMMIT, "x"), cache.path());
    request.settings.endpoint = "not an address".to_owned();
    assert!(pull(&request).is_err());
}

/// 401 and 403, with and without a token; the token is sent to the hub only.
#[test]
fn access_is_asked_for_in_words() {
    let guarded = |status: u16| {
        Server::with(
            &tiny(),
            Box::new(move |request| {
                let own = request.header("authorization") == Some("Bearer hf_right");
                let hub = !request.path.starts_with("/objects/");
                (hub && !own).then(|| Answer::status(status))
            }),
        )
    };
    let cache = tempfile::tempdir().unwrap();
    let server = guarded(401);
    let mut request = request(&server, cache.path());
    let message = pull(&request).unwrap_err().to_string();
    assert!(
        message.contains("401") && message.contains("HF_TOKEN") && message.contains("private"),
        "{message}"
    );
    request.settings.token = Some(Token::new("hf_wrong", "HF_TOKEN"));
    let message = pull(&request).unwrap_err().to_string();
    assert!(
        message.contains("the token from HF_TOKEN was refused"),
        "{message}"
    );
    assert!(!message.contains("hf_wrong"), "{message}");
    let gated = guarded(403);
    request.settings.endpoint.clone_from(&gated.endpoint);
    let message = pull(&request).unwrap_err().to_string();
    assert!(
        message.contains("conditions") && message.contains("/org/tiny"),
        "{message}"
    );
    request.settings.token = Some(Token::new("hf\nwrong", "/u/token"));
    let message = pull(&request).unwrap_err().to_string();
    assert!(message.contains("/u/token"), "{message}");

    request.settings.endpoint.clone_from(&server.endpoint);
    request.settings.token = Some(Token::new("hf_right", "HF_TOKEN"));
    server.forget();
    let snapshot = pull(&request).unwrap();
    assert!(snapshot.join("model.safetensors").is_file());
    let (objects, others): (Vec<_>, Vec<_>) = server
        .requests()
        .into_iter()
        .partition(|r| r.path.starts_with("/objects/"));
    assert!(!objects.is_empty() && objects.iter().all(|r| r.header("authorization").is_none()));
    assert!(others.iter().all(|r| r.header("authorization").is_some()));
}

#[test]
fn offline_mode_uses_the_cache_and_never_the_network() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let online = request(&server, cache.path());
    let mut offline = online.clone();
    offline.settings.offline = Some("HF_HUB_OFFLINE is set".to_owned());
    let error = pull(&offline).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, HubError::Offline { .. }));
    assert!(
        message.contains("HF_HUB_OFFLINE") && message.contains("org/tiny"),
        "{message}"
    );
    assert!(server.requests().is_empty());
    let snapshot = pull(&online).unwrap();
    server.forget();
    assert_eq!(pull(&offline).unwrap(), snapshot);
    assert!(server.requests().is_empty());
}

#[test]
fn without_an_answer_the_cache_serves_and_without_a_cache_the_error_says_so() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&server, cache.path());
    let snapshot = pull(&request).unwrap();
    drop(server);
    let mut instead = 0;
    let again = fetch(&request, &mut |event| {
        instead += i32::from(matches!(event, HubProgress::CacheInstead { .. }));
    });
    assert_eq!(again.unwrap(), snapshot);
    assert_eq!(instead, 1);
    request.settings.cache = cache.path().join("another");
    let error = pull(&request).unwrap_err();
    assert!(
        matches!(error, HubError::Transfer(FetchError::Unreachable { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
}

/// A host that accepts the connection and never answers.
#[test]
fn silence_ends_after_the_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&Server::new(&[]), cache.path());
    request.settings.endpoint = format!("http://{}", silent.local_addr().unwrap());
    request.settings.timeout = Duration::from_millis(200);
    let start = std::time::Instant::now();
    let error = pull(&request).unwrap_err();
    assert!(
        matches!(error, HubError::Transfer(FetchError::Unreachable { .. })),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn redirects_end() {
    let server = Server::with(
        &tiny(),
        Box::new(|request| Some(Answer::status(307).with("location", &request.path))),
    );
    let cache = tempfile::tempdir().unwrap();
    let error = pull(&request(&server, cache.path())).unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    let astray = Server::with(
        &tiny(),
        Box::new(|_| Some(Answer::status(302).with("location", "file:///etc/passwd"))),
    );
    let error = pull(&request(&astray, cache.path())).unwrap_err();
    assert!(
        matches!(error, HubError::Transfer(FetchError::Malformed { .. })),
        "{error}"
    );
}

/// A renamed repository is redirected on the hub itself, and the token is kept.
#[test]
fn a_renamed_repository_is_followed() {
    let server = Server::with(
        &tiny(),
        Box::new(|request| {
            let moved = request.path.replacen("org/old", "org/tiny", 1);
            (moved != request.path).then(|| Answer::status(307).with("location", &moved))
        }),
    );
    let cache = tempfile::tempdir().unwrap();
    let mut request = request(&server, cache.path());
    request.repository = "org/old".to_owned();
    let snapshot = pull(&request).unwrap();
    assert!(snapshot.starts_with(cache.path().join("models--org--old")));
    assert!(Checkpoint::open(&snapshot).unwrap().has("w"));
}

#[test]
fn two_fetches_at_once_share_their_work() {
    let server = Server::new(&tiny());
    let cache = tempfile::tempdir().unwrap();
    let request = request(&server, cache.path());
    let snapshots: Vec<_> = std::thread::scope(|scope| {
        let threads = [0; 2].map(|_| scope.spawn(|| pull(&request).unwrap()));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(snapshots[0], snapshots[1]);
    let objects = server
        .requests()
        .iter()
        .filter(|r| r.path.starts_with("/objects/model"))
        .count();
    assert_eq!(objects, 1);
}
