//! The calls that refresh many claims at once, and which claim each of their answers belongs to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backend::{Claim, Standing};
use crate::failure::BackendError;
use crate::name::Name;
use crate::reply::{Reply, read_standings};
use crate::script::{self, Invocation};

/// Claims that one call refreshes; Lua takes no more than some thousand arguments at once.
const REFRESHED_MAX: usize = 1000;

/// The calls for [`LockBackend::refresh`](crate::LockBackend::refresh): one for each name, more where it has very many
/// claims, to be sent in one round trip.
#[derive(Debug)]
pub struct Refreshes {
    invocations: Vec<Invocation>,
    /// Which claims each call is about, by their places.
    groups: Vec<Vec<usize>>,
    claims: usize,
    timeout: Duration,
}

impl Refreshes {
    /// The calls for these claims; none where there is no claim.
    #[must_use]
    pub fn new(claims: &[Claim]) -> Self {
        let groups: Vec<Vec<usize>> = by_name(claims)
            .iter()
            .flat_map(|group| group.chunks(REFRESHED_MAX))
            .map(<[usize]>::to_vec)
            .collect();
        let invocations = groups
            .iter()
            .map(|group| script::refresh(group.iter().map(|&index| &claims[index])))
            .collect();
        Self {
            invocations,
            groups,
            claims: claims.len(),
            timeout: claims.iter().map(Claim::timeout).min().unwrap_or_default(),
        }
    }

    /// The calls, all of one script.
    #[must_use]
    pub fn invocations(&self) -> &[Invocation] {
        &self.invocations
    }

    /// How long all of them together may take: as long as the most urgent claim lets them.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Deals the answer to each call out to its claims: one answer per claim, in order.
    #[must_use]
    pub fn answers(
        self,
        replies: Result<Vec<Result<Reply, BackendError>>, BackendError>,
    ) -> Vec<Result<Standing, BackendError>> {
        let replies = match replies {
            Ok(replies) => replies,
            Err(error) => return vec![Err(error); self.claims],
        };
        let mut standings = vec![Ok(Standing::Absent); self.claims];
        for (group, reply) in self.groups.iter().zip(replies) {
            match reply.and_then(|reply| read_standings(&reply, group.len())) {
                Ok(answers) => group
                    .iter()
                    .zip(answers)
                    .for_each(|(&index, answer)| standings[index] = Ok(answer)),
                Err(error) => group.iter().for_each(|&index| standings[index] = Err(error.clone())),
            }
        }
        standings
    }
}

/// The places of the claims of each name.
fn by_name(claims: &[Claim]) -> Vec<Vec<usize>> {
    let mut groups = BTreeMap::<&Name, Vec<usize>>::new();
    for (index, claim) in claims.iter().enumerate() {
        groups.entry(&claim.name).or_default().push(index);
    }
    groups.into_values().collect()
}
