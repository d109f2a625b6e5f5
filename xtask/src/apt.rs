//! Packages of Debian.

use std::process::Command;

use crate::step::quietly;

/// Installs packages, as root.
pub(crate) fn install(packages: &[&str]) -> Result<(), String> {
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
