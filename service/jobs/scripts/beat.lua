-- Keep a worker and what it is at alive for some more seconds. Pairs of a registry and an execution follow.
local worker, life_s, served_s = unpack(ARGV, 1, 3)
local til = now() + life_s
redis.call('ZADD', 'unseam:workers', til, worker)
redis.call('ZREMRANGEBYSCORE', 'unseam:workers', '-inf', now())
redis.call('ZREMRANGEBYSCORE', 'unseam:workers', '(' .. til, '+inf')  -- from before the clock was set back
redis.call('EXPIRE', 'unseam:workers', served_s)
redis.call('SET', 'unseam:served', 1, 'EX', served_s)
for i = 4, #ARGV, 2 do redis.call('ZADD', ARGV[i], 'XX', til, ARGV[i + 1]) end
return 1
