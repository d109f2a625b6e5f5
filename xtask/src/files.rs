//! Files of what was unpacked.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Every file below a directory.
pub(crate) fn below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(self::below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

pub(crate) fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Copies a program to where tests look, in one step: another setup may be running.
pub(crate) fn place(program: &Path, directory: &Path) -> io::Result<PathBuf> {
    let name = program.file_name().expect("a program has a name");
    let staging = TempDir::new_in(directory)?;
    let staged = staging.path().join(name);
    fs::copy(program, &staged)?;
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o755))?;
    let target = directory.join(name);
    fs::rename(&staged, &target)?;
    Ok(target)
}
