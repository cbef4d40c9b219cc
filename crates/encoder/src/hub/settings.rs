use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Address and cache of the hub, and connection settings.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// The hub cache, the folder of `models--…` folders.
    pub cache: PathBuf,
    /// Address of the hub or of a mirror, without a final slash.
    pub endpoint: String,
    /// The access token, if there is one.
    pub token: Option<Token>,
    /// Never use the network; the variable that requires this.
    pub offline: Option<String>,
    /// Longest wait for a connection, an answer or the next bytes.
    pub timeout: Duration,
    /// Attempts without progress before the download of a file fails.
    pub attempts: u32,
    /// Pause before the second attempt; doubled before each further one.
    pub pause: Duration,
}

/// An access token and its source. Its value never appears in messages.
#[derive(Clone)]
pub struct Token {
    pub(super) value: String,
    pub(super) from: String,
}

impl Token {
    /// A token from `from`, a variable or a file as named in messages.
    pub fn new(value: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            from: from.into(),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.from)
    }
}

impl HubSettings {
    /// From `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`,
    /// `HF_HUB_DOWNLOAD_TIMEOUT` and their older names, with the defaults of `huggingface_hub`.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`Self::from_environment`], with the variables from `get`.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let home_folder = set("HOME").or_else(|| set("USERPROFILE"));
        let expand = |path: String| match (path.strip_prefix("~/"), &home_folder) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(path),
        };
        let caches = set("XDG_CACHE_HOME").map_or_else(
            || Path::new(home_folder.as_deref().unwrap_or(".")).join(".cache"),
            expand,
        );
        let home = set("HF_HOME").map_or_else(|| caches.join("huggingface"), expand);
        let cache = set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE"));
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
            .into_iter()
            .find(|name| set(name).is_some_and(|value| is_true(&value)));
        let timeout = set("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|value| value.trim().parse().ok());
        Self {
            cache: cache.map_or_else(|| home.join("hub"), expand),
            endpoint: set("HF_ENDPOINT").map_or(DEFAULT_ENDPOINT.to_owned(), |url| {
                url.trim().trim_end_matches('/').to_owned()
            }),
            token: token(&set, &home, expand),
            offline: offline.map(|name| format!("{name} is set")),
            timeout: Duration::from_secs(timeout.unwrap_or(10).clamp(1, 3600)),
            attempts: 5,
            pause: Duration::from_secs(1),
        }
    }
}

fn token(
    set: &impl Fn(&str) -> Option<String>,
    home: &Path,
    expand: impl Fn(String) -> PathBuf,
) -> Option<Token> {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(value) = set(name) {
            return Some(Token::new(value.trim(), name));
        }
    }
    if set("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some_and(|value| is_true(&value)) {
        return None;
    }
    let path = set("HF_TOKEN_PATH").map_or_else(|| home.join("token"), expand);
    let value = std::fs::read_to_string(&path).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| Token::new(value, path.display().to_string()))
}

fn is_true(value: &str) -> bool {
    matches!(
        value.trim().to_ascii_uppercase().as_str(),
        "1" | "ON" | "YES" | "TRUE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> HubSettings {
        HubSettings::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_cache_is_where_the_python_library_has_it() {
        for (variables, expected) in [
            (&[("HOME", "/u")][..], "/u/.cache/huggingface/hub"),
            (
                &[("HOME", "/u"), ("XDG_CACHE_HOME", "/x")],
                "/x/huggingface/hub",
            ),
            (&[("HOME", "/u"), ("HF_HOME", "/h")], "/h/hub"),
            (&[("HOME", "/u"), ("HF_HOME", "~/h")], "/u/h/hub"),
            (&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/c")], "/c"),
            (&[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/c")], "/c"),
            (
                &[("HOME", "/u"), ("HF_HOME", "")],
                "/u/.cache/huggingface/hub",
            ),
        ] {
            assert_eq!(
                settings(variables).cache,
                Path::new(expected),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn offline_endpoint_and_timeout_follow_their_variables() {
        assert_eq!(settings(&[]).offline, None);
        assert_eq!(settings(&[("HF_HUB_OFFLINE", "0")]).offline, None);
        for (name, value) in [("HF_HUB_OFFLINE", "1"), ("TRANSFORMERS_OFFLINE", "true")] {
            assert_eq!(
                settings(&[(name, value)]).offline,
                Some(format!("{name} is set"))
            );
        }
        assert_eq!(settings(&[]).endpoint, DEFAULT_ENDPOINT);
        assert_eq!(
            settings(&[("HF_ENDPOINT", "http://m/x/ ")]).endpoint,
            "http://m/x"
        );
        assert_eq!(settings(&[]).timeout.as_secs(), 10);
        assert_eq!(
            settings(&[("HF_HUB_DOWNLOAD_TIMEOUT", "60")])
                .timeout
                .as_secs(),
            60
        );
        assert_eq!(
            settings(&[("HF_HUB_DOWNLOAD_TIMEOUT", "soon")])
                .timeout
                .as_secs(),
            10
        );
    }

    #[test]
    fn the_token_comes_from_the_variable_or_the_file_and_is_never_shown() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let home = home.path().to_str().unwrap();
        let from_file = settings(&[("HF_HOME", home)]).token.unwrap();
        assert_eq!(from_file.value, "hf_file");
        let from_variable = settings(&[("HF_HOME", home), ("HF_TOKEN", " hf_variable\n")]);
        assert_eq!(from_variable.token.as_ref().unwrap().value, "hf_variable");
        assert!(!format!("{from_variable:?}").contains("hf_variable"));
        let without = settings(&[("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]);
        assert!(without.token.is_none());
    }
}
