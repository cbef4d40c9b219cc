//! Requests: rules for following redirects, and the meaning of failures.

use crate::FetchError;
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Maximum number of redirects.
const REDIRECTS: usize = 8;

/// Settings for requests.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Timeout for a connection, an answer or the next bytes.
    pub timeout: Duration,
    /// Attempts without any progress before a file is given up.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one.
    pub pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempts: 5,
            pause: Duration::from_secs(1),
        }
    }
}

/// A secret for one server, never sent to another.
#[derive(Clone)]
pub struct Credential {
    /// Scheme, host and port that may see it, as [`origin`] gives them.
    pub origin: String,
    /// The value of the header `authorization`.
    pub authorization: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential(for {})", self.origin)
    }
}

/// A connection pool with its settings.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    pub(crate) settings: Settings,
    credential: Option<Credential>,
}

/// HEAD or GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Headers only. Stops where a redirect leaves the first server, because the first server's answer describes the
    /// file.
    Head,
    /// The content.
    Get,
}

/// The requested part of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Range<'a> {
    /// The first byte.
    pub(crate) from: u64,
    /// Only if the file still has this validator; else the whole file.
    pub(crate) if_unchanged: Option<&'a str>,
}

/// A server's answer after redirects.
#[derive(Debug)]
pub struct Answer {
    response: Response<Body>,
    url: String,
    /// Headers of the redirects before it.
    hops: Vec<HeaderMap>,
}

impl Client {
    /// A client without any connection yet.
    pub fn new(settings: Settings, credential: Option<Credential>) -> Self {
        let timeout = Some(settings.timeout);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, so that a secret goes only to its server and every answer is seen.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_recv_response(timeout)
            .timeout_per_read(timeout)
            .accept_encoding("identity")
            .user_agent(concat!("emobox/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: agent.into(),
            settings,
            credential,
        }
    }

    /// Sends a request and follows redirects.
    pub fn send(&self, method: Method, url: &str) -> Result<Answer, FetchError> {
        self.send_range(method, url, Range::default())
    }

    pub(crate) fn send_range(
        &self,
        method: Method,
        url: &str,
        range: Range<'_>,
    ) -> Result<Answer, FetchError> {
        let mut url = url.to_owned();
        let mut hops = Vec::new();
        for _ in 0..REDIRECTS {
            let mut request = match method {
                Method::Head => self.agent.head(&url),
                Method::Get => self.agent.get(&url),
            };
            if let Some(credential) = &self.credential
                && origin(&url) == Some(&credential.origin)
            {
                request = request.header("authorization", &credential.authorization);
            }
            if range.from > 0 {
                request = request.header("range", format!("bytes={}-", range.from));
                if let Some(validator) = range.if_unchanged {
                    request = request.header("if-range", validator);
                }
            }
            let response = request.call().map_err(|e| FetchError::Unreachable {
                url: without_query(&url),
                detail: e.to_string(),
            })?;
            let location = text(response.headers(), "location");
            let (true, Some(location)) = (response.status().is_redirection(), location) else {
                return Ok(Answer {
                    response,
                    url,
                    hops,
                });
            };
            let next = redirected(&url, location)?;
            if method == Method::Head && origin(&next) != origin(&url) {
                return Ok(Answer {
                    response,
                    url,
                    hops,
                });
            }
            hops.push(response.headers().clone());
            url = next;
        }
        Err(FetchError::Malformed {
            url: without_query(&url),
            detail: format!("more than {REDIRECTS} redirects"),
        })
    }
}

/// The target of a redirect.
fn redirected(url: &str, location: String) -> Result<String, FetchError> {
    let malformed = |detail| FetchError::Malformed {
        url: without_query(url),
        detail,
    };
    let next = if location.starts_with('/') && !location.starts_with("//") {
        format!("{}{location}", origin(url).unwrap_or_default())
    } else {
        location
    };
    let to = without_query(&next);
    if origin(&next).is_none() {
        return Err(malformed(format!(
            "redirected to {to:?}, which is no address"
        )));
    }
    if url.starts_with("https://") && next.starts_with("http://") {
        return Err(malformed(format!(
            "redirected to {to}, which is not encrypted"
        )));
    }
    Ok(next)
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header of the answer itself.
    pub fn header(&self, name: &str) -> Option<String> {
        text(self.response.headers(), name)
    }

    /// A header of the first answer along the redirects that has it.
    pub fn first_header(&self, name: &str) -> Option<String> {
        let hops = self.hops.iter().find_map(|headers| text(headers, name));
        hops.or_else(|| self.header(name))
    }

    /// The whole content, which must not exceed `limit` bytes.
    pub fn read(mut self, limit: u64) -> Result<Vec<u8>, FetchError> {
        let body = self.response.body_mut().with_config().limit(limit);
        body.read_to_vec().map_err(|e| FetchError::Unreachable {
            url: without_query(&self.url),
            detail: e.to_string(),
        })
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.response.body().content_length()
    }

    pub(crate) fn into_reader(self) -> impl std::io::Read {
        self.response.into_body().into_reader()
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Scheme, host and port of an `http` or `https` address.
pub fn origin(url: &str) -> Option<&str> {
    let after = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let start = url.len() - after.len();
    let end = after
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| start + at);
    (end > start).then(|| &url[..end])
}

/// An address as shown in messages: signed ones have secrets in their query.
pub fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Text as a part of an address; slashes are kept if requested.
pub fn percent(text: &str, keep_slashes: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (keep_slashes && byte == b'/')
        {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_put_together() {
        assert_eq!(origin("https://a.b:1/c?d"), Some("https://a.b:1"));
        assert_eq!(origin("http://a?x"), Some("http://a"));
        assert_eq!(origin("ftp://a/"), None);
        assert_eq!(origin("https:///x"), None);
        assert_eq!(without_query("https://a/b?Signature=s"), "https://a/b");
        assert_eq!(percent("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(percent("a b/ä.bin", true), "a%20b/%C3%A4.bin");
    }

    #[test]
    fn redirects_stay_encrypted() {
        let to = |from: &str, location: &str| redirected(from, location.to_owned()).ok();
        assert_eq!(to("https://a/b", "/c"), Some("https://a/c".to_owned()));
        assert_eq!(
            to("http://a/b", "https://c/d"),
            Some("https://c/d".to_owned())
        );
        assert_eq!(to("https://a/b", "http://a/b"), None);
        assert_eq!(to("https://a/b", "file:///etc/passwd"), None);
    }
}
