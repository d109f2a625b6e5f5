//! Which servers this machine has, and where.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use crate::error::StartError;
use crate::network::Network;
use crate::{Builder, Server};

/// Names one server binary, which comes before any other.
pub const BINARY_VARIABLE: &str = "SEMAFENCE_REDIS_BIN";
/// Names the directory for installed servers; `target/servers` of the workspace unless set.
pub const DIRECTORY_VARIABLE: &str = "SEMAFENCE_SERVERS_DIR";
/// Says what may not be skipped: `1` for all that setup installs, or a list like `redis-6.2,valkey-9.1,namespaces`.
pub const REQUIRE_VARIABLE: &str = "SEMAFENCE_REQUIRE_SERVERS";

/// The name of [network namespaces](crate::DeploymentBuilder::partitionable) in that list.
pub const NAMESPACES: &str = "namespaces";

const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// A server and its release series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavor {
    /// Redis 6.2.
    Redis62,
    /// Redis 7.0.
    Redis70,
    /// Redis 8.2.
    Redis82,
    /// Valkey 9.1.
    Valkey91,
}

impl Flavor {
    /// Every flavor, oldest first.
    pub const ALL: [Self; 4] = [Self::Redis62, Self::Redis70, Self::Redis82, Self::Valkey91];

    /// The release series, such as `6.2`.
    #[must_use]
    pub const fn series(self) -> &'static str {
        match self {
            Self::Redis62 => "6.2",
            Self::Redis70 => "7.0",
            Self::Redis82 => "8.2",
            Self::Valkey91 => "9.1",
        }
    }

    /// The name in directories and environment variables, such as `redis-6.2`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Redis62 => "redis-6.2",
            Self::Redis70 => "redis-7.0",
            Self::Redis82 => "redis-8.2",
            Self::Valkey91 => "valkey-9.1",
        }
    }

    fn matches(self, version: &str) -> bool {
        version
            .strip_prefix(&self.to_string())
            .is_some_and(|patch| patch.starts_with('.'))
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = if matches!(self, Self::Valkey91) {
            "Valkey"
        } else {
            "Redis"
        };
        write!(f, "{product} {}", self.series())
    }
}

/// A server binary that runs on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Where it is.
    pub path: PathBuf,
    /// What it says it is, such as `Redis 7.0.15` or `Valkey 9.1.2`.
    pub version: String,
}

impl Installed {
    /// Asks the binary at `path` for its version; `None` if it does not run or is no Redis or Valkey.
    #[must_use]
    pub fn probe(path: &Path) -> Option<Self> {
        let out = Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
        let version = parse_version(&String::from_utf8_lossy(&out.stdout))?;
        Some(Self {
            path: path.to_owned(),
            version,
        })
    }

    /// The flavor, if it is one the tests know.
    #[must_use]
    pub fn flavor(&self) -> Option<Flavor> {
        Flavor::ALL.into_iter().find(|flavor| flavor.matches(&self.version))
    }

    /// Whether the binary was built with TLS: only such a one asks for the certificate that is missing here.
    ///
    /// With TLS or without, a server that cannot open its only port exits at once.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        let args = ["--port", "0", "--tls-port", "1", "--dir"];
        let dir = env::temp_dir();
        let out = Command::new(&self.path)
            .args(args)
            .arg(dir)
            .stdin(Stdio::null())
            .output();
        out.is_ok_and(|out| {
            let said = [out.stdout, out.stderr].concat();
            String::from_utf8_lossy(&said).contains("No tls-cert-file")
        })
    }
}

/// Reads `Redis server v=7.0.15 sha=…` as `Redis 7.0.15`.
fn parse_version(said: &str) -> Option<String> {
    let (product, rest) = said.split_once(" server v=")?;
    let number = rest.split_whitespace().next()?;
    ["Redis", "Valkey"]
        .contains(&product)
        .then(|| format!("{product} {number}"))
}

/// Looks at every candidate anew, best first: `SEMAFENCE_REDIS_BIN`, then `PATH`, then what
/// `cargo xtask setup` installed.
#[must_use]
pub fn scan() -> Vec<Installed> {
    let on_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    // Redis 7.0 first: of those that setup installs it is the plainest build, with TLS.
    let order = [Flavor::Redis70, Flavor::Redis82, Flavor::Valkey91, Flavor::Redis62];
    let installed = order.map(|flavor| directory().join(flavor.id()));
    let programs = on_path
        .iter()
        .chain(&installed)
        .flat_map(|dir| PROGRAMS.map(|program| dir.join(program)));
    let mut seen = BTreeSet::new();
    named_binary()
        .into_iter()
        .chain(programs)
        .filter(|path| path.is_file() && seen.insert(path.clone()))
        .filter_map(|path| Installed::probe(&path))
        .collect()
}

/// The binary of a flavor; the machine is looked at once per process.
#[must_use]
pub fn find(flavor: Flavor) -> Option<PathBuf> {
    let found = known().iter().find(|installed| installed.flavor() == Some(flavor))?;
    Some(found.path.clone())
}

/// The binary to use where any server will do; the one that `SEMAFENCE_REDIS_BIN` names, if it is set.
#[must_use]
pub fn find_any() -> Option<PathBuf> {
    named_binary().or_else(|| Some(known().first()?.path.clone()))
}

/// The first binary that was built with TLS.
#[must_use]
pub fn find_tls() -> Option<PathBuf> {
    static WITH_TLS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let found = known().iter().find(|installed| installed.has_tls())?;
        Some(found.path.clone())
    });
    WITH_TLS.clone()
}

pub(crate) fn find_with_tls(flavor: Flavor) -> Option<PathBuf> {
    let found = known()
        .iter()
        .find(|installed| installed.flavor() == Some(flavor) && installed.has_tls())?;
    Some(found.path.clone())
}

/// Whether this machine has the flavor.
#[must_use]
pub fn available(flavor: Flavor) -> bool {
    find(flavor).is_some()
}

/// Starts a server of that flavor, or says on stderr that the calling test is skipped.
///
/// # Panics
/// If the server is there and does not start, or is missing and `SEMAFENCE_REQUIRE_SERVERS` insists.
#[must_use]
pub fn server_or_skip(flavor: Flavor) -> Option<Server> {
    Server::builder(flavor).start_or_skip()
}

/// Starts any server, or says on stderr that the calling test is skipped.
///
/// # Panics
/// As [`server_or_skip`].
#[must_use]
pub fn any_server_or_skip() -> Option<Server> {
    Builder::any().start_or_skip()
}

/// Where `cargo xtask setup` installs servers, one directory for each flavor.
#[must_use]
pub fn directory() -> PathBuf {
    env::var_os(DIRECTORY_VARIABLE).map_or_else(|| workspace().join("target/servers"), PathBuf::from)
}

/// The root of the workspace that this crate was compiled in.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a directory of the workspace")
}

/// Whether a deployment can be [split](crate::DeploymentBuilder::partitionable) here.
#[must_use]
pub fn namespaces_available() -> bool {
    Network::create().is_ok()
}

/// Says that the calling test cannot run here for want of a server.
pub(crate) fn skip(missing: &str, flavor: Option<Flavor>) {
    let reason = format!("no {missing} found; run `cargo xtask setup`");
    skip_unless(required(flavor, &setting()), &reason);
}

/// As [`skip`], for what has an id and is no server.
pub(crate) fn skip_other(missing: &str, id: &str) {
    let reason = format!("no {missing} found; run `cargo xtask setup`");
    skip_unless(requires(id, &setting()), &reason);
}

/// Says that the calling test cannot run here for want of network namespaces.
pub(crate) fn skip_where_no_namespaces_are(error: &StartError) {
    skip_unless(requires(NAMESPACES, &setting()), &error.to_string());
}

fn skip_unless(required: bool, reason: &str) {
    let current = thread::current();
    let line = format!("{}: {reason}", current.name().unwrap_or("a test"));
    assert!(!required, "{line}");
    // Not eprintln: the test harness shows that only when the test fails.
    let _a_closed_stderr_is_fine = writeln!(io::stderr(), "SKIPPED {line}");
}

/// Any server (`None`) is required as soon as one flavor is.
fn required(flavor: Option<Flavor>, setting: &str) -> bool {
    match flavor {
        Some(flavor) => requires(flavor.id(), setting),
        None => Flavor::ALL.iter().any(|flavor| requires(flavor.id(), setting)),
    }
}

/// All that setup installs is required by `1`; namespaces are a matter of the machine, as Docker is.
fn requires(what: &str, setting: &str) -> bool {
    match setting.trim() {
        "" | "0" => false,
        "1" => what != NAMESPACES,
        list => list.split(',').any(|id| id.trim() == what),
    }
}

fn setting() -> String {
    env::var(REQUIRE_VARIABLE).unwrap_or_default()
}

fn named_binary() -> Option<PathBuf> {
    env::var_os(BINARY_VARIABLE)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

fn known() -> &'static [Installed] {
    static KNOWN: LazyLock<Vec<Installed>> = LazyLock::new(scan);
    &KNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_line_names_product_and_number() {
        let redis = parse_version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64\n");
        let valkey = parse_version("Valkey server v=9.1.2 sha=0 malloc=libc");

        assert_eq!(redis.as_deref(), Some("Redis 7.0.15"));
        assert_eq!(valkey.as_deref(), Some("Valkey 9.1.2"));
        assert_eq!(parse_version("redis-cli 7.0.15"), None);
    }

    #[test]
    fn a_flavor_is_a_release_series() {
        assert!(Flavor::Redis62.matches("Redis 6.2.14"));
        assert!(!Flavor::Redis62.matches("Redis 6.20.1"));
        assert!(!Flavor::Valkey91.matches("Redis 9.1.0"));
    }

    #[test]
    fn the_variable_insists_on_all_or_on_a_list() {
        assert!(!required(Some(Flavor::Redis62), ""));
        assert!(!required(None, "0"));
        assert!(required(Some(Flavor::Redis62), "1"));
        assert!(required(Some(Flavor::Redis62), "redis-7.0, redis-6.2"));
        assert!(!required(Some(Flavor::Valkey91), "redis-7.0,redis-6.2"));
        assert!(required(None, "redis-7.0"));
        assert!(!required(None, "namespaces"));
        assert!(requires(NAMESPACES, "redis-7.0,namespaces") && !requires(NAMESPACES, "1"));
        assert!(!requires(NAMESPACES, "redis-7.0"));
    }

    #[test]
    fn what_is_no_server_is_not_found() {
        assert_eq!(Installed::probe(Path::new("/bin/true")), None);
        assert_eq!(Installed::probe(Path::new("/nonexistent/redis-server")), None);
    }
}
