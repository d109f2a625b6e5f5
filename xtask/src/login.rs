//! What a server asks a client for.

/// What a server asks a client for: a password, of the default user unless another is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The ACL user.
    pub user: Option<String>,
    /// Its password; of a test, hence shown.
    pub password: String,
}

impl Login {
    pub(crate) fn password(password: String) -> Self {
        Self { user: None, password }
    }

    /// The command that logs in.
    #[must_use]
    pub fn auth(&self) -> Vec<&str> {
        let words = [Some("AUTH"), self.user.as_deref(), Some(&self.password)];
        words.into_iter().flatten().collect()
    }
}
