//! Commands and the replies that real servers give to them.

use semafence::script::Reply;
use semafence_sim::run;

/// Each line a command and its reply, run in order on one empty server. The replies are those of Redis 7.0.15.
const SESSION: &str = r#"
PING -> "PONG"
ECHO hi -> "hi"
GET none -> nil
SET text 41 -> "OK"
SET text 42 NX -> nil
INCR text -> 42
GET text -> "42"
TYPE text -> "string"
INCR counter -> 1
SET word abc -> "OK"
INCR word -> error ERR value is not an integer or out of range
SET word abc XYZ -> error ERR syntax error
SET word abc PX 0 -> error ERR invalid expire time in 'set' command
SET word abc PX 9223372036854775807 -> error ERR invalid expire time in 'set' command
SET word abc PXAT 0 -> error ERR invalid expire time in 'set' command
SET word abc PX 5 PXAT 5 -> error ERR syntax error
SET word abc PX x PXAT -> error ERR syntax error
SET none abc XX -> nil
SET word abd XX -> "OK"
SET word abc NX XX -> error ERR syntax error
SET word abc PX x -> error ERR value is not an integer or out of range
HGET text f -> error WRONGTYPE Operation against a key holding the wrong kind of value
ZADD text 1 a -> error WRONGTYPE Operation against a key holding the wrong kind of value
HSET hash a 1 b 2 -> 2
HSET hash a 3 c 4 -> 1
HSET hash a -> error ERR wrong number of arguments for 'hset' command
HSET hash a 1 b -> error ERR wrong number of arguments for 'hset' command
HMGET hash a none c -> ["3", nil, "4"]
HMGET none a b -> [nil, nil]
HGET hash b -> "2"
HGET hash none -> nil
HEXISTS hash b -> 1
HLEN hash -> 3
HDEL hash b b none -> 1
HDEL none a -> 0
HGETALL none -> []
HDEL hash a c -> 2
EXISTS hash -> 0
ZADD z 3 c 1 a 2 b -> 3
ZADD z 2.5 b 4 d -> 1
ZADD z NX 9 a 5 e -> 1
ZADD z XX CH 1.5 a 9 none -> 1
ZADD z NX XX 1 a -> error ERR XX and NX options at the same time are not compatible
ZADD z 1 -> error ERR wrong number of arguments for 'zadd' command
ZADD z 1 a 2 -> error ERR syntax error
ZADD z x a -> error ERR value is not a valid float
ZADD z nan a -> error ERR value is not a valid float
ZADD z 1e400 a -> error ERR value is not a valid float
ZADD z 1e-400 a -> error ERR value is not a valid float
ZADD minus -0 a Infinity b .5 c 0.0e9 d -> 4
ZRANGE minus 0 -1 WITHSCORES -> ["a", "0", "d", "0", "c", "0.5", "b", "inf"]
ZSCORE z a -> "1.5"
ZSCORE z none -> nil
ZSCORE none a -> nil
ZCARD z -> 5
ZRANK z d -> 3
ZRANK z none -> nil
ZRANGE z 0 -1 -> ["a", "b", "c", "d", "e"]
ZRANGE z -2 -1 WITHSCORES -> ["d", "4", "e", "5"]
ZRANGE z 3 1 -> []
ZRANGE z 0 0 LIMIT 0 1 -> error ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
ZRANGE z 0 0 LIMIT 0 -1 -> ["a"]
ZRANGE z a b NOPE -> error ERR syntax error
ZRANGEBYSCORE z a b NOPE -> error ERR syntax error
ZRANGE z a b -> error ERR value is not an integer or out of range
ZREVRANGE z 0 1 WITHSCORES -> ["e", "5", "d", "4"]
ZRANGEBYSCORE z 2.5 4 -> ["b", "c", "d"]
ZRANGEBYSCORE z (2.5 (4 WITHSCORES -> ["c", "3"]
ZRANGEBYSCORE z -inf +inf LIMIT 1 2 -> ["b", "c"]
ZRANGEBYSCORE z -inf +inf LIMIT 1 -1 -> ["b", "c", "d", "e"]
ZRANGEBYSCORE z -inf +inf LIMIT -1 2 -> []
ZRANGEBYSCORE z 4 2 -> []
ZRANGEBYSCORE z (inf inf -> []
ZRANGEBYSCORE z 1e400 +1e400 -> []
ZRANGEBYSCORE z nan 2 -> error ERR min or max is not a float
ZRANGEBYSCORE z x 2 -> error ERR min or max is not a float
ZRANGEBYSCORE z 1 2 LIMIT 1 -> error ERR syntax error
ZREVRANGEBYSCORE z +inf (3 LIMIT 0 1 -> ["e"]
ZREVRANGEBYSCORE z 3 -inf WITHSCORES -> ["c", "3", "b", "2.5", "a", "1.5"]
ZCOUNT z (1.5 4 -> 3
ZREMRANGEBYRANK z 0 0 -> 1
ZREMRANGEBYSCORE z 4 (5 -> 1
ZREM z e e none -> 1
ZPOPMIN z -> ["b", "2.5"]
ZPOPMIN z 5 -> ["c", "3"]
ZPOPMIN z 5 -> []
ZPOPMIN z 1.5 -> error ERR value is out of range, must be positive
ZPOPMIN z -1 -> error ERR value is out of range, must be positive
EXISTS z -> 0
ZADD big 1767225600123 a 9007199254740991 b 100000000000000000 c 0.1 d -inf e -> 5
ZRANGE big 0 -1 WITHSCORES -> ["e", "-inf", "d", "0.10000000000000001", "a", "1767225600123", "b", "9007199254740991", "c", "1e+17"]
ZADD ties 1 b 1 a 1 aa 1 B -> 4
ZRANGE ties 0 -1 -> ["B", "a", "aa", "b"]
PTTL none -> -2
PTTL text -> -1
PEXPIREAT none 1 -> 0
PEXPIREAT text 9999999999999 -> 1
PEXPIRETIME text -> 9999999999999
PERSIST text -> 1
PERSIST text -> 0
PEXPIREAT text 9999999999999 NOPE -> error ERR Unsupported option NOPE
PEXPIREAT text 1 -> 1
EXISTS text -> 0
PEXPIREAT counter x -> error ERR value is not an integer or out of range
DEL counter word counter none -> 2
UNLINK big minus -> 2
KEYS t* -> ["ties"]
KEYS ti?s -> ["ties"]
DBSIZE -> 1
PUBLISH nobody hello -> 0
NOPE a b -> error ERR unknown command 'NOPE', with args beginning with: 'a' 'b' 
GET -> error ERR wrong number of arguments for 'get' command
FLUSHALL -> "OK"
DBSIZE -> 0
"#;

#[test]
fn commands_answer_as_a_server_does() {
    run(1, |sim| async move {
        for line in SESSION.lines().filter(|line| !line.is_empty()) {
            let (command, expected) = line.split_once(" -> ").expect("a line has a reply");
            let words: Vec<&str> = command.split(' ').collect();

            let reply = sim.server().run(&words);

            assert_eq!(show(&reply), expected, "{command}");
        }
    });
}

#[test]
fn keys_end_by_the_clock_of_the_server() {
    run(1, |sim| async move {
        let server = sim.server();
        server.run(&["SET", "a", "1", "PX", "100"]).unwrap();

        tokio::time::sleep(std::time::Duration::from_millis(99)).await;
        assert_eq!(show(&server.run(&["PTTL", "a"])), "1");
        server.step_clock_us(1_500);
        assert_eq!(
            show(&server.run(&["GET", "a"])),
            "\"1\"",
            "it lives through its last millisecond"
        );
        server.step_clock_us(1_500);

        assert_eq!(show(&server.run(&["GET", "a"])), "nil");
        assert_eq!(server.keys(), Vec::<String>::new());
    });
}

fn show(reply: &Result<Reply, String>) -> String {
    match reply {
        Ok(reply) => show_reply(reply),
        Err(error) => format!("error {error}"),
    }
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Array(items) => format!("[{}]", items.iter().map(show_reply).collect::<Vec<_>>().join(", ")),
        Reply::Bytes(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Int(number) => number.to_string(),
        Reply::Nil => "nil".to_owned(),
    }
}
