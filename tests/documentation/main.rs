//! What the documents say about the tree is so.

mod deploy;
mod document;
mod links;
mod migrating;
mod packages;
mod promql;
mod rights;
mod tables;
