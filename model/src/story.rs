//! A way through the space, told in words.

use crate::config::Config;
use crate::event::Event;
use crate::holder::Phase;
use crate::packed::Packed;
use crate::property::{Property, broken};
use crate::step;
use crate::world::World;

/// Tells a way step by step. Packed worlds have lost their names, so it is walked again under names that stay.
pub(crate) fn tell(config: &Config, way: &[Packed], last: Event, property: Property) -> Vec<String> {
    let mut world = World::new(config);
    let mut story = Vec::new();
    for next in &way[1..] {
        let leads_there = |_: &Event, _: &World, after: &World| Packed::new(after, config.limit) == *next;
        let (event, after) = first_step(&world, config, leads_there).expect("each world on the way follows");
        story.push(sentence(&event, &world, &after));
        world = after;
    }
    let breaks = |event: &Event, before: &World, after: &World| {
        std::mem::discriminant(event) == std::mem::discriminant(&last)
            && broken(config, event, before, after) == Some(property)
    };
    let (event, after) = first_step(&world, config, breaks).expect("the last world has a step that breaks something");
    story.push(sentence(&event, &world, &after));
    story.push(format!("So {property}."));
    story
}

/// The first step from a world that is wanted.
fn first_step(
    world: &World,
    config: &Config,
    is_wanted: impl Fn(&Event, &World, &World) -> bool,
) -> Option<(Event, World)> {
    let mut found = None;
    step::for_each(world, config, |event, after| {
        if found.is_none() && is_wanted(&event, world, &after) {
            found = Some((event, after));
        }
    });
    found
}

fn sentence(event: &Event, before: &World, after: &World) -> String {
    match *event {
        Event::Ask { who, slot, token } => {
            format!("{} asks all nodes for slot {slot} with token {token}.", name(who))
        }
        Event::Vote { who, node, age, .. } => vote(who, node, age, before, after),
        Event::Confirm { who, token } => {
            format!(
                "{} has a majority, but not above all: it asks again with token {token}.",
                name(who)
            )
        }
        Event::Return { who, token } => format!(
            "{} holds slot {} with token {token}.",
            name(who),
            before.holders[who].slot
        ),
        Event::Stop { who } => stop(who, before, after),
        Event::Release { who, node } => format!("The release of {} arrives at node {}.", name(who), node + 1),
        Event::Expire { who, node } => format!("The lease of {} ends at node {}.", name(who), node + 1),
        Event::Forget { node } => {
            let highest = after.nodes[node].highest;
            format!(
                "Node {} restarts and has forgotten everything; its highest is {highest}.",
                node + 1
            )
        }
        Event::GraceEnds { node } => format!("The grace of node {} is over.", node + 1),
        Event::SendRefresh { who } => format!(
            "{} sends refresh {} to all nodes.",
            name(who),
            after.holders[who].refreshes
        ),
        Event::Refresh { who, node, lease } => refresh(who, node, lease, before),
        Event::Overrule { who, node } => overrule(who, node, before),
        Event::Renew { who } => format!("A majority has answered {}: it relies on the new lease.", name(who)),
    }
}

fn vote(who: usize, node: usize, age: usize, before: &World, after: &World) -> String {
    let holder = &before.holders[who];
    let kind = match (age, holder.confirms) {
        (0, 0) if holder.standings[node].recorded => "repeated vote",
        (0, 0) => "vote",
        (0, _) => "confirm",
        _ => "older vote",
    };
    let token = holder.tokens[age];
    let previous = before.nodes[node].highest;
    let highest = after.nodes[node].highest;
    format!(
        "The {kind} of {} with token {token} is granted by node {}: its highest was {previous} and is {highest}.",
        name(who),
        node + 1
    )
}

fn refresh(who: usize, node: usize, lease: u8, before: &World) -> String {
    let verb = if before.holders[who].standings[node].recorded {
        "still has it"
    } else {
        "is in its grace and takes it in"
    };
    format!(
        "Refresh {lease} of {} arrives at node {}, which {verb}.",
        name(who),
        node + 1
    )
}

fn overrule(who: usize, node: usize, before: &World) -> String {
    let holder = &before.holders[who];
    let what = match holder.phase {
        Phase::Asking => "asks to confirm",
        Phase::Holding => "holds the slot",
        _ => "held the slot",
    };
    let other = before.occupant(who, node).expect("somebody is overruled");
    let than = if before.holders[other].standings[node].asked < holder.holds {
        "less"
    } else {
        "no less"
    };
    format!(
        "Node {} is told that {} {what} with token {}, and ends the record of {}, which has asked it with {than}.",
        node + 1,
        name(who),
        holder.holds,
        name(other)
    )
}

fn stop(who: usize, before: &World, after: &World) -> String {
    let what = match before.holders[who].phase {
        Phase::Holding => "releases, crashes or is past its deadline: it believes nothing",
        _ => "gives up, crashes or is past its deadline",
    };
    let is_on_record = |world: &World| world.holders[who].standings.iter().any(|standing| standing.recorded);
    let records = if is_on_record(before) && !is_on_record(after) {
        ", and its records end"
    } else {
        ""
    };
    format!("{} {what}{records}.", name(who))
}

/// Holders are letters.
fn name(who: usize) -> char {
    char::from(b'A' + who as u8)
}
