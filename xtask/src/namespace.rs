//! A network that only some threads and processes see.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::panic;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A Linux network namespace. The kernel removes it, and every device in it, once this value and all who are in it are
/// gone, however they end: it has no name that could be left.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
}

impl Namespace {
    /// # Errors
    /// Where user or kernel do not allow it.
    pub(crate) fn create() -> io::Result<Self> {
        // Unsharing this process's own would take `unsafe` code.
        let mut guest = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut echo = || {
            guest.stdin.as_mut().expect("it is piped").write_all(b".")?;
            guest.stdout.as_mut().expect("it is piped").read_exact(&mut [0])
        };
        let echoed = echo();
        let file = File::open(format!("/proc/{}/ns/net", guest.id()));
        let out = guest.wait_with_output()?;
        if echoed.is_err() {
            return Err(failed("unshare", &out.stderr));
        }
        Ok(Self { file: file? })
    }

    /// That of the calling thread.
    pub(crate) fn current() -> io::Result<Self> {
        let file = File::open("/proc/thread-self/ns/net")?;
        Ok(Self { file })
    }

    /// Moves the calling thread there: what it connects to, and the threads and processes that it starts.
    pub(crate) fn join(&self) -> io::Result<()> {
        let moved = move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network));
        Ok(moved?)
    }

    /// Does something there, on a thread of its own.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let there = scope.spawn(|| self.join().map(|()| work()));
            there.join().unwrap_or_else(|reason| panic::resume_unwind(reason))
        })
    }

    /// Gives commands to `ip` there.
    pub(crate) fn ip(&self, commands: &[String]) -> io::Result<()> {
        let out = self.within(|| ip(commands))??;
        if out.status.success() {
            Ok(())
        } else {
            Err(failed("ip", &out.stderr))
        }
    }

    /// A path by which other programs find it while this process lives.
    pub(crate) fn path(&self) -> PathBuf {
        let of_process = PathBuf::from(format!("/proc/{}/fd", std::process::id()));
        of_process.join(self.file.as_raw_fd().to_string())
    }
}

fn ip(commands: &[String]) -> io::Result<std::process::Output> {
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = ip.stdin.take().expect("it is piped");
    stdin.write_all((commands.join("\n") + "\n").as_bytes())?;
    drop(stdin);
    ip.wait_with_output()
}

fn failed(program: &str, said: &[u8]) -> io::Error {
    io::Error::other(format!("{program}: {}", String::from_utf8_lossy(said).trim_end()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

    use super::*;
    use crate::error::StartError;
    use crate::servers;

    fn create_or_skip() -> Option<Namespace> {
        let created = Namespace::create().map_err(StartError::NoNamespaces);
        created.inspect_err(servers::skip_where_no_namespaces_are).ok()
    }

    #[test]
    fn what_listens_in_a_namespace_is_not_reached_from_outside() {
        let Some(namespace) = create_or_skip() else {
            return;
        };
        namespace.ip(&["link set lo up".to_owned()]).unwrap();

        let listener = namespace.within(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let address: SocketAddr = listener.unwrap().local_addr().unwrap();
        let outside = TcpListener::bind(address);

        assert!(outside.is_ok(), "{outside:?}");
        assert!(namespace.within(|| TcpStream::connect(address).is_err()).unwrap());
    }

    #[test]
    fn what_ip_complains_of_is_told() {
        let Some(namespace) = create_or_skip() else {
            return;
        };

        let error = namespace.ip(&["link set nothing up".to_owned()]).unwrap_err();

        assert!(error.to_string().contains("nothing"), "{error}");
    }
}
