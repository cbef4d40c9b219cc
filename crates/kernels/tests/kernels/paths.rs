//! The selection of instructions.

use std::process::Command;

use emobox_kernels::{Path, PathError, active_path, available_paths, bf16_is_native, with_path};

use crate::support::on_each_path;

#[test]
fn the_best_path_comes_last_and_the_portable_one_always_works() {
    let paths = available_paths();
    assert_eq!(paths[0], Path::Portable);
    for path in paths {
        assert_eq!(path.name().parse(), Ok(path));
    }
    on_each_path(|path| {
        assert_eq!(active_path(), Ok(path));
        assert_eq!(bf16_is_native(), path == Path::Avx512Bf16);
    });
}

#[test]
fn a_path_that_the_machine_lacks_is_refused() {
    for path in Path::ALL.into_iter().filter(|path| !path.is_available()) {
        let refused = with_path(path, || ()).unwrap_err();
        assert!(
            matches!(refused, PathError::Unavailable { name, .. } if name == path.name()),
            "{refused}"
        );
    }
    let unknown = "avx1024".parse::<Path>().unwrap_err().to_string();
    assert!(
        unknown.contains("avx1024") && unknown.contains("portable"),
        "{unknown}"
    );
}

/// Run by the test below in a separate process, because the environment is read once per process.
#[test]
fn child() {
    match active_path() {
        Ok(path) => eprintln!("path {path}"),
        Err(error) => eprintln!("error {error}"),
    }
    // Whatever was requested, kernels work.
    let mut x = [-1.0, 1.0];
    emobox_kernels::relu(&mut x);
    assert_eq!(x, [0.0, 1.0]);
}

#[test]
fn the_environment_chooses_the_path() {
    let child = |name: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["paths::child", "--exact", "--nocapture"])
            .env("EMOBOX_KERNELS", name)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for path in available_paths() {
        assert!(child(path.name()).contains(&format!("path {path}")));
    }
    assert!(child("").contains("path "));
    assert!(
        child("sse9")
            .contains("error unknown kernels 'sse9' (EMOBOX_KERNELS): this machine has portable")
    );
}
