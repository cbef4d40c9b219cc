//! Launches recorded as a CUDA graph and run again by one call.

use super::driver::Cuda;
use crate::GpuError;
use cudarc::driver::sys::{CUgraph, CUgraphExec, CUstreamCaptureMode};
use std::ptr::null_mut;

impl Cuda {
    pub(super) fn begin_graph(&self) -> Result<(), GpuError> {
        self.bind()?;
        // For this thread only: others work on their own streams meanwhile.
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives as long as `self`.
        self.card.driver.check("cuStreamBeginCapture", unsafe {
            (self.card.driver.functions.cuStreamBeginCapture_v2)(self.stream, mode)
        })
    }

    /// The graph's address identifies it.
    pub(super) fn end_graph(&self) -> Result<u64, GpuError> {
        self.bind()?;
        let f = &self.card.driver.functions;
        let (mut graph, mut executable): (CUgraph, CUgraphExec) = (null_mut(), null_mut());
        // SAFETY: places for the results; the graph is not needed once it is instantiated.
        unsafe {
            let status = (f.cuStreamEndCapture)(self.stream, &raw mut graph);
            self.card.driver.check("cuStreamEndCapture", status)?;
            let status = (f.cuGraphInstantiateWithFlags)(&raw mut executable, graph, 0);
            let _ = (f.cuGraphDestroy)(graph);
            self.card.driver.check("cuGraphInstantiate", status)?;
        }
        Ok(executable as u64)
    }

    /// # Safety
    /// The graph is one of [`Cuda::end_graph`], and everything that its launches name is still allocated.
    pub(super) unsafe fn run_graph(&self, graph: u64) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: the caller's.
        self.card.driver.check("cuGraphLaunch", unsafe {
            (self.card.driver.functions.cuGraphLaunch)(graph as CUgraphExec, self.stream)
        })
    }

    /// # Safety
    /// The graph is one of [`Cuda::end_graph`] and is not used again.
    pub(super) unsafe fn drop_graph(&self, graph: u64) {
        if self.bind().is_ok() {
            // SAFETY: the caller's; what is still running is done first.
            let _ =
                unsafe { (self.card.driver.functions.cuGraphExecDestroy)(graph as CUgraphExec) };
        }
    }
}
