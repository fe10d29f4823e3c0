-- Lead, or go on leading, for some seconds; answers Redis' time, or 0 if another leads.
local key, name, life_s = unpack(ARGV)
local leader = redis.call('GET', key)
if leader and leader ~= name then return 0 end
redis.call('SET', key, name, 'PX', math.floor(life_s * 1000))
return tostring(now())
