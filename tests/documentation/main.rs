//! What the documents say about the tree is so.

mod document;
mod links;
mod rights;
mod tables;
