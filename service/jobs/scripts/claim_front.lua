-- The picture's own worker claims the next tiles, in order. Answers for each: 0 compute it, 1 it is stored, 2 wait for
-- who has the lease; nothing at all if the attempt is to be given up. `passed` of the stored ones are assembled.
local id, attempt, first, count, passed, lease_s = unpack(ARGV)
local fields = redis.call('HMGET', record(id), 'state', 'attempt')
local cuts, leased, stored = tiles(id)
if fields[1] ~= 'running' or fields[2] ~= attempt or redis.call('EXISTS', cuts) == 0 then return {} end

local states = {}
for tile = first, first + count - 1 do
  if redis.call('SISMEMBER', stored, tile) == 1 then
    table.insert(states, 1)
  elseif lasts(redis.call('ZSCORE', leased, tile), lease_s) then
    table.insert(states, 2)
  else
    redis.call('ZREM', leased, tile)
    table.insert(states, 0)
  end
end
local front = math.max(tonumber(redis.call('HGET', cuts, 'front')), first + count)
redis.call('HSET', cuts, 'front', front, 'finished', first, 'passed', passed)
report(id)
return states
