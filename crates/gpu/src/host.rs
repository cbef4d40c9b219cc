//! The kernels on this machine's CPU: their source, compiled by the C++ compiler with `kernels/shim.h`.

use crate::{Argument, Backend, GpuError, Memory, Numbers, Product};
use libloading::Library;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

type Launch = unsafe extern "C" fn(*const c_char, u32, u32, u32, u32, *mut *mut c_void) -> i32;

/// Main memory and compiled kernels, for tests. Memory is initialised to NaN.
pub struct Host {
    kernels: Arc<Kernels>,
    limit: usize,
    used: Arc<AtomicUsize>,
    recordings: Mutex<Recordings>,
}

/// Recorded launches, and those being recorded.
#[derive(Default)]
struct Recordings {
    open: Option<Vec<Remembered>>,
    kept: HashMap<u64, Arc<[Remembered]>>,
    made: u64,
}

/// A recorded launch.
struct Remembered {
    kernel: String,
    grid: [u32; 3],
    threads: u32,
    arguments: Vec<Argument>,
}

/// Names a folder in which compiled kernels are kept between processes. Use only your own: its contents are executed.
const KEPT: &str = "EMOBOX_HOST_KERNELS";

/// The kernels' source, compiled.
struct Kernels {
    /// The shim keeps its state in statics: one kernel at a time.
    launch: Mutex<Launch>,
    _library: Library,
}

impl Host {
    /// A host with this many bytes of memory. The first call of a process compiles the kernels, or loads those that an earlier
    /// process left in the folder named by `EMOBOX_HOST_KERNELS`.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] without a C++ compiler.
    pub fn new(memory: usize) -> Result<Self, GpuError> {
        static SHARED: OnceLock<Result<Arc<Kernels>, GpuError>> = OnceLock::new();
        let compile = || match std::env::var_os(KEPT) {
            Some(folder) => Kernels::kept(&crate::source(), Path::new(&folder)),
            None => Kernels::compile(&crate::source(), true),
        };
        let kernels = SHARED.get_or_init(|| compile().map(Arc::new));
        Ok(Self::on(kernels.clone()?, memory))
    }

    fn on(kernels: Arc<Kernels>, limit: usize) -> Self {
        Self {
            kernels,
            limit,
            used: Arc::default(),
            recordings: Mutex::default(),
        }
    }

    /// Uses the caller's kernels, with this many bytes of memory; `optimised` takes longer to compile.
    ///
    /// # Errors
    /// [`GpuError::Unavailable`] if the compiler is missing or fails.
    pub fn compile(source: &str, memory: usize, optimised: bool) -> Result<Self, GpuError> {
        let kernels = Kernels::compile(source, optimised)?;
        Ok(Self::on(Arc::new(kernels), memory))
    }

    fn recordings(&self) -> MutexGuard<'_, Recordings> {
        self.recordings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the library has a kernel of this name.
    #[cfg(test)]
    pub(crate) fn knows(&self, kernel: &str) -> bool {
        // SAFETY: a grid of no blocks runs nothing.
        unsafe { self.call(kernel, [0; 3], 32, &mut []) != 1 }
    }

    /// # Safety
    /// Like [`Backend::launch`].
    unsafe fn call(
        &self,
        kernel: &str,
        [x, y, z]: [u32; 3],
        threads: u32,
        arguments: &mut [*mut c_void],
    ) -> i32 {
        let name = CString::new(kernel).unwrap_or_default();
        let launch = &self.kernels.launch;
        let launch = launch.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller's; the lock keeps calls apart.
        unsafe { launch(name.as_ptr(), x, y, z, threads, arguments.as_mut_ptr()) }
    }
}

impl Kernels {
    fn compile(source: &str, optimised: bool) -> Result<Self, GpuError> {
        let folder = tempfile::tempdir().map_err(|e| unavailable(e.to_string()))?;
        let path = folder.path().join("kernels.so");
        Self::build(source, optimised, &path)?;
        Self::load(&path)
    }

    /// Loads kernels compiled earlier, or compiles them: under a name that identifies this source.
    fn kept(source: &str, folder: &Path) -> Result<Self, GpuError> {
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        let path = folder.join(format!("kernels-{:016x}.so", hasher.finish()));
        if !path.exists() {
            // Under another name first, so that a concurrent process sees either nothing or the whole file.
            let own = tempfile::tempdir_in(folder).map_err(|e| unavailable(e.to_string()))?;
            let made = own.path().join("kernels.so");
            Self::build(source, true, &made)?;
            std::fs::rename(&made, &path).map_err(|e| unavailable(e.to_string()))?;
        }
        Self::load(&path)
    }

    fn build(source: &str, optimised: bool, path: &Path) -> Result<(), GpuError> {
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        let mut run = Command::new(&compiler)
            .args([
                if optimised { "-O2" } else { "-O0" },
                "-fvisibility=hidden",
                "-std=c++17",
                "-shared",
                "-fPIC",
                "-x",
                "c++",
                "-",
                "-o",
            ])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| unavailable(format!("{compiler}: {e}")))?;
        if let Some(mut input) = run.stdin.take() {
            // A compiler that exits early reports its own error.
            let _ = input.write_all(source.as_bytes());
        }
        let output = run
            .wait_with_output()
            .map_err(|e| unavailable(format!("{compiler}: {e}")))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(unavailable(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            )),
        }
    }

    fn load(path: &Path) -> Result<Self, GpuError> {
        // SAFETY: the library is what was compiled; its initialisers touch nothing but its own statics.
        let library = unsafe { Library::new(path) }.map_err(|e| unavailable(e.to_string()))?;
        // SAFETY: the signature is that of `kernels/exports.h`.
        let launch = unsafe { library.get::<Launch>(b"emobox_launch\0") }.map(|symbol| *symbol);
        let launch = launch.map_err(|e| unavailable(e.to_string()))?;
        Ok(Self {
            launch: Mutex::new(launch),
            _library: library,
        })
    }
}

fn unavailable(reason: String) -> GpuError {
    GpuError::Unavailable(format!("the kernels could not be compiled: {reason}"))
}

/// The start of the memory.
fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 256).unwrap_or(Layout::new::<[u64; 32]>())
}

impl Backend for Host {
    fn describe(&self) -> String {
        "the kernels on this machine's processor (a proof, not for work)".to_owned()
    }

    fn memory(&self) -> Result<Memory, GpuError> {
        let free = self.limit.saturating_sub(self.used.load(Ordering::Relaxed));
        Ok(Memory {
            free,
            total: self.limit,
        })
    }

    fn allocate(&self, bytes: usize) -> Result<u64, GpuError> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(GpuError::OutOfMemory {
                asked: bytes,
                free: self.limit.saturating_sub(before),
                total: self.limit,
            });
        }
        let layout = layout(bytes);
        // SAFETY: the layout is not empty; all of it is written at once.
        let at = unsafe {
            let at = alloc(layout);
            if at.is_null() {
                std::alloc::handle_alloc_error(layout);
            }
            at.write_bytes(0xff, bytes);
            at
        };
        Ok(at as u64)
    }

    unsafe fn release(&self, address: u64, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        // SAFETY: the caller's: it came from `allocate` with this size.
        unsafe { dealloc(address as *mut u8, layout(bytes)) };
    }

    unsafe fn write(&self, address: u64, bytes: &[u8]) -> Result<(), GpuError> {
        // SAFETY: the caller's.
        unsafe { (address as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), GpuError> {
        // SAFETY: the caller's.
        unsafe { (address as *const u8).copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn clear(&self, address: u64, bytes: usize) -> Result<(), GpuError> {
        // SAFETY: the caller's.
        unsafe { (address as *mut u8).write_bytes(0, bytes) };
        Ok(())
    }

    unsafe fn launch(
        &self,
        kernel: &str,
        grid: [u32; 3],
        threads: u32,
        arguments: &[Argument],
    ) -> Result<(), GpuError> {
        if let Some(open) = &mut self.recordings().open {
            open.push(Remembered {
                kernel: kernel.to_owned(),
                grid,
                threads,
                arguments: arguments.to_vec(),
            });
            return Ok(());
        }
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(Argument::pointer).collect();
        // SAFETY: the caller's.
        let reason = match unsafe { self.call(kernel, grid, threads, &mut pointers) } {
            0 => return Ok(()),
            1 => "no such kernel",
            _ => "some threads of a block wait at a barrier that others never reach",
        };
        Err(GpuError::Call {
            call: kernel.to_owned(),
            reason: reason.to_owned(),
        })
    }

    unsafe fn product(&self, product: &Product) -> Result<(), GpuError> {
        let &Product {
            operands,
            results,
            rows,
            outputs,
            inputs,
            ..
        } = product;
        assert!(
            product.x_row >= inputs && product.y_row >= outputs,
            "rows of a product overlap: {product:?}"
        );
        let load = |address: u64, index: usize, count: usize, numbers: Numbers| -> Vec<f32> {
            let at = (address + (index * numbers.bytes()) as u64) as *const u8;
            // SAFETY: the caller's: all that the product reads is allocated.
            numbers.widen(unsafe { std::slice::from_raw_parts(at, count * numbers.bytes()) })
        };
        let weight = load(product.weight, 0, outputs * inputs, operands);
        let bias = match product.bias {
            0 => vec![0.0; outputs],
            address => load(address, 0, outputs, results),
        };
        for turn in 0..product.batch {
            for row in 0..rows {
                let x = load(
                    product.x,
                    turn * product.x_next + row * product.x_row,
                    inputs,
                    operands,
                );
                let at = turn * product.y_next + row * product.y_row;
                let mut y: Vec<f32> = weight
                    .chunks_exact(inputs)
                    .zip(&bias)
                    .map(|(w, b)| dot(&x, w) + b)
                    .collect();
                if product.residual != 0 {
                    for (y, r) in y
                        .iter_mut()
                        .zip(load(product.residual, at, outputs, results))
                    {
                        *y += r;
                    }
                }
                let bytes = results.narrow(&y);
                let to = (product.y + (at * results.bytes()) as u64) as *mut u8;
                // SAFETY: the caller's: all that the product writes is allocated.
                unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            }
        }
        Ok(())
    }

    fn beside(&self) -> Result<Arc<dyn Backend>, GpuError> {
        Ok(Arc::new(Self {
            kernels: Arc::clone(&self.kernels),
            limit: self.limit,
            used: Arc::clone(&self.used),
            recordings: Mutex::default(),
        }))
    }

    fn record(&self) -> Result<(), GpuError> {
        self.recordings().open = Some(Vec::new());
        Ok(())
    }

    fn recorded(&self) -> Result<u64, GpuError> {
        let mut recordings = self.recordings();
        let launches = recordings.open.take().unwrap_or_default();
        recordings.made += 1;
        let number = recordings.made;
        recordings.kept.insert(number, launches.into());
        Ok(number)
    }

    unsafe fn replay(&self, recording: u64) -> Result<(), GpuError> {
        let launches = self.recordings().kept.get(&recording).cloned();
        let launches = launches.ok_or_else(|| GpuError::Call {
            call: "replay".to_owned(),
            reason: "nothing was recorded under this number".to_owned(),
        })?;
        for launch in &*launches {
            // SAFETY: the caller's: all that the launches name is still there.
            unsafe {
                self.launch(
                    &launch.kernel,
                    launch.grid,
                    launch.threads,
                    &launch.arguments,
                )?;
            }
        }
        Ok(())
    }

    unsafe fn forget(&self, recording: u64) {
        self.recordings().kept.remove(&recording);
    }

    fn finish(&self) -> Result<(), GpuError> {
        Ok(())
    }
}

/// In sixteen sums, so that the compiler uses vector instructions.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (x_whole, x_rest) = x.as_chunks::<16>();
    let (y_whole, y_rest) = y.as_chunks::<16>();
    for (x, y) in x_whole.iter().zip(y_whole) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}
