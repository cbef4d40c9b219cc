//! Guards against third-party parsers that panic on damaged input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a parser that panics where it should return an error; `None` if it did. The panic is not printed: the caller
/// reports its own error about that file.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                usual(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_guarded_panic_is_silent_and_another_is_not() {
        static PRINTED: AtomicUsize = AtomicUsize::new(0);
        set_hook(Box::new(|_| {
            PRINTED.fetch_add(1, Ordering::Relaxed);
        }));
        let printed = || PRINTED.load(Ordering::Relaxed);
        assert_eq!(guarded(|| 3), Some(3));
        assert_eq!(guarded(|| -> u32 { panic!("damaged") }), None);
        assert_eq!(
            guarded(|| guarded(|| -> u32 { panic!("deeper") })),
            Some(None)
        );
        assert_eq!(printed(), 0);
        assert!(catch_unwind(|| panic!("a fault of our own")).is_err());
        assert_eq!(printed(), 1);
    }
}
