//! What the documents say about the tree is so.

mod document;
mod links;
mod migrating;
mod rights;
mod tables;
