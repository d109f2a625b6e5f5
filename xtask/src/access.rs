//! What a client must know of a deployment besides addresses.

use crate::login::Login;

/// What a client must know of a deployment besides addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The name under which sentinels know the master.
    pub service: String,
    /// What servers ask for.
    pub server: Option<Login>,
    /// What sentinels ask for.
    pub sentinel: Option<Login>,
    /// Whether servers and sentinels are announced with their TLS ports.
    pub tls: bool,
}

impl Access {
    /// The address of all sentinels in one URL. Passwords stand in it as they are: choose letters and digits.
    #[must_use]
    pub fn url(&self, sentinels: &[String]) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let login = self.server.as_ref().map_or_else(String::new, |login| {
            format!("{}:{}@", login.user.as_deref().unwrap_or_default(), login.password)
        });
        let (first, others) = sentinels.split_first().expect("a deployment has a sentinel");
        let nodes = others.iter().map(|other| format!("node={other}&")).collect::<String>();
        let mut url = format!(
            "{scheme}-sentinel://{login}{first}/0?{nodes}sentinelServiceName={}",
            self.service
        );
        if let Some(Login { user, password }) = &self.sentinel {
            if let Some(user) = user {
                url += &format!("&sentinelUsername={user}");
            }
            url += &format!("&sentinelPassword={password}");
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access {
            service: "semafence".to_owned(),
            ..Access::default()
        }
    }

    #[test]
    fn a_url_names_all_sentinels_and_the_service() {
        let sentinels = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned);

        let url = access().url(&sentinels);

        let nodes = "node=127.0.0.1:2&node=127.0.0.1:3";
        assert_eq!(
            url,
            format!("redis-sentinel://127.0.0.1:1/0?{nodes}&sentinelServiceName=semafence")
        );
    }

    #[test]
    fn a_url_holds_what_servers_and_sentinels_ask_for() {
        let access = Access {
            server: Some(Login::password("one".to_owned())),
            sentinel: Some(Login {
                user: Some("ops".to_owned()),
                password: "two".to_owned(),
            }),
            tls: true,
            ..access()
        };

        let url = access.url(&["h:1".to_owned()]);

        let query = "sentinelServiceName=semafence&sentinelUsername=ops&sentinelPassword=two";
        assert_eq!(url, format!("rediss-sentinel://:one@h:1/0?{query}"));
    }
}
