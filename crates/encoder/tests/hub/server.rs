//! A hub on the local machine with the parts of its protocol that a download uses; it misbehaves on request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A client's request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: HashMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn range(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }
}

/// What to answer.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Close the connection after this many bytes of the body.
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One file of the repository `org/tiny`.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) content: Vec<u8>,
    /// As given by the hub, which may be false.
    pub(crate) etag: String,
    pub(crate) size: usize,
    /// Stored elsewhere, as large files are: a redirect to another port.
    pub(crate) large: bool,
}

impl Served {
    pub(crate) fn large(content: &[u8]) -> Self {
        Self {
            content: content.to_vec(),
            etag: emobox_files::sha256_bytes(content).to_string(),
            size: content.len(),
            large: true,
        }
    }

    pub(crate) fn small(content: &[u8]) -> Self {
        Self {
            content: content.to_vec(),
            // The name of a git object, which is not checked.
            etag: emobox_files::sha256_bytes(content).as_str()[..40].to_owned(),
            size: content.len(),
            large: false,
        }
    }
}

/// Called for a request before the ordinary answer is made: `None` leaves that unchanged.
pub(crate) type Mischief = Box<dyn FnMut(&Request) -> Option<Answer> + Send>;

pub(crate) struct Server {
    pub(crate) endpoint: String,
    /// Another origin, like the hub's storage network.
    pub(crate) storage: String,
    log: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(files: &[(&str, Served)]) -> Self {
        Self::with(files, Box::new(|_| None))
    }

    pub(crate) fn with(files: &[(&str, Served)], mischief: Mischief) -> Self {
        let files: HashMap<String, Served> = files
            .iter()
            .map(|(name, file)| ((*name).to_owned(), file.clone()))
            .collect();
        let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = listeners
            .each_ref()
            .map(|l| format!("http://{}", l.local_addr().unwrap()));
        let [endpoint, storage] = addresses;
        let log = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let mischief = Arc::new(Mutex::new(mischief));
        let threads = listeners.into_iter().map(|listener| {
            let (log, stop, mischief) = (log.clone(), stop.clone(), mischief.clone());
            let (files, storage) = (files.clone(), storage.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream else { break };
                    let Some(request) = read_request(&stream) else {
                        continue;
                    };
                    log.lock().unwrap().push(request.clone());
                    let answer = (mischief.lock().unwrap())(&request)
                        .unwrap_or_else(|| ordinary(&request, &files, &storage));
                    respond(stream, &request, &answer);
                }
            })
        });
        Self {
            threads: threads.collect(),
            endpoint,
            storage,
            log,
            stop,
        }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.log.lock().unwrap().clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in [&self.endpoint, &self.storage] {
            drop(TcpStream::connect(address.trim_start_matches("http://")));
        }
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

fn ordinary(request: &Request, files: &HashMap<String, Served>, storage: &str) -> Answer {
    let path = request.path.as_str();
    let listing = path.strip_prefix("/api/models/org/tiny/revision/");
    if listing.is_some_and(|revision| revision == "main" || revision == COMMIT) {
        let mut names: Vec<_> = files.keys().collect();
        names.sort();
        let siblings: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({"rfilename": name}))
            .collect();
        let body = serde_json::json!({"id": "org/tiny", "sha": COMMIT, "siblings": siblings});
        return Answer {
            status: 200,
            body: body.to_string().into_bytes(),
            ..Answer::default()
        };
    }
    let resolve = format!("/org/tiny/resolve/{COMMIT}/");
    if let Some((name, file)) = path
        .strip_prefix(&resolve)
        .and_then(|name| Some((name, files.get(name)?)))
    {
        if !file.large {
            return content(request, file).with("etag", &format!("\"{}\"", file.etag));
        }
        return Answer::status(302)
            .with("x-linked-etag", &format!("\"{}\"", file.etag))
            .with("x-linked-size", &file.size.to_string())
            .with("etag", "\"that of the redirect\"")
            .with(
                "location",
                &format!("{storage}/objects/{name}?Signature=secret"),
            );
    }
    let object = path
        .strip_prefix("/objects/")
        .and_then(|rest| rest.split('?').next());
    match object.and_then(|name| files.get(name)) {
        Some(file) => content(request, file),
        None => Answer::status(404).with("x-error-code", "EntryNotFound"),
    }
}

fn content(request: &Request, file: &Served) -> Answer {
    let total = file.content.len();
    match request.range() {
        Some(from) if from >= total => {
            Answer::status(416).with("content-range", &format!("bytes */{total}"))
        }
        Some(from) => Answer {
            status: 206,
            body: file.content[from..].to_vec(),
            ..Answer::default()
        }
        .with(
            "content-range",
            &format!("bytes {from}-{}/{total}", total - 1),
        ),
        None => Answer {
            status: 200,
            body: file.content.clone(),
            ..Answer::default()
        },
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

/// Writes the answer; it does not matter if a client hangs up early.
fn respond(mut stream: TcpStream, request: &Request, answer: &Answer) {
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", answer.status);
    head += &format!("content-length: {}\r\n", answer.body.len());
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    if request.method != "HEAD" {
        let end = answer.cut.unwrap_or(answer.body.len());
        bytes.extend(&answer.body[..end]);
    }
    let _ = stream.write_all(&bytes);
    let _ = stream.flush();
}
