use rayon::prelude::*;

/// The threads of one training. Results never depend on their number: work is cut into independent parts.
#[derive(Debug)]
pub(crate) struct Team {
    pool: Option<rayon::ThreadPool>,
}

impl Team {
    /// One thread means the caller's own. A separate pool keeps a training from starting another fold's work while it waits,
    /// which would hold both in memory.
    pub(crate) fn new(threads: usize) -> Self {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        Self {
            // If no thread can be started, the caller's own does all the work.
            pool: (threads > 1).then(|| builder.build().ok()).flatten(),
        }
    }

    /// How many threads there are.
    pub(crate) fn size(&self) -> usize {
        let pool = self.pool.as_ref();
        pool.map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Runs `work` on every part.
    pub(crate) fn each<T: Send>(&self, parts: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
        match &self.pool {
            Some(pool) if parts.len() > 1 => pool.install(|| parts.par_iter_mut().for_each(work)),
            _ => parts.iter_mut().for_each(work),
        }
    }
}
