//! Links lead somewhere, and tests that are named exist.

use std::fs;

use crate::document::Document;

#[test]
fn every_link_into_the_repository_leads_to_a_file() {
    let mut broken = Vec::new();
    for document in Document::all() {
        for link in document.links() {
            let (path, _section) = link.target.split_once('#').unwrap_or((link.target, ""));
            if !document.is_elsewhere(path) && !document.resolve(path).exists() {
                broken.push(format!("{}: {}", document.path, link.target));
            }
        }
    }

    assert!(broken.is_empty(), "{broken:#?}");
}

/// A test is named as `` [`its_name`](its/file.rs) ``.
#[test]
fn every_test_that_is_named_is_in_the_file_that_is_named() {
    let mut missing = Vec::new();
    let mut found = 0;
    for document in Document::all() {
        for link in document.links().iter().filter(|link| link.target.ends_with(".rs")) {
            let Some(name) = link.text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) else {
                continue;
            };
            let code = fs::read_to_string(document.resolve(link.target)).unwrap_or_default();
            if code.contains(&format!("fn {name}(")) {
                found += 1;
            } else {
                missing.push(format!("{}: {name} in {}", document.path, link.target));
            }
        }
    }

    assert!(missing.is_empty(), "{missing:#?}");
    assert!(
        found > 100,
        "only {found} tests are named: has the form of the links changed?"
    );
}
