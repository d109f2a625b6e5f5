//! Where there are no network namespaces.

use std::io;
use std::path::PathBuf;

/// Nothing: there is none to be had.
#[derive(Debug)]
pub(crate) enum Namespace {}

impl Namespace {
    pub(crate) fn create() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn current() -> io::Result<Self> {
        Self::create()
    }

    pub(crate) fn join(&self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn within<T: Send>(&self, _work: impl FnOnce() -> T + Send) -> io::Result<T> {
        match *self {}
    }

    pub(crate) fn ip(&self, _commands: &[String]) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn path(&self) -> PathBuf {
        match *self {}
    }
}
