//! Runs scripts as a server does: Lua 5.1, `redis.call`, the conversions between replies and Lua, and a sandbox.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use mlua::state::{GcIncParams, GcMode};
use mlua::{Either, Function, IntoLua, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Value};

use crate::database::{Database, Resp};
use crate::keyspace::Bytes;
use crate::number::format_17g;

const CHUNK: &str = "user_script";

/// An interpreter that has seen more texts than this is not used again.
const COMPILED_MAX: usize = 256;

thread_local! {
    /// What runs the scripts of all worlds of this thread, with what it compiled: compiling takes longer than most
    /// worlds, and an interpreter that may change its thread takes a lock for whatever it does.
    static INTERPRETER: Cell<Option<Box<Interpreter>>> = const { Cell::new(None) };
}

/// Lends out the interpreter of this thread. One that a panic leaves is not used again.
pub(crate) fn interpret<T>(act: impl FnOnce(&mut Interpreter) -> T) -> T {
    let mut interpreter = INTERPRETER.take().unwrap_or_else(|| Box::new(Interpreter::new()));
    let result = act(&mut interpreter);
    if interpreter.compiled.len() <= COMPILED_MAX {
        INTERPRETER.set(Some(interpreter));
    }
    result
}

/// A script that was compiled.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    sha: Arc<str>,
    function: Function,
}

/// One Lua state and the scripts compiled in it.
#[derive(Debug)]
pub(crate) struct Interpreter {
    lua: Lua,
    globals: Table,
    /// The database of the server that runs a script, while it runs.
    database: Rc<RefCell<Database>>,
    /// `xpcall`, and the handler that notes where an error was raised.
    protected_call: Function,
    handler: Function,
    compiled: BTreeMap<Arc<str>, Compiled>,
}

impl Interpreter {
    fn new() -> Self {
        Self::try_new().expect("the prelude is valid Lua")
    }

    fn try_new() -> mlua::Result<Self> {
        let database = Rc::default();
        let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, LuaOptions::default())?;
        // Memory is cheap here: collect when ten times as much is in use as was left the last time.
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(1_000)));
        let globals = lua.globals();
        let protected_call = globals.get("xpcall")?;
        let commands = Rc::<RefCell<Database>>::clone(&database);
        let call = lua.create_function(move |lua, args: MultiValue| match run_command(&commands, args) {
            Resp::Error(text) => Err(Raised::here(lua, text)),
            reply => Ok(to_lua(reply)),
        })?;
        let commands = Rc::<RefCell<Database>>::clone(&database);
        let reply = lua.create_function(move |_, args: MultiValue| Ok(to_lua(run_command(&commands, args))))?;
        let sha1hex = lua.create_function(|_, text: LuaString| Ok(sha1(&text.as_bytes())))?;
        let text_of = lua.create_function(text_of)?;
        lua.load(include_str!("prelude.lua"))
            .set_name("@prelude")
            .call::<()>((call, reply, sha1hex, text_of))?;
        let handler = lua.create_function(locate)?;
        Ok(Self {
            lua,
            globals,
            database,
            protected_call,
            handler,
            compiled: BTreeMap::new(),
        })
    }

    /// Compiles a script unless that was done before; the text of the error if it cannot be.
    pub(crate) fn compile(&mut self, sha: &str, source: &str) -> Result<Compiled, String> {
        if let Some(compiled) = self.compiled.get(sha) {
            return Ok(compiled.clone());
        }
        let chunk = self.lua.load(source).set_name(format!("@{CHUNK}"));
        let failed = |error| format!("ERR Error compiling script (new function): {}", syntax_text(&error));
        let (sha, function) = (Arc::from(sha), chunk.into_function().map_err(failed)?);
        let compiled = Compiled { sha, function };
        self.compiled.insert(Arc::clone(&compiled.sha), compiled.clone());
        Ok(compiled)
    }

    /// Runs a script on a database.
    pub(crate) fn call(&self, database: &mut Database, script: &Compiled, keys: &Arc<[Bytes]>, args: &[Bytes]) -> Resp {
        database.declared = Some(Arc::clone(keys));
        database.wrote = false;
        std::mem::swap(database, &mut self.database.borrow_mut());
        let result = self.try_call(&script.function, keys, args);
        std::mem::swap(database, &mut self.database.borrow_mut());
        database.declared = None;
        match result {
            Ok((true, value)) => to_resp(&value).unwrap_or_else(|error| Resp::error(format!("ERR {error}"))),
            Ok((false, Value::Table(error))) => Resp::Error(error_text(&error, &script.sha)),
            Ok((false, other)) => Resp::error(format!("ERR {}", plain_text(&other))),
            Err(error) => Resp::error(format!("ERR {error}")),
        }
    }

    fn try_call(&self, function: &Function, keys: &[Bytes], args: &[Bytes]) -> mlua::Result<(bool, Value)> {
        self.globals.raw_set("KEYS", self.strings(keys)?)?;
        self.globals.raw_set("ARGV", self.strings(args)?)?;
        self.protected_call.call((function, &self.handler))
    }

    fn strings(&self, texts: &[Bytes]) -> mlua::Result<Table> {
        self.lua
            .create_sequence_from(texts.iter().map(|text| match str::from_utf8(text) {
                Ok(text) => Either::Left(text),
                Err(_) => Either::Right(LuaString::wrap(text)),
            }))
    }
}

pub(crate) fn sha1(text: &[u8]) -> String {
    sha1_smol::Sha1::from(text).digest().to_string()
}

/// An error of a command, raised by `redis.call`.
#[derive(Debug)]
struct Raised {
    text: String,
    line: Option<usize>,
}

impl Raised {
    fn here(lua: &Lua, text: String) -> mlua::Error {
        let line = current_line(lua);
        mlua::Error::external(Self { text, line })
    }

    fn find(mut error: &mlua::Error) -> Option<&Self> {
        while let mlua::Error::CallbackError { cause, .. } = error {
            error = cause;
        }
        error.downcast_ref()
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Raised {}

fn run_command(database: &RefCell<Database>, args: MultiValue) -> Resp {
    let mut command = Vec::with_capacity(args.len());
    for arg in args {
        match to_argument(arg) {
            Some(word) => command.push(word),
            None => return Resp::error("ERR Lua redis lib command arguments must be strings or integers"),
        }
    }
    database.borrow_mut().run(&command)
}

/// Numbers keep all their digits on the way to a command, unlike those that `tostring` prints.
fn to_argument(value: Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) if number.unsigned_abs() < 100_000_000_000_000_000 => {
            Some(number.to_string().into_bytes())
        }
        // Lua has no integers: it was a double.
        #[expect(clippy::cast_precision_loss, reason = "the number was a double before")]
        Value::Integer(number) => Some(format_17g(number as f64).into_bytes()),
        Value::Number(number) => Some(format_17g(number).into_bytes()),
        _ => None,
    }
}

/// What Lua is given without the detour of a reference to it: texts, numbers and what stands for nil.
type Plain = Either<String, Either<i64, bool>>;

/// A reply that is more than that.
struct Composed(Resp);

fn to_lua(reply: Resp) -> Either<Plain, Composed> {
    match reply {
        Resp::Int(number) => Either::Left(Either::Right(Either::Left(number))),
        Resp::Bulk(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Either::Left(Either::Left(text)),
            Err(error) => Either::Right(Composed(Resp::Bulk(error.into_bytes()))),
        },
        Resp::Nil => Either::Left(Either::Right(Either::Right(false))),
        reply => Either::Right(Composed(reply)),
    }
}

impl IntoLua for Composed {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        Ok(match self.0 {
            Resp::Bulk(bytes) => Value::String(lua.create_string(bytes)?),
            Resp::Status(text) => Value::Table(single(lua, "ok", &text)?),
            Resp::Error(text) => Value::Table(error_table(lua, &text, current_line(lua))?),
            Resp::Array(items) => Value::Table(lua.create_sequence_from(items.into_iter().map(to_lua))?),
            Resp::Int(_) | Resp::Nil => to_lua(self.0).into_lua(lua)?,
        })
    }
}

fn single(lua: &Lua, field: &str, text: &str) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 3)?;
    table.raw_set(field, text)?;
    Ok(table)
}

fn error_table(lua: &Lua, text: &str, line: Option<usize>) -> mlua::Result<Table> {
    let table = single(lua, "err", text)?;
    table.raw_set("line", line)?;
    Ok(table)
}

/// The line of the script that is running: servers tell it from 7.0 on.
fn current_line(lua: &Lua) -> Option<usize> {
    let line_at = |level| {
        let line = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let in_script = source
                .source
                .is_some_and(|source| source.trim_start_matches('@') == CHUNK);
            in_script.then(|| frame.current_line()).flatten()
        });
        line.flatten()
    };
    (0..8).find_map(line_at)
}

/// The error handler: makes a table of whatever was raised.
fn locate(lua: &Lua, error: Value) -> mlua::Result<Table> {
    if let Value::Table(table) = error {
        if !table.contains_key("line")? {
            table.raw_set("line", current_line(lua))?;
        }
        return Ok(table);
    }
    if let Value::Error(error) = &error
        && let Some(raised) = Raised::find(error)
    {
        return error_table(lua, &raised.text, raised.line);
    }
    error_table(lua, &format!("ERR {}", plain_text(&error)), current_line(lua))
}

/// What `pcall` hands to a script: the text of an error of a command, anything else as it is.
fn text_of(lua: &Lua, error: Value) -> mlua::Result<Value> {
    Ok(match &error {
        Value::Error(_) => Value::String(lua.create_string(plain_text(&error))?),
        Value::Table(table) => match table.raw_get("err")? {
            Value::Nil => error,
            text => text,
        },
        _ => error,
    })
}

fn syntax_text(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

fn plain_text(error: &Value) -> String {
    match error {
        Value::String(text) => text.to_string_lossy(),
        Value::Error(error) => Raised::find(error).map_or_else(|| error.to_string(), |raised| raised.text.clone()),
        other => other.to_string().unwrap_or_else(|error| error.to_string()),
    }
}

fn error_text(error: &Table, sha: &str) -> String {
    let text = error.raw_get("err").unwrap_or_else(|_| "ERR unknown error".to_owned());
    match error.raw_get::<Option<u64>>("line") {
        Ok(Some(line)) => format!("{text} script: {sha}, on @{CHUNK}:{line}."),
        _ => text,
    }
}

/// Numbers lose their fraction, false is nil, and a table ends at its first nil.
fn to_resp(value: &Value) -> mlua::Result<Resp> {
    Ok(match value {
        Value::Nil | Value::Boolean(false) => Resp::Nil,
        Value::Boolean(true) => Resp::Int(1),
        Value::Integer(number) => Resp::Int(*number),
        Value::Number(number) => Resp::Int(truncated(*number)),
        Value::String(text) => Resp::Bulk(text.as_bytes().to_vec()),
        Value::Table(table) => table_to_resp(table)?,
        _ => Resp::Nil,
    })
}

/// What a cast in C makes of a number, on x86-64 also of one that does not fit.
#[expect(clippy::cast_possible_truncation, reason = "the protocol truncates")]
fn truncated(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

fn table_to_resp(table: &Table) -> mlua::Result<Resp> {
    if let Value::String(text) = table.raw_get("err")? {
        return Ok(Resp::Error(text.to_string_lossy()));
    }
    if let Value::String(text) = table.raw_get("ok")? {
        return Ok(Resp::Status(text.to_string_lossy().into()));
    }
    let mut items = Vec::with_capacity(table.raw_len());
    loop {
        match table.raw_get(items.len() + 1)? {
            Value::Nil => return Ok(Resp::Array(items)),
            value => items.push(to_resp(&value)?),
        }
    }
}
