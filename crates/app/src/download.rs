//! Downloads open releases and unpacks them into a folder.

use emobox_bench::{BenchError, CallError, Context, Home, Stage};
use emobox_corpus::{Access, Card};
use emobox_fetch::{
    Checksum, Client, Continue, Limits, Settings, Skipped, Transfer, Wanted, fetch_file, git_tree,
    has_archive_name, stem_folder, unpack, without_query,
};
use emobox_files::{DirLock, FileError, remove_folder};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The name under which the published fold lists are downloaded.
pub const PUBLISHED_METADATA: &str = "published-metadata";
/// Assumed size in bytes of a file whose size is not published. The largest open release, MEAD, is smaller.
const UNKNOWN_BYTES: u64 = 1 << 40;

/// What is available under a name.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "offer")]
pub enum Offer {
    /// It can be downloaded.
    Fetch(Release),
    /// A person has to fetch it; the text says where and how.
    ByHand {
        /// The corpus.
        name: String,
        /// What to request, where, and what to do next.
        how: String,
    },
}

/// An open release: its files and its terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// The corpus, or [`PUBLISHED_METADATA`].
    pub name: String,
    /// Its full name.
    pub title: String,
    /// The licence, if known.
    pub licence: String,
    /// The page that offers it.
    pub page: String,
    /// What to cite.
    pub citation: String,
    /// The files.
    pub files: Vec<ReleaseFile>,
    /// A folder of the unpacked release and the git tree hash that it must have.
    pub git_tree: Option<(String, String)>,
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseFile {
    /// Its address.
    pub url: String,
    /// Its size in bytes, where published.
    pub bytes: Option<u64>,
    /// `md5:…` or `sha256:…`, where published.
    pub checksum: Option<String>,
}

/// How a release is fetched.
#[derive(Debug, Clone, Default)]
pub struct DownloadHow {
    /// Where it goes; none means `downloads/NAME` in the home folder.
    pub out: Option<PathBuf>,
    /// The address of a mirror's folder that has files of the same names.
    pub mirror: Option<String>,
    /// Keep the archives after unpacking, in `<out>.incoming`.
    pub keep_archives: bool,
}

/// A downloaded release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Downloaded {
    /// The folder to name in `prepare --raw`, or in `--metadata`.
    pub folder: PathBuf,
    /// Whether it already existed.
    pub already: bool,
    /// Files in it that this call wrote.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entries of the archives that were not written.
    pub skipped: Vec<Skipped>,
    /// Files that have no published checksum or size to check against.
    pub unverified: Vec<String>,
}

/// What is available under `name`.
pub fn offer(name: &str) -> Result<Offer, BenchError> {
    if name == PUBLISHED_METADATA {
        return Ok(Offer::Fetch(published_metadata()));
    }
    let card = &emobox_corpus::entry_meant(name)?.card;
    Ok(match card.access {
        Access::Open { page, archives } if !archives.is_empty() => Offer::Fetch(Release {
            name: card.name.to_owned(),
            title: card.full_name.to_owned(),
            licence: card.licence.to_owned(),
            page: page.to_owned(),
            citation: card.citation.to_owned(),
            files: archives
                .iter()
                .map(|archive| ReleaseFile {
                    url: archive.address.to_owned(),
                    bytes: archive.bytes,
                    checksum: archive.checksum.map(str::to_owned),
                })
                .collect(),
            git_tree: None,
        }),
        access => Offer::ByHand {
            name: card.name.to_owned(),
            how: by_hand(card, &access),
        },
    })
}

/// The repository of the paper at the commit that the cards describe.
fn published_metadata() -> Release {
    const COMMIT: &str = "08280f279d47fb55d2c614061c70523d0a338d6b";
    Release {
        name: PUBLISHED_METADATA.to_owned(),
        title: "The published EmoBox metadata: full lists and fold lists of the 32 corpora".to_owned(),
        licence: "MIT by the badge of its README; there is no licence file".to_owned(),
        page: "https://github.com/emo-box/EmoBox".to_owned(),
        citation: "Ma et al.: EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark. \
                   Interspeech 2024"
            .to_owned(),
        files: vec![ReleaseFile {
            url: format!("https://github.com/emo-box/EmoBox/archive/{COMMIT}.zip"),
            bytes: None,
            checksum: None,
        }],
        // The tree of `data` at that commit, if none of its scripts were marked as executable.
        git_tree: Some((
            format!("EmoBox-{COMMIT}/data"),
            "caa3b53a08c0b5182cf2ea5a21e1b4eb56002b57".to_owned(),
        )),
    }
}

fn by_hand(card: &Card, access: &Access) -> String {
    let name = card.name;
    let where_and_how = match access {
        Access::BuiltIn => {
            return format!("{name} is made by the program itself: run `emobox demo`");
        }
        Access::Request { page, how } => format!("request it at {page}\n  {how}"),
        Access::Open { page, .. } => format!(
            "fetch it by hand from {page}\n  anybody may, but no address of the files is known that stays valid"
        ),
    };
    let layout = card.layout.replace('\n', "\n  ");
    format!(
        "{name} ({}) is not downloaded by this program: {where_and_how}\nlicence: {}\nunpack it so that the folder looks like\n  {layout}\nand run: emobox prepare {name} --raw DIR",
        card.full_name, card.licence
    )
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.title)?;
        writeln!(f, "licence: {}", self.licence)?;
        writeln!(f, "page:    {}", self.page)?;
        writeln!(f, "cite:    {}", self.citation)?;
        for file in &self.files {
            let size = file.bytes.map(|n| format!(", {n} bytes"));
            let sum = file.checksum.as_ref().map(|sum| format!(", {sum}"));
            let (size, sum) = (size.unwrap_or_default(), sum.unwrap_or_default());
            writeln!(f, "file:    {}{size}{sum}", file.url)?;
        }
        Ok(())
    }
}

impl ReleaseFile {
    /// The last part of the address.
    fn name(&self) -> String {
        let url = without_query(&self.url);
        let name = url.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let name: String = name.chars().filter(|&c| plain(c)).collect();
        if name.trim_start_matches('.').is_empty() {
            "file".to_owned()
        } else {
            name
        }
    }
}

/// Fetches and unpacks a release.
///
/// Files arrive in `<out>.incoming` and resume there after a broken connection or Ctrl-C; `<out>` appears when all is unpacked.
pub fn download(
    home: &Home,
    release: &Release,
    how: &DownloadHow,
    context: Context<'_>,
) -> Result<Downloaded, BenchError> {
    let out = how.out.clone();
    let out = out.unwrap_or_else(|| home.download(&release.name));
    let incoming = sibling(&out, ".incoming")?;
    let folder = match &release.git_tree {
        Some((inside, _)) => out.join(inside),
        None => out.clone(),
    };
    let lock = DirLock::acquire(&incoming, || {
        let note = format!(
            "another process is downloading to {}; waiting",
            out.display()
        );
        context.progress.note(&note);
    })?;
    let mut result = Downloaded {
        folder: folder.clone(),
        already: true,
        files: 0,
        bytes: 0,
        skipped: Vec::new(),
        unverified: Vec::new(),
    };
    let exists = std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some());
    if !exists {
        result.already = false;
        let archives = fetch_all(release, how, &incoming, &mut result, context)?;
        let staging = incoming.join("unpacked");
        remove_folder(&staging)?;
        let unpacked = unpack_all(&archives, &staging, &mut result, context)
            .and_then(|()| check_tree(release, &staging));
        if let Err(error) = unpacked {
            remove_folder(&staging)?;
            if !matches!(error, BenchError::Interrupted | BenchError::File(_)) {
                // The archive itself is defective: the next call must not find it complete.
                for archive in &archives {
                    std::fs::remove_file(archive)
                        .map_err(|e| FileError::io("remove", archive, e))?;
                }
            }
            return Err(error);
        }
        std::fs::rename(&staging, &out).map_err(|e| FileError::io("rename into place", &out, e))?;
    }
    drop(lock);
    if !how.keep_archives || result.already {
        remove_folder(&incoming)?;
    }
    Ok(result)
}

fn fetch_all(
    release: &Release,
    how: &DownloadHow,
    incoming: &Path,
    result: &mut Downloaded,
    context: Context<'_>,
) -> Result<Vec<PathBuf>, BenchError> {
    let client = Client::new(Settings::default(), None);
    let mut archives = Vec::new();
    for file in &release.files {
        let name = file.name();
        let place = incoming.join(&name);
        let checksum = file.checksum.as_deref().and_then(Checksum::parse);
        if checksum.is_none() && release.git_tree.is_none() {
            result.unverified.push(name.clone());
        }
        if !place.is_file() {
            let wanted = Wanted {
                url: match &how.mirror {
                    Some(mirror) => format!("{}/{name}", mirror.trim_end_matches('/')),
                    None => file.url.clone(),
                },
                name: name.clone(),
                bytes: file.bytes,
                limit: UNKNOWN_BYTES,
                checksum,
                named_by_content: false,
            };
            let mut bar = Bar::new(context, format!("fetching {name}"));
            let mut last_reason = String::new();
            let fetched = fetch_file(&client, &wanted, &place, &mut |event| {
                match event {
                    Transfer::Bytes { done, total } => bar.at(done, total.unwrap_or(0)),
                    Transfer::Retrying { done, reason } if last_reason != reason => {
                        reason.clone_into(&mut last_reason);
                        let note = format!("{name}: {reason}; going on from byte {done}");
                        context.progress.note(&note);
                    }
                    _ => {}
                }
                go_on(context)
            });
            bar.end();
            fetched?;
        }
        archives.push(place);
    }
    Ok(archives)
}

fn unpack_all(
    archives: &[PathBuf],
    staging: &Path,
    result: &mut Downloaded,
    context: Context<'_>,
) -> Result<(), BenchError> {
    std::fs::create_dir_all(staging).map_err(|e| FileError::io("create folder", staging, e))?;
    let several = archives.len() > 1;
    for archive in archives {
        let name = archive.file_name().unwrap_or_default();
        if !has_archive_name(archive) {
            let place = staging.join(name);
            let copied = std::fs::hard_link(archive, &place)
                .or_else(|_| std::fs::copy(archive, &place).map(drop));
            copied.map_err(|e| FileError::io("copy", &place, e))?;
            result.files += 1;
            continue;
        }
        let folder = if several {
            stem_folder(&staging.join(name))
        } else {
            staging.to_owned()
        };
        let mut bar = Bar::new(context, format!("unpacking {}", name.to_string_lossy()));
        let unpacked = unpack(archive, &folder, &Limits::default(), &mut |done| {
            bar.at(done, 0);
            go_on(context)
        });
        bar.end();
        let unpacked = unpacked?;
        result.files += unpacked.files;
        result.bytes += unpacked.bytes;
        result.skipped.extend(unpacked.skipped);
    }
    Ok(())
}

fn check_tree(release: &Release, staging: &Path) -> Result<(), BenchError> {
    let Some((inside, expected)) = &release.git_tree else {
        return Ok(());
    };
    let folder = staging.join(inside);
    let found = if folder.is_dir() {
        git_tree(&folder)?
    } else {
        "no such folder".to_owned()
    };
    if found == *expected {
        return Ok(());
    }
    Err(BenchError::NotAsPublished {
        folder: PathBuf::from(inside),
        expected: expected.clone(),
        found,
    })
}

fn go_on(context: Context<'_>) -> Continue {
    if context.stopped() {
        Continue::No
    } else {
        Continue::Yes
    }
}

/// `path` with `ending` appended to its last part.
fn sibling(path: &Path, ending: &str) -> Result<PathBuf, BenchError> {
    let Some(name) = path.file_name() else {
        let path = path.display();
        return Err(BenchError::Call(CallError::value(
            "folder of a download",
            path,
            "the name of a new folder",
        )));
    };
    let mut name = name.to_owned();
    name.push(ending);
    Ok(path.with_file_name(name))
}

/// One stage per file, in bytes.
struct Bar<'a> {
    context: Context<'a>,
    label: String,
    begun: bool,
    done: u64,
}

impl<'a> Bar<'a> {
    fn new(context: Context<'a>, label: String) -> Self {
        Self {
            context,
            label,
            begun: false,
            done: 0,
        }
    }

    fn at(&mut self, done: u64, total: u64) {
        if self.begun {
            let more = done.saturating_sub(self.done);
            self.context.progress.advance(more);
        } else {
            self.begun = true;
            self.context.progress.begin(&Stage {
                label: self.label.clone(),
                total,
                unit: "bytes",
                already: done,
            });
        }
        self.done = done;
    }

    fn end(&self) {
        if self.begun {
            self.context.progress.end();
        }
    }
}
