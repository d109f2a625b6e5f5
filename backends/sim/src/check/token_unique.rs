//! No two acquisitions of a name have one token.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::{FencingToken, HolderId};

use crate::check::facts::Facts;
use crate::check::{Invariant, Report};
use crate::history::Op;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut owners: BTreeMap<(&str, FencingToken), HolderId> = BTreeMap::new();
    for (at, name, token, holder) in grants(facts) {
        let owner = *owners.entry((name, token)).or_insert(holder);
        if owner != holder {
            let ops = [owner, holder].map(|holder| facts.life_of(holder).map(|life| life.op()));
            let ops: Vec<Op> = ops.into_iter().flatten().collect();
            let text = format!("token {token} of {name} is given to {owner} and to {holder}");
            report.add(Invariant::TokenUnique, at, ops, text);
        }
    }
}

/// Whatever a server has given or a client was told, oldest first.
fn grants<'a>(facts: &Facts<'a>) -> Vec<(Duration, &'a str, FencingToken, HolderId)> {
    let stays = facts.records.stays.iter();
    let given = stays.map(|stay| (stay.span.from, stay.name, stay.token, stay.holder));
    let told = facts.lives.values().filter_map(|life| {
        let grant = life.grant?;
        Some((grant.at, life.name(), grant.token, grant.holder))
    });
    let mut grants: Vec<_> = given.chain(told).collect();
    grants.sort_unstable();
    grants
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_token_that_is_given_twice_is_caught() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             20 return 1
             25 record
             25 record hold=2/5/0/3025",
        );

        assert_eq!(report.broken(), [Invariant::TokenUnique]);
    }

    #[test]
    fn names_have_tokens_of_their_own() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2 name=b
             10 grant 1 token=5
             10 grant 2 token=5
             20 return 1
             20 return 2",
        );

        assert_eq!(report.broken(), []);
    }
}
