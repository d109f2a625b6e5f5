//! What clients do in a run: how many there are, what they ask for, and how busy they are.

use std::time::Duration;

use semafence::Strategy;

use super::profile::{Profile, is_aged};
use crate::random::draw;

/// What clients do, drawn from a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Client processes.
    pub clients: u32,
    /// Tasks in each.
    pub workers: u32,
    /// Semaphores that they share.
    pub names: u32,
    /// Permits of each.
    pub limit: u32,
    /// The ttl of their leases.
    pub ttl: Duration,
    /// How they wait.
    pub strategy: Strategy,
    /// How long they hold at the median.
    pub hold: Duration,
    /// How long they pause between two acquisitions at the median.
    pub think: Duration,
    /// Whether a server that took over grants nothing for one ttl.
    pub grace: bool,
    /// Independent servers, a majority of which decides.
    pub servers: u32,
    /// How far the clocks of independent servers show other times, at most.
    pub apart: Duration,
    /// Replicas of the server.
    pub replicas: u32,
    /// How many replicas a grant waits for.
    pub acks: u32,
    /// Whether lease time is stepless.
    pub stepless: bool,
    /// Whether the server wants a replica that keeps up.
    pub min_replicas: bool,
}

impl Setting {
    /// The setting that belongs to a seed. Half of the runs are sparse: where permits are always taken, a grant that
    /// was forgotten is not seen.
    #[must_use]
    pub fn draw(profile: Profile, seed: u64) -> Self {
        let pick = |what: u64, low: u64, high: u64| low + draw(seed, &[0x5e7, what]) % (high - low + 1);
        let small = |what, low, high| u32::try_from(pick(what, low, high)).expect("settings are small");
        // So many at one moment that independent servers give slots out in another order, and all are taken.
        let is_crowded = profile == Profile::Quorum && pick(17, 0, 15) == 0;
        let (clients, limit) = if is_crowded {
            (small(18, 6, 9), small(19, 3, 6))
        } else {
            (small(0, 2, 5), [1, 1, 2, 3][pick(1, 0, 3) as usize])
        };
        let sparse = !is_crowded && pick(2, 0, 1) == 0;
        let ttl = Duration::from_millis(pick(6, 10, 40) * 100);
        let hold = match profile {
            // Longer than a lease lasts, or none would end while it is held.
            Profile::Lapses => ttl * 3 / 2,
            _ if is_crowded => Duration::from_millis(pick(20, 50, 150)),
            Profile::Quorum if pick(16, 0, 1) == 0 => ttl,
            _ => Duration::from_millis(pick(3, 60, 600)),
        };
        let workers = if sparse || is_crowded { 1 } else { small(4, 1, 2) };
        let crowd = clients * workers;
        let think = if sparse {
            hold * (3 * crowd / limit).max(2)
        } else {
            hold / 2
        };
        let replicas = if profile.needs_replicas() { small(8, 1, 2) } else { 0 };
        Self {
            clients,
            workers,
            names: if pick(5, 0, 3) == 0 { 2 } else { 1 },
            limit,
            ttl,
            strategy: match pick(7, 0, 9) {
                0 | 1 => Strategy::Notify,
                2 => Strategy::Poll,
                _ => Strategy::Queue,
            },
            hold,
            think,
            // Without it a majority that forgets lets others in.
            grace: profile == Profile::Quorum || profile.forgets() && pick(11, 0, 1) == 0,
            servers: if profile == Profile::Quorum {
                1 + 2 * small(15, 1, 2)
            } else {
                1
            },
            apart: match profile {
                Profile::Quorum if is_aged(seed) => Duration::from_secs(3_600),
                // Less than the time in which servers that forget grant nothing.
                Profile::Quorum => Duration::from_millis(900),
                _ => Duration::ZERO,
            },
            replicas,
            acks: if pick(12, 0, 3) == 0 {
                replicas.min(small(13, 1, 2))
            } else {
                0
            },
            stepless: pick(14, 1, profile.one_stepless_in()) == 1,
            min_replicas: profile == Profile::Split && pick(9, 0, 1) == 0,
        }
    }
}
