-- What a server puts around a script: the table `redis`, and globals that can be neither made nor missed.
-- Arguments: the function that runs a command, and SHA-1.
--
-- Why math.random is absent: the library's is one per process, so threads of a test would share its state.

local run, sha1hex = ...
local error, tostring, type = error, tostring, type

redis = {pcall = run, sha1hex = sha1hex, LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3}

function redis.call(...)
  local reply = run(...)
  if type(reply) == 'table' and reply.err then error(reply, 0) end
  return reply
end

function redis.error_reply(text) return {err = (string.gsub(text, "^-", ""))} end
function redis.status_reply(text) return {ok = text} end
function redis.log() end
function redis.replicate_commands() return true end

for _, name in ipairs({'collectgarbage', 'dofile', 'gcinfo', 'getfenv', 'load', 'loadfile', 'loadstring', 'module',
                       'newproxy', 'print', 'require', 'setfenv'}) do
  _G[name] = nil
end
math.random, math.randomseed = nil, nil

setmetatable(_G, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
})
