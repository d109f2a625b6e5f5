//! `cargo xtask images`: an image for containers from the servers of this machine, where no registry is at hand.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use tempfile::TempDir;
use xtask::Flavor;
use xtask::servers;

/// The image that is built.
pub(crate) const IMAGE: &str = "semafence/redis:local";

/// No base, and no layer but the files: nothing is fetched.
const DOCKERFILE: &str = "\
FROM scratch
COPY root/ /
ENV PATH=/usr/bin:/bin
WORKDIR /data
EXPOSE 6379 26379
CMD [\"redis-server\", \"--protected-mode\", \"no\"]
";

pub(crate) fn run() -> ExitCode {
    if !engine_answers() {
        eprintln!("no Docker engine answers here");
        return ExitCode::FAILURE;
    }
    match build() {
        Ok(()) => {
            println!("{IMAGE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{IMAGE} was not built: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether containers can be started here.
pub(crate) fn engine_answers() -> bool {
    let mut docker = Command::new("docker");
    docker.args(["version", "--format", "{{.Server.Version}}"]);
    docker
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|out| out.status.success())
}

/// Builds the image; a second time it takes no more than a second, and is the same.
pub(crate) fn build() -> io::Result<()> {
    let context = TempDir::with_prefix("semafence-image-")?;
    let root = context.path().join("root");
    for (program, names) in programs()? {
        for name in names {
            install(&program, &root.join("usr/bin").join(name))?;
        }
        for library in libraries(&program)? {
            install(
                &library,
                &root.join(library.strip_prefix("/").expect("an absolute path")),
            )?;
        }
    }
    // The shell that writes a sentinel's configuration, where everybody looks for it.
    install(&root.join("usr/bin/sh"), &root.join("bin/sh"))?;
    for dir in ["data", "tmp"] {
        fs::create_dir_all(root.join(dir))?;
    }
    fs::write(context.path().join("Dockerfile"), DOCKERFILE)?;
    docker_build(context.path())
}

/// The programs of the image, and their names there: those of the public images of Redis and Valkey.
fn programs() -> io::Result<Vec<(PathBuf, Vec<&'static str>)>> {
    // The only one that comes with a client, which health checks need.
    let server = servers::find(Flavor::Redis70).ok_or_else(|| missing("Redis 7.0; run `cargo xtask setup`"))?;
    let mut programs = vec![
        (fs::canonicalize(server)?, vec!["redis-server", "redis-sentinel"]),
        (on_path("redis-cli")?, vec!["redis-cli"]),
        (on_path("sh")?, vec!["sh"]),
    ];
    // Only partitions need it.
    programs.extend(on_path("ip").ok().map(|ip| (ip, vec!["ip"])));
    Ok(programs)
}

fn on_path(program: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|dir| dir.join(program));
    let found = found.find(|file| file.is_file());
    fs::canonicalize(found.ok_or_else(|| missing(program))?)
}

fn missing(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no {what}"))
}

/// The shared libraries of a program and its loader, by `ldd`.
fn libraries(program: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let out = Command::new("ldd").arg(program).stdin(Stdio::null()).output()?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        return Err(io::Error::other(format!("ldd {}: {said}", program.display())));
    }
    Ok(parse_libraries(&String::from_utf8_lossy(&out.stdout)))
}

/// Reads lines like `libm.so.6 => /lib/libm.so.6 (0x7f)` and `/lib64/ld-linux-x86-64.so.2 (0x7f)`.
fn parse_libraries(said: &str) -> BTreeSet<PathBuf> {
    let words = said.lines().flat_map(str::split_whitespace);
    words.filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// Copies what `from` points to.
fn install(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.parent().expect("a file in a directory"))?;
    fs::copy(from, to).map(drop)
}

fn docker_build(context: &Path) -> io::Result<()> {
    let mut docker = Command::new("docker");
    docker.args(["build", "--quiet", "--tag", IMAGE]).arg(context);
    // The builder that is part of every engine; the newer one is a plug-in that may be missing.
    let out = docker.env("DOCKER_BUILDKIT", "0").stdin(Stdio::null()).output()?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(io::Error::other(format!("docker build: {said}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_with_the_loader_and_without_what_the_kernel_provides() {
        let said = "\tlinux-vdso.so.1 (0x1)\n\tlibm.so.6 => /lib/libm.so.6 (0x2)\n\t/lib64/ld.so.2 (0x3)\n";

        let libraries = parse_libraries(said);

        assert_eq!(
            libraries,
            ["/lib/libm.so.6", "/lib64/ld.so.2"].map(PathBuf::from).into()
        );
    }
}
