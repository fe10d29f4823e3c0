-- Note how far an attempt is; with no tiles given, only ask. Answers 0 if the attempt is to be given up.
local id, attempt, done, total = unpack(ARGV)
local fields = redis.call('HMGET', record(id), 'state', 'attempt')
if fields[1] ~= 'running' or fields[2] ~= attempt then return 0 end
if done then advance(id, done, total) end
return 1
