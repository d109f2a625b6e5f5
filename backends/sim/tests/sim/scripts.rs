//! Scripts run as they do on a server, down to the conversions and the texts of errors.

use semafence::script::Reply;
use semafence_sim::{Server, run};

fn with_server(test: impl FnOnce(Server)) {
    run(1, |sim| async move { test(sim.server()) });
}

fn eval(server: &Server, source: &str) -> Result<Reply, String> {
    server.eval(source, &["a", "b"], &["1", "x"])
}

fn int(number: i64) -> Result<Reply, String> {
    Ok(Reply::Int(number))
}

fn text(text: &str) -> Reply {
    Reply::Bytes(text.as_bytes().to_vec())
}

#[test]
fn what_lua_returns_becomes_a_reply() {
    with_server(|server| {
        assert_eq!(eval(&server, "return 3.99"), int(3));
        assert_eq!(eval(&server, "return -3.99"), int(-3));
        assert_eq!(eval(&server, "return 1e300"), int(i64::MIN));
        assert_eq!(eval(&server, "return 0/0"), int(i64::MIN));
        assert_eq!(eval(&server, "return 9007199254740991"), int(9_007_199_254_740_991));
        assert_eq!(eval(&server, "return true"), int(1));
        assert_eq!(eval(&server, "return false"), Ok(Reply::Nil));
        assert_eq!(eval(&server, "return nil"), Ok(Reply::Nil));
        assert_eq!(eval(&server, "return"), Ok(Reply::Nil));
        assert_eq!(eval(&server, "return KEYS[2] .. ARGV[2]"), Ok(text("bx")));
        assert_eq!(
            eval(&server, "return {1, {'a'}, nil, 4}"),
            Ok(Reply::Array(vec![Reply::Int(1), Reply::Array(vec![text("a")])]))
        );
        assert_eq!(eval(&server, "return {ok='fine'}"), Ok(text("fine")));
        assert_eq!(
            eval(&server, "return redis.error_reply('MY error')"),
            Err("MY error".to_owned())
        );
        assert_eq!(
            eval(&server, "return redis.error_reply('word')"),
            Err("ERR word".to_owned())
        );
        assert_eq!(eval(&server, "return redis.status_reply('fine')"), Ok(text("fine")));
    });
}

#[test]
fn what_commands_answer_becomes_lua() {
    with_server(|server| {
        assert_eq!(
            eval(&server, "return type(redis.call('GET', 'a'))"),
            Ok(text("boolean"))
        );
        assert_eq!(eval(&server, "return redis.call('SET', 'a', 1).ok"), Ok(text("OK")));
        assert_eq!(eval(&server, "return type(redis.call('GET', 'a'))"), Ok(text("string")));
        assert_eq!(
            eval(&server, "return type(redis.call('INCR', 'a'))"),
            Ok(text("number"))
        );
        assert_eq!(
            eval(
                &server,
                "redis.call('HSET', 'b', 'f', 1) return #redis.call('HMGET', 'b', 'f', 'g')"
            ),
            int(2)
        );
        assert_eq!(
            eval(&server, "return redis.call('HMGET', 'b', 'f', 'g')[2] == false"),
            int(1)
        );
    });
}

#[test]
fn numbers_reach_commands_with_all_their_digits() {
    with_server(|server| {
        let set = |number: &str| {
            let source = format!("redis.call('SET', 'a', {number}) return redis.call('GET', 'a')");
            eval(&server, &source)
        };

        assert_eq!(set("2^53 - 1"), Ok(text("9007199254740991")));
        assert_eq!(set("-0.5"), Ok(text("-0.5")));
        assert_eq!(set("0.1"), Ok(text("0.10000000000000001")));
        assert_eq!(set("1e20"), Ok(text("1e+20")));
        assert_eq!(set("1e17 - 16"), Ok(text("99999999999999984")));
        assert_eq!(set("1e17"), Ok(text("1e+17")), "Redis 7.0 counts 17 digits");
        assert_eq!(set("2^63"), Ok(text("9.2233720368547758e+18")));
        assert_eq!(set("0/0"), Ok(text("-nan")));
        assert_eq!(
            set("tostring(2^53 - 1)"),
            Ok(text("9.007199254741e+15")),
            "tostring loses digits"
        );
    });
}

#[test]
fn errors_of_commands_are_tables_and_end_the_script_unless_caught() {
    with_server(|server| {
        let wrong = "redis.call('HSET', 'a', 'f', 'v')\nreturn redis.call('GET', 'a')";
        let caught = "return redis.pcall('GET', 'a').err";
        let pcall = "local ok, e = pcall(redis.call, 'GET', 'a') return {ok and 1 or 0, e}";

        let error = eval(&server, wrong).unwrap_err();

        let start = "WRONGTYPE Operation against a key holding the wrong kind of value script: ";
        assert!(
            error.starts_with(start) && error.ends_with(", on @user_script:2."),
            "{error}"
        );
        assert_eq!(eval(&server, caught), Ok(text(start.trim_end_matches(" script: "))));
        assert_eq!(
            eval(&server, pcall),
            Ok(Reply::Array(vec![
                Reply::Int(0),
                text(start.trim_end_matches(" script: "))
            ]))
        );
    });
}

#[test]
fn errors_of_lua_name_their_line() {
    with_server(|server| {
        let error = eval(&server, "local x = {}\nreturn x.y.z").unwrap_err();

        assert!(
            error.starts_with("ERR user_script:2: attempt to index field 'y' (a nil value) script: "),
            "{error}"
        );
        assert!(error.ends_with(", on @user_script:2."), "{error}");
        let error = eval(&server, "return (").unwrap_err();
        assert_eq!(
            error,
            "ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'"
        );
        let error = eval(&server, "error()").unwrap_err();
        assert!(error.starts_with("ERR nil script: "), "{error}");
        let error = eval(&server, "redis.call('HSET', 'a', 'f', 1, 'g')").unwrap_err();
        assert!(
            error.starts_with("ERR wrong number of arguments for 'hset' command script: "),
            "{error}"
        );
    });
}

#[test]
fn a_script_calls_only_what_scripts_may_and_with_the_right_words() {
    with_server(|server| {
        let fails = |source: &str, with: &str| {
            let error = eval(&server, source).unwrap_err();
            assert!(error.starts_with(with), "{source}: {error}");
        };

        fails(
            "return redis.call('NOPE')",
            "ERR Unknown Redis command called from script script: ",
        );
        fails(
            "return redis.call('GET')",
            "ERR Wrong number of args calling Redis command from script script: ",
        );
        fails(
            "return redis.call()",
            "ERR Please specify at least one argument for this redis lib call",
        );
        fails(
            "return redis.call('EVAL', 'return 1', 0)",
            "ERR This Redis command is not allowed from script",
        );
        fails(
            "return redis.call('GET', {})",
            "ERR Lua redis lib command arguments must be strings or integers",
        );
    });
}

#[test]
fn globals_are_neither_made_nor_missed() {
    with_server(|server| {
        let error = eval(&server, "x = 1").unwrap_err();
        assert!(
            error.starts_with("ERR user_script:1: Attempt to modify a readonly table script: "),
            "{error}"
        );
        let error = eval(&server, "return x").unwrap_err();
        let text = "ERR user_script:1: Script attempted to access nonexistent global variable 'x' script: ";
        assert!(error.starts_with(text), "{error}");
        for hidden in ["print", "dofile", "os", "io", "require", "debug"] {
            assert!(eval(&server, &format!("return {hidden}")).is_err(), "{hidden}");
        }
    });
}

#[test]
fn unpack_has_the_limit_of_lua_5_1() {
    with_server(|server| {
        let unpack = |count: u32| {
            let source = format!("local t = {{}} for i = 1, {count} do t[i] = i end return select('#', unpack(t))");
            eval(&server, &source)
        };

        assert_eq!(unpack(7_990), int(7_990));
        let error = unpack(8_000).unwrap_err();
        assert!(error.contains("too many results to unpack"), "{error}");
    });
}

#[test]
fn a_key_that_was_not_declared_is_a_violation() {
    let refused = std::panic::catch_unwind(|| {
        run(1, |sim| async move {
            let error = eval(&sim.server(), "return redis.call('GET', 'c')").unwrap_err();

            assert!(
                error.starts_with("ERR Script attempted to access undeclared key 'c'"),
                "{error}"
            );
            assert_eq!(sim.server().violations(), ["get c"]);
        });
    });

    assert!(
        refused.is_err(),
        "the run fails although the script's error went unnoticed"
    );
}

#[test]
fn a_script_sees_one_moment() {
    with_server(|server| {
        let source = "local t = redis.call('TIME') return {t[1], t[2], redis.call('INFO', 'replication')}";
        let Ok(Reply::Array(parts)) = eval(&server, source) else {
            panic!("the script failed");
        };

        assert_eq!(parts[..2], [text("1767225600"), text("0")]);
        let Reply::Bytes(info) = &parts[2] else {
            panic!("INFO is text");
        };
        assert!(String::from_utf8_lossy(info).contains("\r\nmaster_replid:"));
    });
}
