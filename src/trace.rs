//! What `tracing` is told: every span and event with its level and fields. [The guide](crate::guide::tracing) has the
//! table.
//!
//! Nothing at INFO for each acquire: a service makes thousands a second. WARN is for what an operator must see. Holder
//! ids are the right to release, so only their first digits are shown.

use std::fmt;
use std::time::Duration;

use tracing::Span;
use tracing::field::Empty;

use crate::backend::{Claim, Grant, Queued, Standing};
use crate::error::LossReason;
use crate::failure::BackendError;
use crate::fence::FencingToken;
use crate::holder::HolderId;
use crate::lease::Lease;
use crate::name::Name;
use crate::stats::{Acquired, Lost, Released};

/// Tells at a level, with [the crate](crate) as the target, whatever module it is.
macro_rules! tell {
    ($level:ident, $($rest:tt)+) => { tracing::$level!(target: "semafence", $($rest)+) };
}

/// From asking until there is a permit, or none.
pub(crate) fn acquire(name: &Name, permits: u32) -> Span {
    tell!(debug_span, "acquire", %name, permits, outcome = Empty, waited = Empty)
}

pub(crate) fn acquired(acquire: &Span, outcome: Acquired, waited: Duration) {
    acquire.record("outcome", outcome.label());
    acquire.record("waited", tracing::field::debug(waited));
}

/// From the grant until the permit is over. A child of what its caller was doing when it asked; the acquire ends first.
pub(crate) fn hold(caller: &Span, claim: &Claim, grant: &Grant) -> Span {
    let (name, token) = (&claim.name, grant.token);
    let slot = grant.slots.first().copied();
    tell!(debug_span, parent: caller, "hold", %name, %token, slot, permits = claim.weight, end = Empty)
}

pub(crate) fn queued(claim: &Claim, queued: &Queued) {
    let Queued { place, waiters, .. } = queued;
    tell!(debug, name = %claim.name, holder = %Prefix(claim.holder), place, waiters, "queued");
}

pub(crate) fn granted(lease: &Lease) {
    let Lease { claim, grant, .. } = lease;
    tell!(
        debug, name = %claim.name, holder = %Prefix(claim.holder), token = %grant.token, slots = ?grant.slots,
        limit = grant.limit, "granted"
    );
}

pub(crate) fn limits_differ(name: &Name, ours: u32, theirs: u32) {
    tell!(warn, %name, ours, theirs, "two programs disagree on the limit");
}

pub(crate) fn acquire_failed(name: &Name, error: &BackendError) {
    tell!(debug, %name, %error, "an acquire failed; trying again");
}

pub(crate) fn refresh_failed(lease: &Lease, error: &BackendError) {
    tell!(
        debug, parent: &lease.span, name = %lease.claim.name, token = %lease.grant.token, remaining = ?lease.remaining(),
        %error, "a refresh failed; retrying until the lease ends"
    );
}

pub(crate) fn refresh_refused(lease: &Lease, error: &BackendError) {
    let (name, token) = (&lease.claim.name, lease.grant.token);
    tell!(warn, parent: &lease.span, %name, %token, %error, "a refresh was refused");
}

pub(crate) fn lost(lease: &Lease, reason: LossReason) {
    let (name, token, holder) = (&lease.claim.name, lease.grant.token, Prefix(lease.claim.holder));
    tell!(warn, parent: &lease.span, %name, %holder, %token, %reason, "a permit was lost");
}

pub(crate) fn ended_by_loss(hold: &Span, reason: LossReason) {
    hold.record("end", Lost::from(reason).label());
}

/// Its holder has parted with it.
pub(crate) fn released(lease: &Lease, how: Released) {
    if how != Released::Lost {
        lease.span.record("end", how.label());
    }
    let (name, token) = (&lease.claim.name, lease.grant.token);
    tell!(debug, parent: &lease.span, %name, %token, how = how.label(), "released");
}

pub(crate) fn not_given_back(claim: &Claim, error: &BackendError) {
    tell!(warn, name = %claim.name, %error, "a permit could not be given back; it ends with its ttl");
}

pub(crate) fn token_went_back(name: &Name, token: FencingToken, highest: FencingToken) {
    tell!(
        error, %name, %token, %highest,
        "a token went back: the backend has lost data, and a guarded resource will refuse this permit"
    );
}

pub(crate) fn on_lost_panicked(name: &Name) {
    tell!(error, %name, "on_lost panicked; the keeper goes on");
}

pub(crate) fn away(verb: &'static str, error: Option<&BackendError>) {
    match error {
        Some(error) => tell!(warn, verb, %error, "the backend does not serve"),
        None => tell!(warn, verb, error = "no answer in time", "the backend does not serve"),
    }
}

pub(crate) fn back(verb: &'static str, after: Duration) {
    tell!(info, verb, ?after, "the backend serves again");
}

pub(crate) fn forced(name: &Name, holder: HolderId, standing: Standing) {
    tell!(info, %name, holder = %Prefix(holder), ?standing, "released by force");
}

pub(crate) fn resized(name: &Name, limit: Option<u32>, before: Option<u32>) {
    tell!(info, %name, limit, before, "the limit was changed");
}

pub(crate) fn permits_added(name: &Name, permits: u32, limit: u32) {
    tell!(info, %name, permits, limit, "permits were added");
}

/// Enough of a holder id to find it in a status, and too little to release what it holds.
struct Prefix(HolderId);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0.bits() >> 96)
    }
}
