//! The page that classifies clips, with requests as a browser sends them.

use crate::program::{Program, tone, tones, wav};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// Ends the program when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body of the response.
fn ask(address: &str, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let text = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

#[test]
fn a_clip_is_heard_whole_and_in_windows() {
    let program = Program::new();
    let corpus = format!("tones={}", tones(&program, "corpus").display());
    program.succeed(&[
        "fit",
        "mine",
        "--corpus",
        &corpus,
        "--encoder",
        "fbank",
        "--training-seeds",
        "1",
    ]);
    let mut child = program
        .command(&[
            "listen", "mine", "--port", "0", "--window", "1", "--hop", "0.5",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let _running = Running(child);
    let host = line
        .trim()
        .strip_prefix("http://")
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    assert!(host.starts_with("127.0.0.1:"), "{host}");

    let get = |path: &str, host_line: &str| {
        ask(
            &host,
            &format!("GET {path} HTTP/1.1\r\nHost: {host_line}\r\n\r\n"),
            b"",
        )
    };
    let (status, page) = get("/", &host);
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&page).contains("/page.js"));
    let (_, about) = get("/about", &host);
    let about: serde_json::Value = serde_json::from_slice(&about).unwrap();
    assert_eq!(about["classes"].as_array().unwrap().len(), 3);
    assert!(
        about["card"].as_str().unwrap().contains("What it is worth"),
        "{about}"
    );
    assert_eq!(get("/", "rebound.example").0, 403);
    assert_eq!(get("/../probe.json", &host).0, 404);

    let post = |more: &str, body: &[u8]| {
        let length = body.len();
        let head = format!(
            "POST /hear HTTP/1.1\r\nHost: {host}\r\n{more}Content-Length: {length}\r\n\r\n"
        );
        ask(&host, &head, body)
    };
    let clip = wav(&tone(1, 2, 2.3));
    let (status, heard) = post(&format!("Origin: http://{host}\r\n"), &clip);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&heard));
    let heard: serde_json::Value = serde_json::from_slice(&heard).unwrap();
    let starts: Vec<f64> = heard["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|window| window["start"].as_f64().unwrap())
        .collect();
    assert_eq!(starts, [0.0, 0.5, 1.0, 1.3]);

    // A clip's length is checked before prediction: one of 960 s.
    let (status, reason) = post("", &wav(&vec![0; 960 * 16_000]));
    assert_eq!(status, 422);
    assert!(
        String::from_utf8_lossy(&reason)
            .contains("the clip is 960 s long; the page accepts up to 900 s")
    );

    // Idle clients block the page for others, who get an error, but do not prevent its exit.
    let idle: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&host).unwrap()).collect();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let mut answer = String::new();
    let mut one_more = TcpStream::connect(&host).unwrap();
    one_more.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
    drop(idle);
    std::thread::sleep(std::time::Duration::from_millis(500));

    // The page's prediction for a clip equals the command's for the file.
    program.write("clip.wav", &clip);
    let told = program
        .succeed(&["predict", "mine", "clip.wav", "--json"])
        .stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told[0]["probabilities"], heard["whole"]["probabilities"]);

    assert_eq!(post("Origin: http://evil.example\r\n", &clip).0, 403);
    let (status, reason) = post("", b"no audio at all");
    assert_eq!(status, 422);
    assert!(String::from_utf8_lossy(&reason).contains("not audio"));
    let head = format!("POST /hear HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999\r\n\r\n");
    assert_eq!(ask(&host, &head, b"").0, 413);
}

#[test]
fn what_cannot_be_opened_is_said() {
    let program = Program::new();
    program
        .run(&["listen", "nobody"])
        .fails_with(2, &["nobody is neither a model"]);
    program.run(&["listen"]).fails_with(2, &["MODEL"]);
}
