-- Take a popped control job over from the intermediate list; answers 0 if it was put back meanwhile.
local intermediate, registry, execution, id, life_s = unpack(ARGV)
if redis.call('LREM', intermediate, 1, id) == 0 then return 0 end
redis.call('ZADD', registry, now() + life_s, execution)
return 1
