//! Copies sources and puts the mutants in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::edit::{Edit, Mutated};

/// Copies the files of a directory into one of the build script's output, with every edit behind its switch.
///
/// # Panics
///
/// When a file cannot be read or written, and when an edit does not fit: its file is not there, its text is not there
/// exactly once, or it overlaps another one.
pub fn copy(from: &str, to: &str, edits: &[Edit]) {
    println!("cargo::rerun-if-changed={from}");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo tells build scripts where to write"));
    let mut by_file = BTreeMap::<&str, Vec<&Edit>>::new();
    for edit in edits {
        by_file.entry(edit.file).or_default().push(edit);
    }
    copy_all(Path::new(from), &out.join(to), "", &mut by_file);
    if let Some((file, edits)) = by_file.first_key_value() {
        panic!("mutant {}: there is no file {file} in {from}", edits[0].mutant);
    }
}

fn copy_all(from: &Path, to: &Path, prefix: &str, edits: &mut BTreeMap<&str, Vec<&Edit>>) {
    let failed = |what: &str, path: &Path| format!("cannot {what} {}", path.display());
    fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", failed("make", to)));
    let entries = fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", failed("read", from)));
    for entry in entries {
        let path = entry.expect("a directory that can be opened can be read").path();
        let name = path
            .file_name()
            .expect("an entry has a name")
            .to_string_lossy()
            .into_owned();
        let file = format!("{prefix}{name}");
        if path.is_dir() {
            copy_all(&path, &to.join(&name), &format!("{file}/"), edits);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", failed("read", &path)));
        let mutated = mutate(&source, &edits.remove(file.as_str()).unwrap_or_default());
        let mutated = if file == "lib.rs" {
            includable(&mutated)
        } else {
            mutated
        };
        let copy = to.join(&name);
        fs::write(&copy, mutated).unwrap_or_else(|error| panic!("{}: {error}", failed("write", &copy)));
    }
}

/// Without what may stand at the top of a crate only.
fn includable(source: &str) -> String {
    let is_inner = |line: &&str| line.starts_with("//!") || line.starts_with("#![");
    source
        .lines()
        .filter(|line| !is_inner(line))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// The source with its mutants. Mutants of the same place are alternatives.
fn mutate(source: &str, edits: &[&Edit]) -> String {
    let mut places = BTreeMap::<(usize, usize), Vec<&Edit>>::new();
    for edit in edits {
        let place = edit.find(source);
        places.entry((place.start, place.end)).or_default().push(edit);
    }
    let (mut text, mut copied) = (String::new(), 0);
    for ((start, end), edits) in places {
        let names: Vec<&str> = edits.iter().map(|edit| edit.mutant).collect();
        assert!(start >= copied, "mutants {names:?} overlap others of {}", edits[0].file);
        text += &source[copied..start];
        text += &replacement(&source[start..end], &edits);
        copied = end;
    }
    text + &source[copied..]
}

fn replacement(original: &str, edits: &[&Edit]) -> String {
    let mut text = String::new();
    for edit in edits {
        let on = format!("crate::mutant::on({:?})", edit.mutant);
        match edit.mutated {
            Mutated::Raw(raw) => {
                assert!(
                    edits.len() == 1,
                    "mutant {}: shares its place with another",
                    edit.mutant
                );
                return raw.replace("ON", &on);
            }
            Mutated::Instead(mutated) => text += &format!("if {on} {{ {mutated} }} else "),
        }
    }
    text + "{ " + original + " }"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_of_one_place_are_alternatives_behind_their_switches() {
        let edits = [
            Edit::instead("less", "x.rs", "let y = «x + 1»;", "x"),
            Edit::instead("more", "x.rs", "let y = «x + 1»;", "x + 2"),
        ];

        let mutated = mutate("let y = x + 1;", &edits.iter().collect::<Vec<_>>());

        let expected =
            r#"let y = if crate::mutant::on("less") { x } else if crate::mutant::on("more") { x + 2 } else { x + 1 };"#;
        assert_eq!(mutated, expected);
    }

    #[test]
    fn a_raw_edit_is_put_in_as_it_is() {
        let edit = Edit::raw("early", "x.rs", "«»fn f() {}", "fn g() -> bool { ON }\n");

        let mutated = mutate("fn f() {}", &[&edit]);

        assert_eq!(mutated, "fn g() -> bool { crate::mutant::on(\"early\") }\nfn f() {}");
    }
}
