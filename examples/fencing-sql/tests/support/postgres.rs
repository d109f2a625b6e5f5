//! A PostgreSQL of a test, on a socket in a directory of its own.

use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// It does not run as root; this user comes with Debian's package.
const USER: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Postgres {
    server: Child,
    dir: TempDir,
}

impl Postgres {
    /// Starts one, or says on stderr that the calling test is skipped.
    pub(crate) fn start_or_skip() -> Option<Self> {
        let Some(programs) = programs() else {
            let current = thread::current();
            let test = current.name().unwrap_or("a test");
            // Not eprintln: the test harness shows that only when the test fails.
            let _a_closed_stderr_is_fine = writeln!(io::stderr(), "SKIPPED {test}: no PostgreSQL found");
            return None;
        };
        Some(Self::start(&programs).expect("PostgreSQL starts"))
    }

    fn start(programs: &Path) -> io::Result<Self> {
        let dir = TempDir::new()?;
        let data = dir.path().join("data");
        fs::create_dir(&data)?;
        if let Some((user, group)) = other_user()? {
            for path in [dir.path(), &data] {
                chown(path, Some(user), Some(group))?;
            }
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;

        let mut initdb = as_user(&programs.join("initdb"));
        initdb
            .args(["--auth", "trust", "--username", USER, "--no-sync", "--pgdata"])
            .arg(&data);
        let out = initdb.output()?;
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));

        let mut server = as_user(&programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-h", "", "-F"]);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let postgres = Self { server, dir };
        postgres.await_socket();
        Ok(postgres)
    }

    fn await_socket(&self) {
        let started = Instant::now();
        let socket = self.dir.path().join(".s.PGSQL.5432.lock");
        // The last line of the file says whether it is ready.
        while !fs::read_to_string(self.dir.path().join("data/postmaster.pid"))
            .is_ok_and(|text| text.lines().last().is_some_and(|line| line.trim() == "ready"))
        {
            assert!(started.elapsed() < PATIENCE, "{} within {PATIENCE:?}", socket.display());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn url(&self) -> String {
        let dir = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{dir}/postgres")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Fast shutdown, which ends its children as well.
        let _it_may_be_gone = kill_process(Pid::from_child(&self.server), Signal::INT);
        let _it_may_be_reaped = self.server.wait();
    }
}

/// The directory of `initdb` and `postgres`: Debian keeps them off the `PATH`.
fn programs() -> Option<PathBuf> {
    let on_path = env::split_paths(&env::var_os("PATH")?).collect::<Vec<_>>();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let mut directories = on_path.into_iter().chain(debian);
    directories.find(|dir| ["initdb", "postgres"].iter().all(|program| dir.join(program).is_file()))
}

/// Whom to be instead of root.
fn other_user() -> io::Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users
        .lines()
        .find_map(|line| line.strip_prefix(USER)?.strip_prefix(':'));
    let mut fields = line
        .ok_or_else(|| io::Error::other(format!("no user {USER}")))?
        .split(':')
        .skip(1);
    let mut id = || fields.next()?.parse().ok();
    Ok(id().zip(id()))
}

fn as_user(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
        .arg(program);
    command.current_dir("/");
    command
}
