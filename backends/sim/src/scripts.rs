//! The scripts that the servers of a world run: those that ship, or an edited form of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use semafence::script::Script;

use crate::interpreter::{Interpreter, sha1};
use crate::sync::lock;

/// Interpreters of worlds that have ended, with what they compiled: compiling takes longer than most worlds.
static IDLE: Mutex<Vec<Interpreter>> = Mutex::new(Vec::new());

/// An interpreter that has seen more texts than this is not used again.
const COMPILED_MAX: usize = 256;

/// Changes the text of shipped scripts: the name of a script and its text, to the text that runs instead.
///
/// For trying out a wrong rule: a test that passes with it proves nothing.
#[derive(Clone)]
pub struct ScriptEdit(Arc<Edit>);

type Edit = dyn Fn(&str, &str) -> String + Send + Sync;

impl ScriptEdit {
    /// An edit by a function of the script's name and text.
    pub fn new(edit: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
    }
}

impl std::fmt::Debug for ScriptEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScriptEdit")
    }
}

/// What runs the scripts of one world.
#[derive(Debug)]
pub(crate) struct Scripts {
    /// There until this is dropped.
    interpreter: Option<Interpreter>,
    edit: Option<ScriptEdit>,
    /// By script name: the SHA-1 and the text of what runs instead.
    edited: BTreeMap<&'static str, (Arc<str>, String)>,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            interpreter: Some(lock(&IDLE).pop().unwrap_or_else(Interpreter::new)),
            edit: None,
            edited: BTreeMap::new(),
        }
    }

    pub(crate) fn set_edit(&mut self, edit: ScriptEdit) {
        self.edit = Some(edit);
        self.edited.clear();
    }

    pub(crate) fn interpreter(&mut self) -> &mut Interpreter {
        self.interpreter.as_mut().expect("it is there until this is dropped")
    }

    /// The text that runs for a script.
    pub(crate) fn source(&mut self, script: &'static Script) -> &str {
        match self.edited(script) {
            Some((_, source)) => source,
            None => script.source(),
        }
    }

    /// Compiles a script unless that was done before; under which SHA-1 it can be called.
    pub(crate) fn compile(&mut self, script: &'static Script) -> Result<Arc<str>, String> {
        let (sha, source) = match self.edited(script) {
            Some((sha, source)) => (Arc::clone(sha), source.clone()),
            None => {
                let interpreter = self.interpreter();
                interpreter.compile(script.sha1(), script.source())?;
                return Ok(interpreter.name_of(script.sha1()));
            }
        };
        self.interpreter().compile(&sha, &source)?;
        Ok(sha)
    }

    fn edited(&mut self, script: &'static Script) -> Option<&(Arc<str>, String)> {
        let edit = self.edit.as_ref()?;
        Some(self.edited.entry(script.name).or_insert_with(|| {
            let source = (edit.0)(script.name, script.source());
            (sha1(source.as_bytes()).into(), source)
        }))
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        let reusable = |interpreter: &Interpreter| interpreter.compiled() <= COMPILED_MAX && !std::thread::panicking();
        if let Some(interpreter) = self.interpreter.take().filter(reusable) {
            lock(&IDLE).push(interpreter);
        }
    }
}
