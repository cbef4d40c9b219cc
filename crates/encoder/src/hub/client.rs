//! The hub's protocol: a listing, a HEAD request for the properties of a file, and the meaning of status codes.

use super::{HubError, HubSettings};
use emobox_fetch::{Answer, Client as Http, Credential, FetchError, Method, Settings};
use emobox_fetch::{origin, percent, without_query};
use serde::Deserialize;

/// Limit on the bytes of a listing.
const LISTING_BYTES: u64 = 32 << 20;

pub(super) struct Client<'s> {
    pub(super) http: Http,
    settings: &'s HubSettings,
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

/// The hub's metadata for a file.
pub(super) struct Remote {
    /// The identifier of its content: the SHA-256 for large files, a git object for small ones.
    pub(super) etag: String,
    pub(super) size: Option<u64>,
    pub(super) url: String,
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
        let credential = settings.token.as_ref().and_then(|token| {
            Some(Credential {
                origin: origin(&settings.endpoint)?.to_owned(),
                authorization: format!("Bearer {}", token.value),
            })
        });
        let how = Settings {
            timeout: settings.timeout,
            attempts: settings.attempts,
            pause: settings.pause,
        };
        Ok(Self {
            http: Http::new(how, credential),
            settings,
            repository,
        })
    }

    /// The commit of a revision, and its files.
    pub(super) fn list(&self, revision: &str) -> Result<Listing, HubError> {
        let url = format!(
            "{}/api/models/{}/revision/{}",
            self.settings.endpoint,
            self.repository,
            percent(revision, false)
        );
        let answer = self.http.send(Method::Get, &url)?;
        self.check_status(answer.status(), &url, revision, "repository or revision")?;
        let bytes = answer.read(LISTING_BYTES)?;
        let listing = serde_json::from_slice(&bytes).map_err(|e| FetchError::Malformed {
            url: without_query(&url),
            detail: format!("the listing of the repository is not the expected JSON: {e}"),
        })?;
        Ok(listing)
    }

    /// The identifier and size of a file's content at a commit.
    pub(super) fn describe(&self, commit: &str, file: &str) -> Result<Remote, HubError> {
        let url = format!(
            "{}/{}/resolve/{commit}/{}",
            self.settings.endpoint,
            self.repository,
            percent(file, true)
        );
        let answer = self.http.send(Method::Head, &url)?;
        if !(300..400).contains(&answer.status()) {
            self.check_status(answer.status(), &url, commit, file)?;
        }
        // For a file stored elsewhere, the hub's own header takes precedence.
        let etag = answer.first_header("x-linked-etag");
        let etag = etag.or_else(|| answer.header("etag"));
        let etag = etag.ok_or_else(|| FetchError::Malformed {
            url: without_query(&url),
            detail: format!("no etag for {file}; is {} a hub?", self.settings.endpoint),
        })?;
        Ok(Remote {
            etag: etag.trim_start_matches("W/").trim_matches('"').to_owned(),
            size: size(&answer),
            url,
        })
    }

    fn check_status(
        &self,
        status: u16,
        url: &str,
        revision: &str,
        what: &str,
    ) -> Result<(), HubError> {
        let repository = self.repository.to_owned();
        match status {
            200..=299 => Ok(()),
            404 => Err(HubError::NotFound {
                repository,
                revision: revision.to_owned(),
                what: what.to_owned(),
                found: Vec::new(),
            }),
            401 | 403 => Err(HubError::Denied {
                page: format!("{}/{repository}", self.settings.endpoint),
                repository,
                status,
                token: self.settings.token.as_ref().map(|token| token.from.clone()),
            }),
            _ => Err(FetchError::Status {
                url: without_query(url),
                status,
            }
            .into()),
        }
    }

    /// Converts a failed transfer of `file` to the hub's error.
    pub(super) fn explain(&self, error: FetchError, commit: &str, file: &str) -> HubError {
        let FetchError::Status { url, status } = &error else {
            return error.into();
        };
        match self.check_status(*status, url, commit, file) {
            Err(explained) => explained,
            Ok(()) => error.into(),
        }
    }
}

fn size(answer: &Answer) -> Option<u64> {
    let linked = answer.first_header("x-linked-size");
    if let Some(size) = linked.and_then(|size| size.parse().ok()) {
        return Some(size);
    }
    let own = (200..300).contains(&answer.status());
    answer
        .header("content-length")
        .filter(|_| own)?
        .parse()
        .ok()
}
