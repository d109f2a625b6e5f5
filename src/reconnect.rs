//! Where a connection leads that was lost and is there again.

/// Where a connection that was lost leads, now that it is there again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reconnect {
    /// To another server than before, or to the same one started anew: what was granted may be forgotten there.
    Another,
    /// To the server that was there before, as far as that can be known.
    Same,
}

/// One run of a server: where it is, and the id that it gave itself when it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRun {
    address: String,
    id: Option<String>,
}

impl ServerRun {
    /// The server at an address, and what it answered to `INFO server`, if it did.
    #[must_use]
    pub fn new(address: impl Into<String>, info: Option<&str>) -> Self {
        let id = info.and_then(|info| info.lines().find_map(|line| line.strip_prefix("run_id:")));
        Self {
            address: address.into(),
            id: id.map(|id| id.trim().to_owned()),
        }
    }

    /// Where a connection leads that led to the run `before`. The ids decide where both are known: one address may stand
    /// for several servers, and one server may have several addresses.
    #[must_use]
    pub fn after(&self, before: &Self) -> Reconnect {
        let is_same = match (&self.id, &before.id) {
            (Some(id), Some(before)) => id == before,
            _ => self.address == before.address,
        };
        if is_same { Reconnect::Same } else { Reconnect::Another }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:a1\r\ntcp_port:6379\r\n";

    fn run(address: &str, info: Option<&str>) -> ServerRun {
        ServerRun::new(address, info)
    }

    #[test]
    fn a_server_that_was_started_anew_or_stands_behind_the_same_address_is_another() {
        let restarted = INFO.replace("a1", "b2");

        assert_eq!(run("a", Some(INFO)).after(&run("a", Some(INFO))), Reconnect::Same);
        assert_eq!(run("b", Some(INFO)).after(&run("a", Some(INFO))), Reconnect::Same);
        assert_eq!(
            run("a", Some(&restarted)).after(&run("a", Some(INFO))),
            Reconnect::Another
        );
    }

    #[test]
    fn of_a_server_that_does_not_say_the_address_decides() {
        assert_eq!(run("a", None).after(&run("a", Some(INFO))), Reconnect::Same);
        assert_eq!(run("b", Some("role:master")).after(&run("a", None)), Reconnect::Another);
    }
}
