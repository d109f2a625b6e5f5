-- What a server puts around a script: the table `redis`, and globals that can be neither made nor missed.
-- Arguments: functions of the server. `call` raises the errors of commands, `reply` returns them as tables.
--
-- Why math.random is absent: the library's is one per process, so threads of a test would share its state.

local call, reply, sha1hex, text_of = ...
local error, tostring, try = error, tostring, pcall

redis = {call = call, pcall = reply, sha1hex = sha1hex, LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3}

function redis.error_reply(text)
  text = string.gsub(text, '^-', '')
  return {err = string.find(text, ' ', 1, true) and text or 'ERR ' .. text}
end
function redis.status_reply(text) return {ok = text} end
function redis.log() end
function redis.replicate_commands() return true end

local function plain(ok, first, ...)
  if not ok then return false, text_of(first) end
  return true, first, ...
end

function pcall(...) return plain(try(...)) end

for _, name in ipairs({'dofile', 'gcinfo', 'getfenv', 'loadfile', 'module', 'newproxy', 'print', 'require', 'setfenv'}) do
  _G[name] = nil
end
math.random, math.randomseed = nil, nil

setmetatable(_G, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
})
