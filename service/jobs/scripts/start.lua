-- Begin an attempt at a job. Says started, ended, gone, busy (another worker is at it), or quarantined.
local id, execution, registry, life_s, max_attempts, result_ttl_s, record_ttl_s, failure = unpack(ARGV)
local fields = redis.call('HMGET', record(id), 'state', 'execution', 'registry', 'attempt', 'cost', 'tiles_total')
local state, attempt = fields[1], tonumber(fields[4])

if not state then return {'gone', 0} end
if has_ended(state) then return {'ended', 0} end
if state == 'running' then
  if fields[2] == execution then return {'started', attempt} end
  if lasts(redis.call('ZSCORE', fields[3], fields[2]), life_s) then return {'busy', 0} end
end
if attempt >= tonumber(max_attempts) then
  finish(id, 'failed', result_ttl_s, record_ttl_s, result_ttl_s, 0, {'failure', failure})
  return {'quarantined', attempt}
end
redis.call('HSET', record(id), 'state', 'running', 'attempt', attempt + 1, 'execution', execution, 'registry', registry,
  'tiles_done', 0)
redis.call('HSETNX', record(id), 'started_at', now())
charge(id, fields[5])
tell(id)
return {'started', attempt + 1}
