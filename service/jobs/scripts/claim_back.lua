-- A helper claims tiles for some seconds: those whose lease ended without an answer, then the last ones.
-- Answers how many were given out before, and the tiles.
local id, count, lease_s, max_redelivered = unpack(ARGV)
local cuts, leased, stored = tiles(id)
local fields = redis.call('HMGET', cuts, 'front', 'back', 'redelivered')
if redis.call('HGET', record(id), 'state') ~= 'running' or not fields[1] then return {0} end
local front, back, redelivered = tonumber(fields[1]), tonumber(fields[2]), tonumber(fields[3])
if redelivered > tonumber(max_redelivered) then return {0} end  -- its tiles take workers down: leave it to its own

local claimed, til = {0}, now() + lease_s
for _, tile in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', now(), 'LIMIT', 0, count)) do
  if tonumber(tile) >= front then
    claimed[1] = claimed[1] + 1
    table.insert(claimed, tonumber(tile))
  end
end
while #claimed <= tonumber(count) and back > front do
  back = back - 1
  if redis.call('SISMEMBER', stored, back) == 0 and not redis.call('ZSCORE', leased, back) then
    table.insert(claimed, back)
  end
end
for index = 2, #claimed do redis.call('ZADD', leased, til, claimed[index]) end
redis.call('HSET', cuts, 'back', back, 'redelivered', redelivered + claimed[1])
return claimed
