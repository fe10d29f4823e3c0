-- Let go of a result: says which blob may be deleted. Without an id, of every result whose time has come.
local given = ARGV[1]
local ids = given and {given} or redis.call('ZRANGEBYSCORE', EXPIRING, '-inf', now(), 'LIMIT', 0, 1000)
local blobs = {}
for _, id in ipairs(ids) do
  if redis.call('ZREM', EXPIRING, id) == 1 and redis.call('EXISTS', record(id)) == 1 then
    redis.call('HSET', record(id), 'expired', 1)
    hold(id, 0)
    forget_key(id)
    table.insert(blobs, redis.call('HGET', record(id), 'blob'))
  end
end
tidy()
return blobs
