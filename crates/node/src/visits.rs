//! When the own head is shown: when there was traffic with a counterpart, at most once a second, and at an interval when there was none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use tokio::task::JoinSet;
use verbale_exchange::Peer;

use crate::connection::{Unconnected, connect_as};
use crate::core::Core;
use crate::shared::Shared;
use crate::witness::show;

/// After traffic a head travels so much later: whole batches share a cosignature.
const AFTER_TRAFFIC: Duration = Duration::from_secs(1);

/// A counterpart that cannot be reached is tried again so soon; doubled each time, up to the configured interval.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// Whoever exports waits so long for cosignatures.
const EXPORT_PATIENCE: Duration = Duration::from_secs(3);

/// Shows the own head over a new connection with this key.
async fn show_as(shared: &Arc<Shared>, core: &Core, peer: &Peer, key: &KeyPair) -> Result<(), String> {
    match connect_as(shared, peer, key).await {
        Ok(connection) => show(shared, core, peer, &connection).await,
        Err(Unconnected { trouble, .. }) => {
            shared.witnesses.with(&peer.card().id, |witness| {
                witness.failures = witness.failures.saturating_add(1);
                witness.trouble.clone_from(&trouble);
            });
            Err(trouble)
        }
    }
}

/// Connects to a counterpart and shows it the own head.
async fn visit(shared: Arc<Shared>, core: Core, id: String) {
    let Some(peer) = shared.peers.now().by_id.get(&id).cloned() else { return };
    let mut shown = show_as(&shared, &core, &peer, &shared.tls).await;
    // Whoever does not know the present card yet is told over the key that it pins, and then over the new one.
    for earlier in shared.earlier.tls() {
        let Err(trouble) = &shown else { break };
        let trouble = trouble.clone();
        shown = match show_as(&shared, &core, &peer, &earlier.key).await {
            Ok(()) => show_as(&shared, &core, &peer, &shared.tls).await,
            Err(_) => Err(trouble),
        };
    }
    if let Err(trouble) = &shown {
        // That of the present key.
        shared.witnesses.with(&id, |witness| witness.trouble.clone_from(trouble));
    }
    if shown.is_ok() {
        shared.earlier.reached(&id, shared.peers.now().live());
    }
    if let Err(trouble) = shown {
        tracing::debug!(peer.id = id, trouble, "the head was not cosigned");
    }
    let interval = Duration::from_secs(shared.config.heads.interval_seconds);
    shared.witnesses.with(&id, |witness| {
        witness.busy = false;
        let retry = RETRY_FIRST.saturating_mul(1 << witness.failures.min(16));
        let wait = if witness.failures == 0 { interval } else { retry.min(interval) };
        witness.next = Some(Instant::now() + wait);
    });
}

/// Shows the own head to each counterpart when it is time.
pub(crate) async fn run(shared: Arc<Shared>, core: Core) {
    let mut looking = tokio::time::interval(AFTER_TRAFFIC);
    looking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looking.tick().await;
        for id in shared.peers.now().live() {
            let is_due = shared.witnesses.with(id, |witness| {
                let is_late = witness.next.is_none_or(|next| next <= Instant::now());
                // Traffic with one that cannot be reached waits until it is tried again.
                let is_due = !witness.told && !witness.busy && (is_late || (witness.traffic && witness.failures == 0));
                witness.busy |= is_due;
                witness.traffic &= !is_due;
                is_due
            });
            if is_due {
                tokio::spawn(visit(Arc::clone(&shared), core.clone(), id.clone()));
            }
        }
    }
}

/// Has the present head cosigned by whoever answers soon.
pub(crate) async fn now(shared: &Arc<Shared>, core: &Core) {
    let mut visits = JoinSet::new();
    for id in shared.peers.now().live() {
        visits.spawn(visit(Arc::clone(shared), core.clone(), id.clone()));
    }
    let all = async { while visits.join_next().await.is_some() {} };
    if tokio::time::timeout(EXPORT_PATIENCE, all).await.is_err() {
        tracing::info!("a counterpart did not cosign the exported head in time");
    }
}
