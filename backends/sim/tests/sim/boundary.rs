//! Where the order of tokens ends, and what each part of the rule is for; the example `tokens` prints all of it.

#[path = "../../examples/tokens/sweep.rs"]
mod sweep;

use std::time::Duration;

use sweep::{Case, Course, RULES, Rule, SHIPPED, regressions};

/// Each with another age of the generation: a second, a minute, three hours.
const TRIALS: u64 = 6;

fn count(rule: Rule, course: Course, ahead_s: i64, lost_s: u64) -> u64 {
    let case = Case {
        rule,
        course,
        ahead_ms: ahead_s * 1000,
        lost: Duration::from_secs(lost_s),
    };
    regressions(case, TRIALS)
}

#[test]
fn tokens_never_go_back_while_clocks_agree_within_an_hour() {
    for course in [Course::Once, Course::Twice] {
        for ahead_s in [-3_600, -5, 0, 5, 3_600] {
            for lost_s in [0, 10, 600] {
                assert_eq!(
                    count(SHIPPED, course, ahead_s, lost_s),
                    0,
                    "{course:?}, {ahead_s} s ahead, {lost_s} s lost"
                );
            }
        }
    }
}

#[test]
fn tokens_survive_two_hours_between_clocks_while_no_more_than_a_minute_is_lost() {
    assert_eq!(count(SHIPPED, Course::Once, -7_200, 60), 0);
    assert_ne!(
        count(SHIPPED, Course::Once, -7_200, 600),
        0,
        "the limit that is documented"
    );
}

#[test]
fn tokens_go_on_after_masters_that_nobody_knows_while_clocks_agree_within_the_time_between() {
    for course in [Course::MiddleLost, Course::MiddleTwoLost] {
        for ahead_s in [-1, 0, 1] {
            assert_eq!(count(SHIPPED, course, ahead_s, 10), 0, "{course:?}, {ahead_s} s ahead");
        }
        assert_ne!(count(SHIPPED, course, 5, 10), 0, "the limit that is documented");
    }
}

#[test]
fn tokens_of_a_deployment_that_lost_all_go_on_while_clocks_agree_within_its_age() {
    for (ahead_s, lost_s) in [(-1, 0), (0, 0), (1, 0), (-3_600, 3_600), (3_600, 1)] {
        assert_eq!(
            count(SHIPPED, Course::Begun, ahead_s, lost_s),
            0,
            "{ahead_s} s ahead, {lost_s} s old"
        );
    }
    assert_ne!(count(SHIPPED, Course::Begun, -5, 1), 0, "the limit that is documented");
}

#[test]
fn tokens_go_back_without_any_part_of_the_rule() {
    let cases = [
        ("a plain counter", 0, 1),
        ("no generation: max(last + 1, now)", -5, 1),
        ("no guard of 71 minutes", -5, 600),
        ("no step between generations", -5, 1),
        ("no step of the token", -7_200, 1),
        ("the small step always", -7_200, 10),
    ];
    for (name, ahead_s, lost_s) in cases {
        let rule = RULES
            .into_iter()
            .find(|rule| rule.name == name)
            .expect("a rule of that name");

        assert_ne!(count(rule, Course::Once, ahead_s, lost_s), 0, "{name}");
        assert_eq!(count(SHIPPED, Course::Once, ahead_s, lost_s), 0, "{name}");
    }
}
