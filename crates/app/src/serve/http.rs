//! As much of HTTP/1.1 as a page on the same machine needs: one request per connection, bodies of a stated and bounded length.

use std::io::{Read, Write};

/// Maximum length of a request's head.
const HEAD: usize = 16 << 10;

/// A complete request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
}

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: &'static str,
    pub(super) reason: String,
}

impl Refusal {
    pub(super) fn new(status: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }
}

/// Which requests are accepted, and how large they may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    pub(super) port: u16,
    pub(super) most: usize,
}

impl Door {
    /// `127.0.0.1:8765` and the other names of this machine for itself. A page of another site whose name resolves
    /// to 127.0.0.1 sends its own name, and is refused.
    fn knows(self, host: &str) -> bool {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let host = host.to_ascii_lowercase();
        names.iter().any(|name| {
            // Browsers leave out the default port.
            host == format!("{name}:{}", self.port) || self.port == 80 && host == *name
        })
    }

    /// Reads a request. Writes to `stream` only if the client asks whether to continue.
    pub(super) fn read(self, stream: &mut (impl Read + Write)) -> Result<Request, Refusal> {
        let bad = |reason: &str| Refusal::new("400 Bad Request", reason);
        let (head, mut body) = head(stream)?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad("no request of HTTP/1.1"));
        };
        let headers: Vec<(String, &str)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
            .collect();
        let all = |name: &str| -> Vec<&str> {
            let named = headers.iter().filter(|(known, _)| known == name);
            named.map(|(_, value)| *value).collect()
        };
        let strange =
            |what: &str| Refusal::new("403 Forbidden", format!("{what} is not this machine"));
        match all("host")[..] {
            [host] if self.knows(host) => {}
            _ => return Err(strange("the host that was asked for")),
        }
        let is_ours = |origin: &&str| {
            origin
                .strip_prefix("http://")
                .is_some_and(|host| self.knows(host))
        };
        if !all("origin").iter().all(is_ours) {
            return Err(strange("the page that asks"));
        }
        if !all("transfer-encoding").is_empty() {
            return Err(Refusal::new(
                "501 Not Implemented",
                "bodies have a stated length here",
            ));
        }
        let length = match all("content-length")[..] {
            [] => 0,
            [text] => text.parse().map_err(|_| bad("no length of a body"))?,
            _ => return Err(bad("two lengths of a body")),
        };
        if length > self.most {
            let most = self.most >> 20;
            let reason = format!("the clip is larger than {most} MiB");
            return Err(Refusal::new("413 Content Too Large", reason));
        }
        if body.len() < length
            && all("expect")
                .iter()
                .any(|e| e.eq_ignore_ascii_case("100-continue"))
        {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let had = body.len().min(length);
        body.resize(length, 0);
        stream.read_exact(&mut body[had..]).map_err(|_| {
            Refusal::new(
                "408 Request Timeout",
                "the request body is shorter than its length",
            )
        })?;
        Ok(Request {
            method: method.to_owned(),
            path: path.split('?').next().unwrap_or_default().to_owned(),
            body,
        })
    }
}

/// The head of a request without its empty line, and the bytes that followed it.
fn head(stream: &mut impl Read) -> Result<(String, Vec<u8>), Refusal> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let body = bytes.split_off(end + 4);
            bytes.truncate(end);
            let head = String::from_utf8(bytes);
            let head =
                head.map_err(|_| Refusal::new("400 Bad Request", "the request head is not text"))?;
            return Ok((head, body));
        }
        if bytes.len() > HEAD {
            return Err(Refusal::new(
                "431 Request Header Fields Too Large",
                "a head of no end",
            ));
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => {
                return Err(Refusal::new(
                    "408 Request Timeout",
                    "the request head did not end",
                ));
            }
        }
    }
}

/// Writes a response and says that it is the last. The page may load nothing from elsewhere and may not be framed.
pub(super) fn answer(stream: &mut impl Write, status: &str, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; \
         img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'\r\n\r\n",
        body.len()
    );
    // A client that has disconnected does not need the response.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
    let _ = stream.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client sends, in small pieces, and what it receives.
    struct Line<'a>(&'a [u8], Vec<u8>);

    impl Read for Line<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let count = to.len().min(self.0.len()).min(7);
            to[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    impl Write for Line<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn asked(text: &str) -> Result<Request, Refusal> {
        let door = Door {
            port: 8765,
            most: 1 << 20,
        };
        door.read(&mut Line(text.as_bytes(), Vec::new()))
    }

    #[test]
    fn a_request_is_read_whole() {
        let text = "POST /hear?x=1 HTTP/1.1\r\nHOST: localhost:8765\r\nOrigin: http://127.0.0.1:8765\r\nContent-Length: 5\r\n\r\nabcde";
        let request = asked(text).unwrap();
        assert_eq!((&*request.method, &*request.path), ("POST", "/hear"));
        assert_eq!(request.body, b"abcde");
    }

    #[test]
    fn this_machine_has_several_names() {
        let knows = |port, host: &str| Door { port, most: 0 }.knows(host);
        assert!(knows(8765, "LocalHost:8765") && knows(8765, "[::1]:8765"));
        assert!(knows(80, "127.0.0.1") && knows(80, "localhost:80"));
        assert!(!knows(8765, "localhost") && !knows(80, "evil.example"));
    }

    #[test]
    fn what_is_strange_is_refused() {
        let ours = "Host: localhost:8765\r\n";
        for (text, status) in [
            (
                "GET / HTTP/1.1\r\nHost: evil.example:8765\r\n\r\n".to_owned(),
                "403",
            ),
            (
                "GET / HTTP/1.1\r\nHost: localhost:80\r\n\r\n".to_owned(),
                "403",
            ),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), "403"),
            (format!("GET / HTTP/1.1\r\n{ours}{ours}\r\n"), "403"),
            (
                format!("POST / HTTP/1.1\r\n{ours}Origin: http://evil.example\r\n\r\n"),
                "403",
            ),
            (
                format!("POST / HTTP/1.1\r\n{ours}Origin: null\r\n\r\n"),
                "403",
            ),
            (
                format!("POST / HTTP/1.1\r\n{ours}Transfer-Encoding: chunked\r\n\r\n"),
                "501",
            ),
            (
                format!("POST / HTTP/1.1\r\n{ours}Content-Length: 9999999999\r\n\r\n"),
                "413",
            ),
            (
                format!("POST / HTTP/1.1\r\n{ours}Content-Length: -1\r\n\r\n"),
                "400",
            ),
            (
                format!("POST / HTTP/1.1\r\n{ours}Content-Length: 9\r\n\r\nabc"),
                "408",
            ),
            (format!("GET / HTTP/3\r\n{ours}\r\n"), "400"),
            ("GET /".to_owned(), "408"),
            ("x".repeat(HEAD * 2), "431"),
        ] {
            let refusal = asked(&text).unwrap_err();
            assert!(refusal.status.starts_with(status), "{text:?}: {refusal:?}");
        }
    }

    #[test]
    fn who_asks_whether_to_go_on_is_told() {
        let text = "POST / HTTP/1.1\r\nHost: [::1]:8765\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\nabcdefgh";
        let mut line = Line(text.as_bytes(), Vec::new());
        let door = Door {
            port: 8765,
            most: 100,
        };
        assert_eq!(door.read(&mut line).unwrap().body, b"abcdefgh");
        assert_eq!(line.1, b"HTTP/1.1 100 Continue\r\n\r\n");
    }
}
