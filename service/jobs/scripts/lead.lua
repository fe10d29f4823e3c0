-- Lead, or go on leading, for some seconds; answers Redis' time, or 0 if another leads.
-- One whose time is longer than it can be got it before the clock was set back, and may be dead.
local key, name, life_s = unpack(ARGV)
local leader = redis.call('GET', key)
local life_ms = math.floor(life_s * 1000)
if leader and leader ~= name and redis.call('PTTL', key) <= life_ms then return 0 end
redis.call('SET', key, name, 'PX', life_ms)
return tostring(now())
