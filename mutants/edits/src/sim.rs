//! Mutants of what every driver has to do itself, in the simulator's.

use crate::edit::Edit;

/// The edits of the simulator, relative to its `src`.
pub const SIM: &[Edit] = &[
    Edit::instead(
        "noscript_is_not_retried",
        "backend.rs",
        r#"«matches!(reply, Resp::Error(text) if text.starts_with("NOSCRIPT"))»"#,
        "false",
    ),
    // A connection that breaks is made anew to the same server, and nobody listens to the sentinels.
    Edit::instead(
        "no_rediscovery_of_the_master",
        "world/connections.rs",
        "Some(_) => («self.master_for(wire.client, wire.site)», ",
        r#"known.expect("it was broken").to"#,
    ),
    Edit::instead(
        "no_rediscovery_of_the_master",
        "world/connections.rs",
        "if «self.site(site).epoch != epoch» {",
        "true",
    ),
];
