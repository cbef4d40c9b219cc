//! Rebuilds the raw tree of every registered corpus from the published rows in `../shared/reference`, prepares it, and compares
//! every row. The audio files are empty and their headers come from the rows, so only the recipe is tested.
//!
//! A corpus is one line below; a corpus with side files has a file here that writes them from the rows.

mod balanced;
mod emns;
mod emozionalmente;
mod folds;
mod harness;
mod iemocap;
mod m3ed;
mod meld;
mod mer2023;
mod msppodcast;
mod pavoque;
mod real;
mod releases;
mod resd;
mod shemo;
mod table;

use rayon::prelude::*;

macro_rules! reference_trees {
    ($($corpus:ident $(=> $side_files:path)?;)*) => {
        $(
            #[test]
            #[cfg_attr(not(has_shared), ignore = "needs ../shared")]
            fn $corpus() {
                let hook: Option<harness::SideFiles> = None $(.or(Some($side_files)))?;
                harness::check(stringify!($corpus), hook);
            }
        )*
        const TESTED: &[&str] = &[$(stringify!($corpus)),*];

        /// Not a test: with `EMOBOX_RELEASES=DIR` it writes a small release of every corpus below DIR, for
        /// `tools/paper_in_miniature.sh`; with `EMOBOX_WHOLE` set, a release of the full size in files of a few samples.
        #[test]
        #[ignore = "writes the releases of tools/paper_in_miniature.sh"]
        fn write_releases() {
            let root = std::env::var_os("EMOBOX_RELEASES").expect("EMOBOX_RELEASES=DIR");
            let corpora: &[(&str, Option<harness::SideFiles>)] =
                &[$((stringify!($corpus), None $(.or(Some($side_files as harness::SideFiles)))?)),*];
            let write = match std::env::var_os("EMOBOX_WHOLE") {
                Some(_) => releases::write_whole,
                None => releases::write,
            };
            corpora.par_iter().for_each(|(corpus, hook)| {
                write(corpus, *hook, &std::path::Path::new(&root).join(corpus));
            });
        }
    };
}

reference_trees! {
    aesdd;
    ased;
    asvpesd;
    cafe;
    casia;
    cremad;
    emns => emns::write;
    emodb;
    emovdb;
    emovo;
    emozionalmente => emozionalmente::write;
    enterface;
    esd;
    iemocap => iemocap::write;
    jlcorpus;
    m3ed => m3ed::write;
    mead;
    meld => meld::write;
    mer2023 => mer2023::write;
    mesd;
    msppodcast => msppodcast::write;
    oreau;
    pavoque => pavoque::write;
    polish;
    ravdess;
    resd => resd::write;
    savee;
    shemo => shemo::write;
    subesco;
    tess;
    turevdb;
    urdu;
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn the_rows_of_the_small_releases_are_current() {
    releases::check_sampled(TESTED);
}

#[test]
fn every_registered_corpus_with_published_rows_is_tested() {
    for entry in emobox_corpus::registry() {
        let published = entry.card.folds != emobox_corpus::PublishedFolds::NotPublished;
        assert!(
            !published || TESTED.contains(&entry.card.name),
            "add a line for {}",
            entry.card.name
        );
    }
}
