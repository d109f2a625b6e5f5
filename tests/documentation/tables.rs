//! Tables name everything that they should, once and in order.

use std::fs;

use crate::document::{Document, root};

#[test]
fn every_scenario_has_its_row() {
    let contributing = Document::read("CONTRIBUTING.md");
    let rows = contributing.table("## Scenarios and their tests");

    let numbers: Vec<u32> = rows.iter().map(|row| row[0].parse().expect("a number")).collect();

    assert_eq!(numbers, (1..=71).collect::<Vec<_>>());
}

#[test]
fn every_field_of_the_configuration_is_in_the_table_of_the_readme() {
    let fields = items("src/config.rs", "pub struct Config {", |line| {
        line.strip_prefix("    pub ")?.split_once(':').map(|(field, _)| field)
    });

    assert_eq!(first_column("## Configuration"), fields);
}

#[test]
fn every_error_is_in_the_table_of_the_readme() {
    let variants = items("src/error.rs", "pub enum Error {", |line| {
        let name = line.strip_prefix("    ")?.trim_end_matches(" {").trim_end_matches(',');
        name.chars().all(char::is_alphanumeric).then_some(name)
    });

    assert_eq!(first_column("## Errors"), variants);
}

/// What `pick` finds in the lines of one item of a source file.
fn items(path: &str, start: &str, pick: impl Fn(&str) -> Option<&str>) -> Vec<String> {
    let code = fs::read_to_string(root().join(path)).expect("a source file");
    let (_, body) = code.split_once(start).expect("the item");
    let lines = body.lines().take_while(|line| *line != "}");
    lines.filter_map(|line| pick(line).map(str::to_owned)).collect()
}

fn first_column(heading: &str) -> Vec<String> {
    let readme = Document::read("README.md");
    let rows = readme.table(heading);
    rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect()
}

#[test]
fn every_file_of_the_core_is_in_the_table_of_the_architecture() {
    let architecture = Document::read("ARCHITECTURE.md");
    let files = fs::read_dir(root().join("src")).expect("the core's directory");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());

    let missing: Vec<_> = names
        .filter(|name| name != "lib.rs" && !architecture.text.contains(&format!("`{name}")))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_example_is_in_the_table_of_the_examples() {
    let table = Document::read("examples/README.md");
    let packages = fs::read_dir(root().join("examples")).expect("the examples' directory");
    let programs = fs::read_dir(root().join("examples/recipes/src/bin")).expect("the recipes' directory");
    let names = packages.chain(programs).map(|file| {
        let path = file.expect("a file").path();
        path.file_stem().expect("a name").to_string_lossy().into_owned()
    });

    let missing: Vec<_> = names
        .filter(|name| !["README", "recipes"].contains(&name.as_str()) && !table.text.contains(&format!("[{name}](")))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

/// It is compiled there: the core has neither axum nor the layer among its own dependencies.
#[test]
fn the_web_service_of_the_readme_is_the_example_of_the_layer() {
    let layer = Document::read("tower/src/lib.rs");
    let lines = layer
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .map(str::trim);
    let compiled: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let readme = Document::read("README.md");
    let (_, service) = readme.text.split_once("```rust,ignore\n").expect("a web service");
    let (service, _) = service.split_once("```").expect("an end");

    let is_frame = |line: &&str| {
        ["#[tokio::main]", "async fn main()", "Ok(())", "}"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let missing: Vec<&str> = service
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_frame(line) && !compiled.contains(line))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
    assert!(service.lines().count() > 20);
}
