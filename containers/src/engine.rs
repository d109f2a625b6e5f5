//! The Docker engine of this machine.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::thread;

use testcontainers::bollard::Docker;
use testcontainers::core::client::docker_client_instance;
use tokio::runtime::{Builder, Runtime};

/// The Docker engine of this machine, for callers that are not async, or are.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    runtime: Arc<Runtime>,
    docker: Docker,
}

impl Engine {
    /// # Errors
    /// When no engine answers.
    pub(crate) fn connect() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let docker = on_its_own_thread(|| {
            runtime.block_on(async {
                let docker = docker_client_instance().await.map_err(failed)?;
                docker.ping().await.map_err(failed)?;
                Ok::<_, io::Error>(docker)
            })
        })?;
        Ok(Self {
            runtime: Arc::new(runtime),
            docker,
        })
    }

    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Waits for what the engine does.
    pub(crate) fn run<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send) -> io::Result<T>
    where
        T: Send,
        E: Into<Box<dyn Error + Send + Sync>> + Send,
    {
        on_its_own_thread(|| self.runtime.block_on(work)).map_err(failed)
    }
}

/// Where a caller's runtime does not see that its thread waits: it would panic.
fn on_its_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).expect("waiting does not panic")
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}
