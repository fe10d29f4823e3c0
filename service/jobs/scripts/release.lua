-- Give an attempt back undone, as if it had not been.
local id, attempt = unpack(ARGV)
local fields = redis.call('HMGET', record(id), 'state', 'attempt', 'cost')
if fields[1] ~= 'running' or fields[2] ~= attempt then return 0 end
redis.call('HSET', record(id), 'state', 'queued', 'attempt', tonumber(attempt) - 1, 'tiles_done', 0)
redis.call('HDEL', record(id), 'execution', 'registry')
redis.call('ZREM', OPEN, id)
charge(id, fields[3])
tell(id)
return 1
