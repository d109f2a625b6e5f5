//! The scripts that the servers of a world run: those that ship, or an edited form of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use semafence::script::Script;

use crate::interpreter::{Compiled, Interpreter, sha1};

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

/// What runs for the scripts of one world.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    edit: Option<ScriptEdit>,
    /// By script name: the SHA-1 and the text of what runs instead.
    edited: BTreeMap<&'static str, (String, String)>,
}

impl Scripts {
    pub(crate) fn set_edit(&mut self, edit: ScriptEdit) {
        self.edit = Some(edit);
        self.edited.clear();
    }

    /// The SHA-1 and the text that run for a script.
    pub(crate) fn text(&mut self, script: &'static Script) -> (&str, &str) {
        let Some(edit) = &self.edit else {
            return (script.sha1(), script.source());
        };
        let (sha, source) = self.edited.entry(script.name).or_insert_with(|| {
            let source = (edit.0)(script.name, script.source());
            (sha1(source.as_bytes()), source)
        });
        (sha, source)
    }

    /// Compiles a script unless that was done before; the text of the error if it cannot be.
    pub(crate) fn compile(
        &mut self,
        script: &'static Script,
        interpreter: &mut Interpreter,
    ) -> Result<Compiled, String> {
        let (sha, source) = self.text(script);
        interpreter.compile(sha, source)
    }
}
