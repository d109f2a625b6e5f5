//! Which image containers are made of.

use std::env;

use testcontainers::GenericImage;

use crate::engine::Engine;

/// Names the image.
const VARIABLE: &str = "SEMAFENCE_TEST_IMAGE";
/// What `cargo xtask images` builds.
const LOCAL: &str = "semafence/redis:local";
/// What a registry has.
const PUBLIC: &str = "redis:7.4";

/// `SEMAFENCE_TEST_IMAGE`, or else the image of `cargo xtask images` if it is here, or else the public one.
pub(crate) fn choose(engine: &Engine) -> GenericImage {
    let named = env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    let name = named.unwrap_or_else(|| {
        let local = engine.run(engine.docker().inspect_image(LOCAL));
        local.map_or(PUBLIC, |_| LOCAL).to_owned()
    });
    let (name, tag) = split(&name);
    GenericImage::new(name, tag)
}

/// A registry's port also follows a colon.
fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_follows_the_last_colon_unless_that_is_a_port() {
        assert_eq!(split("valkey/valkey:8.1"), ("valkey/valkey", "8.1"));
        assert_eq!(split("localhost:5000/redis"), ("localhost:5000/redis", "latest"));
        assert_eq!(split("localhost:5000/redis:7"), ("localhost:5000/redis", "7"));
        assert_eq!(split("redis"), ("redis", "latest"));
    }
}
