//! The hub's protocol: a listing, a HEAD for what a file is, redirects, and what a status means.

use super::{HubError, HubSettings};
use serde::Deserialize;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Redirects that are followed.
const REDIRECTS: usize = 8;
/// Bytes of a listing.
const LISTING_BYTES: u64 = 32 << 20;

pub(super) struct Client<'s> {
    agent: Agent,
    pub(super) settings: &'s HubSettings,
    repository: &'s str,
}

/// A commit and its files.
#[derive(Deserialize)]
pub(super) struct Listing {
    pub(super) sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Listing {
    /// The paths of all files, sorted.
    pub(super) fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .siblings
            .iter()
            .map(|file| file.rfilename.clone())
            .collect();
        names.sort();
        names
    }
}

/// What the hub says about a file.
pub(super) struct Remote {
    /// The name of its content: the SHA-256 for large files, a git object for small ones.
    pub(super) etag: String,
    pub(super) size: Option<u64>,
    pub(super) url: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Get,
}

impl<'s> Client<'s> {
    pub(super) fn new(settings: &'s HubSettings, repository: &'s str) -> Result<Self, HubError> {
        if let Some(token) = &settings.token
            && !token.value.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(HubError::InvalidToken {
                from: token.from.clone(),
            });
        }
        let timeout = Some(settings.timeout);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, so that the token goes to the hub alone and the first answer is seen.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(timeout)
            .timeout_connect(timeout)
            .timeout_recv_response(timeout)
            .timeout_per_read(timeout)
            .accept_encoding("identity")
            .user_agent(concat!("emobox/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: agent.into(),
            settings,
            repository,
        })
    }

    /// The commit that a revision stands for, and its files.
    pub(super) fn list(&self, revision: &str) -> Result<Listing, HubError> {
        let url = format!(
            "{}/api/models/{}/revision/{}",
            self.settings.endpoint,
            self.repository,
            percent(revision, false)
        );
        let mut response = self.send(Method::Get, &url, None)?.0;
        self.check_status(&response, &url, revision, "repository or revision")?;
        let malformed = |detail: String| HubError::Malformed {
            url: without_query(&url),
            detail,
        };
        let bytes = response
            .body_mut()
            .with_config()
            .limit(LISTING_BYTES)
            .read_to_vec();
        let bytes = bytes.map_err(|e| self.unreachable(&url, &e))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            malformed(format!(
                "the listing of the repository is not the expected JSON: {e}"
            ))
        })
    }

    /// The content's name and size of a file at a commit.
    pub(super) fn describe(&self, commit: &str, file: &str) -> Result<Remote, HubError> {
        let url = format!(
            "{}/{}/resolve/{commit}/{}",
            self.settings.endpoint,
            self.repository,
            percent(file, true)
        );
        let (response, linked) = self.send(Method::Head, &url, None)?;
        if !response.status().is_redirection() {
            self.check_status(&response, &url, commit, file)?;
        }
        let etag = linked.etag.or_else(|| text(response.headers(), "etag"));
        let etag = etag.ok_or_else(|| HubError::Malformed {
            url: without_query(&url),
            detail: format!("no etag for {file}; is {} a hub?", self.settings.endpoint),
        })?;
        let own_size = || text(response.headers(), "content-length")?.parse().ok();
        let size = linked
            .size
            .or_else(|| response.status().is_success().then(own_size)?);
        Ok(Remote {
            etag: etag.trim_start_matches("W/").trim_matches('"').to_owned(),
            size,
            url,
        })
    }

    /// Sends a request and follows redirects; a HEAD stops where the file leaves the hub, since the
    /// hub's own answer is the one that describes it.
    pub(super) fn send(
        &self,
        method: Method,
        url: &str,
        from: Option<u64>,
    ) -> Result<(Response<Body>, Linked), HubError> {
        let mut url = url.to_owned();
        let mut linked = Linked::default();
        for _ in 0..REDIRECTS {
            let mut request = match method {
                Method::Head => self.agent.head(&url),
                Method::Get => self.agent.get(&url),
            };
            if let Some(token) = &self.settings.token
                && origin(&url) == origin(&self.settings.endpoint)
            {
                request = request.header("authorization", format!("Bearer {}", token.value));
            }
            if let Some(from) = from.filter(|from| *from > 0) {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|e| self.unreachable(&url, &e))?;
            linked.note(response.headers());
            let location = text(response.headers(), "location");
            let (true, Some(location)) = (response.status().is_redirection(), location) else {
                return Ok((response, linked));
            };
            let next = if location.starts_with('/') && !location.starts_with("//") {
                format!("{}{location}", origin(&url).unwrap_or_default())
            } else {
                location
            };
            if origin(&next).is_none() {
                return Err(HubError::Malformed {
                    url: without_query(&url),
                    detail: format!(
                        "redirected to {:?}, which is no address",
                        without_query(&next)
                    ),
                });
            }
            if method == Method::Head && origin(&next) != origin(&url) {
                return Ok((response, linked));
            }
            url = next;
        }
        Err(HubError::Malformed {
            url: without_query(&url),
            detail: format!("more than {REDIRECTS} redirects"),
        })
    }

    pub(super) fn check_status(
        &self,
        response: &Response<Body>,
        url: &str,
        revision: &str,
        what: &str,
    ) -> Result<(), HubError> {
        let repository = self.repository.to_owned();
        match response.status().as_u16() {
            200..=299 => Ok(()),
            404 => Err(HubError::NotFound {
                repository,
                revision: revision.to_owned(),
                what: what.to_owned(),
                found: Vec::new(),
            }),
            status @ (401 | 403) => Err(HubError::Denied {
                page: format!("{}/{repository}", self.settings.endpoint),
                repository,
                status,
                token: self.settings.token.as_ref().map(|token| token.from.clone()),
            }),
            status => Err(HubError::Status {
                url: without_query(url),
                status,
            }),
        }
    }

    fn unreachable(&self, url: &str, error: &ureq::Error) -> HubError {
        HubError::Unreachable {
            url: without_query(url),
            detail: error.to_string(),
        }
    }
}

/// What the hub says about a file that it keeps elsewhere.
#[derive(Default)]
pub(super) struct Linked {
    etag: Option<String>,
    size: Option<u64>,
}

impl Linked {
    fn note(&mut self, headers: &HeaderMap) {
        if self.etag.is_none() {
            self.etag = text(headers, "x-linked-etag");
        }
        if self.size.is_none() {
            self.size = text(headers, "x-linked-size").and_then(|size| size.parse().ok());
        }
    }
}

pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<&str> {
    let after = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let start = url.len() - after.len();
    let end = after
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| start + at);
    (end > start).then(|| &url[..end])
}

/// Signed addresses carry secrets in their query.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn percent(text: &str, keep_slashes: bool) -> String {
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
}
