//! The server itself.

use super::Outcome;
use crate::database::{Database, Resp};
use crate::keyspace::Bytes;

pub(super) fn time(db: &mut Database, _: &[Bytes]) -> Outcome {
    let (seconds, micros) = (db.now_us.div_euclid(1_000_000), db.now_us.rem_euclid(1_000_000));
    Ok(Resp::Array(
        [seconds, micros]
            .map(|number| Resp::Bulk(number.to_string().into_bytes()))
            .into(),
    ))
}

pub(super) fn ping(_: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(args.first().map_or(Resp::status("PONG"), |text| Resp::bulk(text)))
}

pub(super) fn echo(_: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::bulk(&args[0]))
}

pub(super) fn publish(db: &mut Database, args: &[Bytes]) -> Outcome {
    let listeners = db.listeners.get(&args[0]).copied().unwrap_or(0);
    db.published.push((args[0].clone(), args[1].clone()));
    Ok(Resp::count(listeners))
}

/// The section `replication` whatever is asked for; it is the only one that scripts read.
pub(super) fn info(db: &mut Database, _: &[Bytes]) -> Outcome {
    let (replid, replicas) = (&db.replid, db.replicas);
    let role = if db.keys.follows { "slave" } else { "master" };
    let text = format!(
        "# Replication\r\nrole:{role}\r\nconnected_slaves:{replicas}\r\nmaster_failover_state:no-failover\r\n\
         master_replid:{replid}\r\nmaster_replid2:{:040}\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\n\
         repl_backlog_active:0\r\nrepl_backlog_size:1048576\r\nrepl_backlog_first_byte_offset:0\r\n\
         repl_backlog_histlen:0\r\n",
        0
    );
    Ok(Resp::Bulk(text.into_bytes()))
}

/// Stands in the table for its count; a connection handles it, and a script may not call it.
pub(super) fn not_here(_: &mut Database, _: &[Bytes]) -> Outcome {
    Err("ERR This Redis command is not allowed from script".to_owned())
}
