//! Lua as servers run it: numbers as text, text as numbers, conversions of replies, errors.

use std::sync::Arc;

use semafence_sim::Random;

use crate::draw::word;
use crate::expressions::{EXPRESSIONS, MESSAGES, NUMBERS, PATTERNS, REPLIES, SMALL, STATEMENTS, TEXTS, WHOLE};
use crate::quirks::Numbers;
use crate::step::{Run, Source, Step};

/// Makes text of any value, so that its type in Lua is seen. Ends with the line before which nothing is shown in reports.
pub(crate) const SHOW: &str = "local function show(value)
  if type(value) == 'table' then
    if value.err then return 'error ' .. tostring(value.err) end
    if value.ok then return 'status ' .. tostring(value.ok) end
    local parts = {}
    for i = 1, #value do parts[i] = show(value[i]) end
    return '[' .. table.concat(parts, ', ') .. ']'
  end
  if type(value) == 'number' then return string.format('%.17g', value) end
  if type(value) == 'string' then return string.format('%q', value) end
  return tostring(value)
end
--
";

const STEPS: u64 = 120;

/// Draws a run.
pub(crate) fn draw(random: &mut Random) -> Run {
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        let statement = word(random, STATEMENTS);
        let own = fill(random, statement);
        let text = format!("{SHOW}{own}");
        let keys: Vec<Vec<u8>> = ["text", "hash", "zset"].map(|key| key.as_bytes().to_vec()).to_vec();
        let args = vec![(word(random, &["1", "x", ""])).as_bytes().to_vec()];
        steps.push(Step::Script(Arc::new(Source { text, keys, args })));
        if random.chance(4) {
            steps.push(Step::Look);
        }
    }
    Run {
        steps,
        numbers: Numbers::ByValue,
    }
}

/// Replaces the capital letters that stand alone; those in quotes are text.
fn fill(random: &mut Random, template: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    let letters: Vec<char> = template.chars().collect();
    for (index, &letter) in letters.iter().enumerate() {
        let alone = |at: Option<&char>| at.is_none_or(|near| !near.is_ascii_alphanumeric() && *near != '_');
        let stands_alone =
            alone(index.checked_sub(1).and_then(|before| letters.get(before))) && alone(letters.get(index + 1));
        quoted ^= letter == '\'';
        if quoted || !stands_alone {
            text.push(letter);
            continue;
        }
        match letter {
            'N' => text += &format!("({})", word(random, NUMBERS)),
            'W' => text += &format!("({})", word(random, WHOLE)),
            'S' => text += &format!("({})", word(random, SMALL)),
            'T' => text += &format!("({})", word(random, TEXTS)),
            'R' => text += word(random, REPLIES),
            'M' => text += word(random, MESSAGES),
            'P' => text += word(random, PATTERNS),
            'E' => {
                let expression = word(random, EXPRESSIONS);
                text += &fill(random, expression);
            }
            other => text.push(other),
        }
    }
    text
}
