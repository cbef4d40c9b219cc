//! A page on this machine that classifies clips: dropped files or the microphone.

use emobox_bench::{Answer, BenchError, CallError, Context, Predictor, Windows};
mod http;

use emobox_audio::{LoadOptions, SampleRate, load_bytes, probe_bytes};
use http::{Door, Refusal, Request, answer};
use serde::Serialize;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Maximum size of a clip in bytes.
const LARGEST: usize = 64 << 20;

/// Maximum length of a clip in seconds: an encoder without a window of its own takes it as one input.
const LONGEST: f64 = 900.0;

/// Maximum number of open connections; a page needs one or two.
const MOST_CONNECTIONS: usize = 8;

/// Time limit for a client to send its request, and to receive the response.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often to check for the end while no requests arrive.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");
const RECORDER: &str = include_str!("recorder.js");

/// A predictor behind a page.
pub struct ListenPage {
    predictor: Predictor,
    about: Vec<u8>,
    windows: Windows,
    /// One clip at a time: this bounds an encoder's memory by that for one clip.
    turn: Mutex<()>,
}

/// What the page shows before the first clip.
#[derive(Serialize)]
struct About<'a> {
    name: &'a str,
    classes: &'a [String],
    /// Whether numbers are values of dimensions, not probabilities.
    dimensions: bool,
    window: f64,
    hop: f64,
    most_bytes: usize,
    /// The text of the model's card.
    card: Option<&'a str>,
}

/// The response to a clip.
#[derive(Serialize)]
struct Heard {
    whole: Answer,
    windows: Vec<Answer>,
}

impl ListenPage {
    /// A page for `predictor`, with windows of this many seconds that begin every `hop` seconds.
    pub fn new(
        predictor: Predictor,
        name: &str,
        card: Option<&str>,
        window: f64,
        hop: f64,
    ) -> Result<Self, BenchError> {
        let about = About {
            name,
            classes: predictor.classes(),
            dimensions: predictor.tells_dimensions(),
            window,
            hop,
            most_bytes: LARGEST,
            card,
        };
        Ok(Self {
            windows: Windows::new(window, hop)?,
            about: serde_json::to_vec(&about).unwrap_or_default(),
            predictor,
            turn: Mutex::new(()),
        })
    }

    /// A port of this machine that other machines cannot reach; 0 for any free port. Returns its address too.
    pub fn bind(port: u16) -> Result<(TcpListener, String), BenchError> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let bound = bound.and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = format!("http://{}/", listener.local_addr()?);
            Ok((listener, address))
        });
        bound.map_err(|e| {
            BenchError::Call(CallError::Port {
                port,
                reason: e.to_string(),
            })
        })
    }

    /// Serves until the user stops it.
    pub fn serve(&self, listener: &TcpListener, context: Context<'_>) -> Result<(), BenchError> {
        let port = listener.local_addr().map_or(0, |address| address.port());
        let door = Door {
            port,
            most: LARGEST,
        };
        let open = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            while !context.stopped() {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let open = &open;
                        if open.fetch_add(1, Ordering::Relaxed) >= MOST_CONNECTIONS {
                            open.fetch_sub(1, Ordering::Relaxed);
                            refuse(stream);
                            continue;
                        }
                        scope.spawn(move || {
                            self.converse(stream, door, context);
                            open.fetch_sub(1, Ordering::Relaxed);
                        });
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK_AGAIN),
                    // A client that disconnected before it was accepted.
                    Err(_) => {}
                }
            }
        });
        Ok(())
    }

    fn converse(&self, mut stream: TcpStream, door: Door, context: Context<'_>) {
        let patient = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(LOOK_AGAIN)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        if patient.is_err() {
            return;
        }
        let mut client = Client {
            stream: &stream,
            until: Instant::now() + PATIENCE,
            context,
        };
        let request = door.read(&mut client);
        match request.and_then(|request| self.reply(&request, context)) {
            Ok((kind, body)) => answer(&mut stream, "200 OK", kind, &body),
            Err(refusal) => {
                let reason = refusal.reason.as_bytes();
                answer(
                    &mut stream,
                    refusal.status,
                    "text/plain; charset=utf-8",
                    reason,
                );
                // Closing the connection with unread data would discard the response before the client has it.
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                let mut rest = std::io::Read::take(&stream, LARGEST as u64);
                let _ = std::io::copy(&mut rest, &mut std::io::sink());
            }
        }
    }

    fn reply(
        &self,
        request: &Request,
        context: Context<'_>,
    ) -> Result<(&'static str, Vec<u8>), Refusal> {
        let text = |kind, text: &str| Ok((kind, text.as_bytes().to_vec()));
        match (&*request.method, &*request.path) {
            ("GET", "/") => text("text/html; charset=utf-8", HTML),
            ("GET", "/page.css") => text("text/css; charset=utf-8", CSS),
            ("GET", "/page.js") => text("text/javascript; charset=utf-8", JS),
            ("GET", "/recorder.js") => text("text/javascript; charset=utf-8", RECORDER),
            ("GET", "/about") => Ok(("application/json", self.about.clone())),
            ("POST", "/hear") => {
                let heard = self.hear(&request.body, context);
                let heard =
                    heard.map_err(|e| Refusal::new("422 Unprocessable Content", e.to_string()))?;
                Ok((
                    "application/json",
                    serde_json::to_vec(&heard).unwrap_or_default(),
                ))
            }
            (_, "/" | "/hear" | "/about" | "/page.css" | "/page.js" | "/recorder.js") => Err(
                Refusal::new("405 Method Not Allowed", "this method is not allowed here"),
            ),
            _ => Err(Refusal::new("404 Not Found", "no such page")),
        }
    }

    fn hear(&self, clip: &[u8], context: Context<'_>) -> Result<Heard, BenchError> {
        let _turn = self.turn.lock();
        // Checked before decoding: a few bytes of silence may be hours.
        let info = probe_bytes(clip.to_vec(), "clip")?;
        within(info.frames.unwrap_or_default() as usize, info.sample_rate)?;
        let samples = load_bytes(
            clip.to_vec(),
            "clip",
            &LoadOptions {
                sample_rate: self.predictor.rate(),
                ..LoadOptions::default()
            },
        )?;
        within(samples.len(), self.predictor.rate())?;
        let (whole, windows) =
            self.predictor
                .hear(Path::new("clip"), &samples, self.windows, context)?;
        Ok(Heard { whole, windows })
    }
}

/// Refuses a clip of this many samples if it is too long.
fn within(samples: usize, rate: SampleRate) -> Result<(), BenchError> {
    let seconds = samples as f64 / f64::from(rate.0.max(1));
    if seconds <= LONGEST {
        return Ok(());
    }
    Err(BenchError::Call(CallError::LongClip {
        seconds,
        longest: LONGEST,
    }))
}

/// Tells a client that there are too many.
fn refuse(mut stream: TcpStream) {
    let patience = Some(LOOK_AGAIN);
    if stream.set_nonblocking(false).is_ok() && stream.set_write_timeout(patience).is_ok() {
        let status = "503 Service Unavailable";
        let reason = b"too many connections at once; try again";
        answer(&mut stream, status, "text/plain; charset=utf-8", reason);
    }
}

/// A client with a time limit for its whole request, which also ends when the user stops the page.
struct Client<'a> {
    stream: &'a TcpStream,
    until: Instant,
    context: Context<'a>,
}

impl Read for Client<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if self.context.stopped() || Instant::now() >= self.until {
                return Err(ErrorKind::TimedOut.into());
            }
            match self.stream.read(to) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                done => return done,
            }
        }
    }
}

impl Write for Client<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}
