//! What a command finds in its environment.

use std::time::Duration;

use semafence::OwnedPermit;

use super::ancestry::Ancestry;

/// The variables of a command that runs under `permit`; they override inherited ones.
pub(super) fn of(permit: &OwnedPermit, ttl: Duration, above: Ancestry) -> Vec<(&'static str, String)> {
    let slots: Vec<String> = permit.slots().iter().map(u32::to_string).collect();
    let name = permit.name();
    vec![
        ("SEMAFENCE_HELD", "1".to_owned()),
        ("SEMAFENCE_NAME", name.as_str().to_owned()),
        ("SEMAFENCE_TOKEN", permit.token().to_string()),
        ("SEMAFENCE_SLOT", permit.slot().to_string()),
        ("SEMAFENCE_SLOTS", slots.join(",")),
        ("SEMAFENCE_HOLDER", permit.holder().to_string()),
        ("SEMAFENCE_LIMIT", permit.limit().to_string()),
        ("SEMAFENCE_TTL_MS", ttl.as_millis().to_string()),
        above.below(name.namespace(), name.as_str(), permit.limit()),
    ]
}
