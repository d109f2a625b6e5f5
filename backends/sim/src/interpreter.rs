//! Runs scripts as a server does: Lua 5.1, `redis.call`, the conversions between replies and Lua, and a sandbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mlua::{Function, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, Value};

use crate::database::{Database, Resp};
use crate::keyspace::Bytes;
use crate::number::format_17g;
use crate::sync::lock;

const CHUNK: &str = "user_script";

/// One Lua state and the scripts compiled in it.
#[derive(Debug)]
pub(crate) struct Interpreter {
    lua: Lua,
    database: Arc<Mutex<Database>>,
    /// `xpcall`, and the handler that notes where an error was raised.
    protected_call: Function,
    handler: Function,
    compiled: BTreeMap<String, Function>,
}

impl Interpreter {
    pub(crate) fn new(database: &Arc<Mutex<Database>>) -> Self {
        Self::try_new(database).expect("the prelude is valid Lua")
    }

    fn try_new(database: &Arc<Mutex<Database>>) -> mlua::Result<Self> {
        let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, LuaOptions::default())?;
        let protected_call = lua.globals().get("xpcall")?;
        let commands = Arc::clone(database);
        let run = lua.create_function(move |lua, args: MultiValue| run_command(lua, &commands, &args))?;
        let sha1hex = lua.create_function(|_, text: LuaString| Ok(sha1(&text.as_bytes())))?;
        lua.load(include_str!("prelude.lua"))
            .set_name("@prelude")
            .call::<()>((run, sha1hex))?;
        let handler = lua.create_function(locate)?;
        Ok(Self {
            lua,
            database: Arc::clone(database),
            protected_call,
            handler,
            compiled: BTreeMap::new(),
        })
    }

    /// Compiles a script unless that was done before; its SHA-1, or the text of the error.
    pub(crate) fn compile(&mut self, source: &str) -> Result<String, String> {
        let sha = sha1(source.as_bytes());
        if !self.compiled.contains_key(&sha) {
            let chunk = self.lua.load(source).set_name(format!("@{CHUNK}"));
            let function = chunk
                .into_function()
                .map_err(|error| format!("ERR Error compiling script (new function): {error}"))?;
            self.compiled.insert(sha.clone(), function);
        }
        Ok(sha)
    }

    /// Runs a compiled script.
    ///
    /// # Panics
    ///
    /// When it was not compiled.
    pub(crate) fn call(&self, sha: &str, keys: &[Bytes], args: &[Bytes]) -> Resp {
        let function = &self.compiled[sha];
        lock(&self.database).declared = Some(keys.to_vec());
        let result = self.try_call(function, keys, args);
        lock(&self.database).declared = None;
        match result {
            Ok((true, value)) => to_resp(&value).unwrap_or_else(|error| Resp::error(format!("ERR {error}"))),
            Ok((false, error)) => Resp::Error(error_text(&error, sha)),
            Err(error) => Resp::error(format!("ERR {error}")),
        }
    }

    fn try_call(&self, function: &Function, keys: &[Bytes], args: &[Bytes]) -> mlua::Result<(bool, Value)> {
        let globals = self.lua.globals();
        globals.raw_set("KEYS", self.strings(keys)?)?;
        globals.raw_set("ARGV", self.strings(args)?)?;
        self.protected_call.call((function, &self.handler))
    }

    fn strings(&self, texts: &[Bytes]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(texts.len(), 0)?;
        for text in texts {
            table.raw_push(self.lua.create_string(text)?)?;
        }
        Ok(table)
    }
}

pub(crate) fn sha1(text: &[u8]) -> String {
    sha1_smol::Sha1::from(text).digest().to_string()
}

/// `redis.pcall`: an error comes back as a table.
fn run_command(lua: &Lua, database: &Mutex<Database>, args: &MultiValue) -> mlua::Result<Value> {
    let command: Option<Vec<Bytes>> = args.iter().map(to_argument).collect();
    let reply = match command {
        Some(command) => lock(database).run(&command),
        None => Resp::error("ERR Lua redis lib command arguments must be strings or integers"),
    };
    to_lua(lua, &reply)
}

/// Numbers keep all their digits on the way to a command, unlike those that `tostring` prints.
fn to_argument(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number.to_string().into_bytes()),
        Value::Number(number) => Some(format_17g(*number).into_bytes()),
        _ => None,
    }
}

fn to_lua(lua: &Lua, reply: &Resp) -> mlua::Result<Value> {
    Ok(match reply {
        Resp::Int(number) => Value::Integer(*number),
        Resp::Bulk(bytes) => Value::String(lua.create_string(bytes)?),
        Resp::Nil => Value::Boolean(false),
        Resp::Status(text) => Value::Table(single(lua, "ok", text)?),
        Resp::Error(text) => {
            let table = single(lua, "err", text)?;
            place(lua, &table)?;
            Value::Table(table)
        }
        Resp::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                table.raw_push(to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
    })
}

fn single(lua: &Lua, field: &str, text: &str) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 3)?;
    table.raw_set(field, text)?;
    Ok(table)
}

/// Notes the line of the script that is running, as servers do from 7.0 on.
fn place(lua: &Lua, error: &Table) -> mlua::Result<()> {
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
    match (0..8).find_map(line_at) {
        Some(line) => error.raw_set("line", line),
        None => Ok(()),
    }
}

/// The error handler: makes a table of whatever was raised.
fn locate(lua: &Lua, error: Value) -> mlua::Result<Value> {
    let text = match &error {
        Value::Table(_) => return Ok(error),
        Value::String(text) => text.to_string_lossy(),
        Value::Error(error) => error.to_string(),
        other => format!("{other:?}"),
    };
    let table = single(lua, "err", &format!("ERR {text}"))?;
    place(lua, &table)?;
    Ok(Value::Table(table))
}

fn error_text(error: &Value, sha: &str) -> String {
    let Value::Table(error) = error else {
        return format!("ERR unknown error {error:?} script: {sha}");
    };
    let text = error
        .raw_get::<String>("err")
        .unwrap_or_else(|_| "ERR unknown error".to_owned());
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
        // Saturates where C is undefined.
        #[expect(clippy::cast_possible_truncation, reason = "the protocol truncates")]
        Value::Number(number) => Resp::Int(*number as i64),
        Value::String(text) => Resp::Bulk(text.as_bytes().to_vec()),
        Value::Table(table) => table_to_resp(table)?,
        _ => Resp::Nil,
    })
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
