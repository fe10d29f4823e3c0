-- Let any worker claim tiles of a large picture. Answers kept from an earlier attempt stay good if the plan is the same.
local id, attempt, total, plan = unpack(ARGV)
local fields = redis.call('HMGET', record(id), 'state', 'attempt')
if fields[1] ~= 'running' or fields[2] ~= attempt then return 0 end
local cuts, leased, stored = tiles(id)
if redis.call('HGET', cuts, 'plan') ~= plan then redis.call('DEL', leased, stored) end
redis.call('HSET', cuts, 'plan', plan, 'total', total, 'front', 0, 'back', total, 'finished', 0, 'passed', 0,
  'redelivered', 0)
redis.call('ZADD', OPEN, 'NX', now(), id)
return 1
