-- A helper has stored answers. Says for each tile whether the answer is wanted (else its blob is to be deleted).
local id = ARGV[1]
local cuts, leased, stored = tiles(id)
local running = redis.call('HGET', record(id), 'state') == 'running' and redis.call('EXISTS', cuts) == 1
local wanted = {}
for index = 2, #ARGV do
  local tile = ARGV[index]
  if running and redis.call('ZREM', leased, tile) == 1 then redis.call('SADD', stored, tile) end
  table.insert(wanted, running and redis.call('SISMEMBER', stored, tile) or 0)
end
if running then report(id) end
return wanted
