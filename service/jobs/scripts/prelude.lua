-- What the other scripts share; it is put in front of each. Times are Redis' own: hosts' clocks may differ.
--
-- unseam:job:ID        hash    a job's record; goes by its own TTL once the job has ended
-- unseam:unfinished    zset    ids in the order of their acceptance
-- unseam:expiring      zset    ids by when their result expires
-- unseam:totals        hash    cost (pixels not done yet, also by model), bytes held, accepted (cost ever), seq
-- unseam:key:HASH      string  the job that an Idempotency-Key made
-- unseam:open          zset    large pictures whose tiles any worker may claim, oldest first
-- unseam:tiles:ID      hash    of those: front, back, finished, passed, redelivered, plan
-- unseam:leased:ID     zset    tiles by when their lease ends
-- unseam:stored:ID     set     tiles whose answers lie in the blob store

local UNFINISHED, EXPIRING, TOTALS, OPEN = 'unseam:unfinished', 'unseam:expiring', 'unseam:totals', 'unseam:open'

local function record(id) return 'unseam:job:' .. id end
local function tiles(id) return 'unseam:tiles:' .. id, 'unseam:leased:' .. id, 'unseam:stored:' .. id end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

-- Whether a heartbeat or lease of `life_s` seconds lasts. One that lasts longer was given before the clock was set back.
local function lasts(til, life_s)
  til = tonumber(til or nil)
  return til ~= nil and til > now() and til <= now() + 2 * life_s
end

local function has_ended(state) return state == 'succeeded' or state == 'failed' or state == 'cancelled' end

local function tell(id) redis.call('PUBLISH', 'unseam:changed:' .. id, '') end

-- Set what a job still costs, and keep the totals.
local function charge(id, remaining)
  local fields = redis.call('HMGET', record(id), 'remaining', 'model')
  local change = string.format('%d', remaining - tonumber(fields[1] or 0))
  redis.call('HSET', record(id), 'remaining', string.format('%d', remaining))
  redis.call('HINCRBY', TOTALS, 'cost', change)
  redis.call('HINCRBY', TOTALS, 'cost:' .. fields[2], change)
end

-- Set how many bytes lie in the blob store for a job, and keep the total.
local function hold(id, bytes)
  local change = string.format('%d', bytes - tonumber(redis.call('HGET', record(id), 'bytes') or 0))
  redis.call('HSET', record(id), 'bytes', string.format('%d', bytes))
  redis.call('HINCRBY', TOTALS, 'bytes', change)
end

local function tidy()
  if redis.call('EXISTS', UNFINISHED, EXPIRING) == 0 then redis.call('DEL', TOTALS) end
end

local function advance(id, done, total)
  redis.call('HSET', record(id), 'tiles_done', done, 'tiles_total', total)
  local cost = tonumber(redis.call('HGET', record(id), 'cost'))
  charge(id, math.floor(cost * (total - done) / total))
  tell(id)
end

local function forget_key(id)
  local key = redis.call('HGET', record(id), 'key')
  if key and key ~= '' and redis.call('GET', key) == id then redis.call('DEL', key) end
end

-- End a job. `size` is of its result, 0 if there is none; `key_ttl_s` is for how long its key still stands for it.
local function finish(id, state, result_ttl_s, record_ttl_s, key_ttl_s, size, fields)
  local expires_at = now() + result_ttl_s
  redis.call('HSET', record(id), 'state', state, 'ended_at', now(), 'expires_at', expires_at, unpack(fields))
  redis.call('ZREM', UNFINISHED, id)
  redis.call('ZREM', OPEN, id)
  redis.call('DEL', tiles(id))
  charge(id, 0)
  hold(id, size)
  if size > 0 then redis.call('ZADD', EXPIRING, expires_at, id) end
  redis.call('PEXPIRE', record(id), math.floor((result_ttl_s + record_ttl_s) * 1000))
  local key = redis.call('HGET', record(id), 'key')
  if key and key ~= '' then redis.call('PEXPIRE', key, math.floor(key_ttl_s * 1000)) end  -- 0 deletes it
  tidy()
  tell(id)
end

-- A shared picture's progress: tiles assembled, and those that wait in the store to be.
local function report(id)
  local cuts, _, stored = tiles(id)
  local fields = redis.call('HMGET', cuts, 'finished', 'passed', 'total')
  local done = tonumber(fields[1]) + redis.call('SCARD', stored) - tonumber(fields[2])
  advance(id, math.max(0, math.min(done, tonumber(fields[3]))), fields[3])
end
